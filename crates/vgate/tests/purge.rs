//! Purging a running gateway: over the admin listener and from the command line.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod fixture;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fixture::{Answer, Gateway, Origin, ask, vgate};
use serde_json::{Value, json};

/// An origin whose pages have tags, validators and a window for outages; it can be out of order.
fn site() -> (Origin, Arc<AtomicBool>) {
    let is_down = Arc::new(AtomicBool::new(false));
    let down = Arc::clone(&is_down);
    let origin = Origin::start(move |head, stream| {
        let path = head.split(' ').nth(1).unwrap();
        let tags = path.split('?').nth(1).unwrap_or("");
        let fields = format!(
            "Cache-Control: max-age=60, stale-if-error=600\r\nETag: \"1\"\r\nSurrogate-Key: {tags}\r\n"
        );
        let status = match head.to_ascii_lowercase().contains("if-none-match") {
            _ if down.load(Ordering::SeqCst) => "503 Service Unavailable\r\nContent-Length: 4",
            true => "304 Not Modified",
            false => "200 OK\r\nContent-Length: 4",
        };
        let body = if status.starts_with("304") { "" } else { "page" };
        let _ = write!(stream, "HTTP/1.1 {status}\r\n{fields}\r\n{body}");
    });
    (origin, is_down)
}

fn start(origin: &Origin, more: &str) -> Gateway {
    Gateway::start(&format!("{more}{}[caches.main]\n", origin.config("cache = \"main\"")))
}

fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.text()).unwrap()
}

const PAGES: [&str; 3] = ["/a?red", "/b?red", "/c?blue"];

fn fill(gateway: &Gateway) {
    for page in PAGES {
        gateway.get(page);
        assert!(gateway.get(page).header("cache-status").contains("; hit"));
    }
}

#[test]
fn what_is_named_is_purged_and_counted() {
    let (origin, _) = site();
    let gateway = start(&origin, "");
    let rows = [
        (json!({ "url": "http://test/a?red" }), "100"),
        (json!({ "tag": "red" }), "110"),
        (json!({ "prefix": "http://test/b" }), "010"),
        (json!({ "host": "test" }), "111"),
        (json!({ "everything": true }), "111"),
        (json!({ "tag": "red", "cache": "main" }), "110"),
        (json!({ "tag": "green" }), "000"),
    ];
    for (mut order, taken) in rows {
        for hard in [false, true] {
            fill(&gateway);
            order["hard"] = json!(hard);
            let answer = gateway.purge(&order.to_string(), "");
            assert_eq!(answer.status, 200, "{}", answer.text());
            let (done, count) = (json(&answer), taken.matches('1').count());
            assert_eq!((&done["urls"], &done["responses"]), (&json!(count), &json!(count)));
            assert_eq!(done["caches"]["main"]["responses"], count);
            assert_eq!(done["hard"], hard);
            for (page, taken) in PAGES.into_iter().zip(taken.chars()) {
                let status = gateway.get(page).header("cache-status").to_owned();
                let expected = match (taken, hard) {
                    ('0', _) => "; hit",
                    (_, true) => "fwd=uri-miss; fwd-status=200; stored",
                    (_, false) => "fwd=stale; fwd-status=304; stored",
                };
                assert!(status.contains(expected), "{order} {page}: {status}");
            }
        }
    }
    let metrics = gateway.admin("/metrics").text();
    for line in [
        "vcache_http_purges_total{cache=\"Verve-main\",mode=\"soft\",target=\"tag\"} 3",
        "vcache_http_purged_responses_total{cache=\"Verve-main\"}",
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
}

#[test]
fn what_is_purged_softly_stands_in_while_the_origin_is_down_and_hardly_not() {
    let (origin, is_down) = site();
    let mut gateway = start(&origin, "");
    for (hard, status) in [("false", 200), ("true", 503)] {
        fill(&gateway);
        is_down.store(true, Ordering::SeqCst);
        gateway.purge(&format!(r#"{{"tag": "red", "hard": {hard}}}"#), "");
        assert_eq!(gateway.get("/a?red").status, status);
        is_down.store(false, Ordering::SeqCst);
    }
    assert!(gateway.wait_for("purged").contains("red"));
}

#[test]
fn what_is_no_order_is_refused_with_a_reason() {
    let (origin, _) = site();
    let gateway = start(&origin, "");
    for (order, status, words) in [
        ("{}", 400, "name one of"),
        (r#"{"url": "http://a/", "tag": "b"}"#, 400, "name one of"),
        (r#"{"url": "/path"}"#, 400, "not an absolute URL"),
        (r#"{"tag": ["a"]}"#, 400, "invalid type"),
        (r#"{"tags": "a"}"#, 400, "unknown field"),
        ("tag=a", 400, "expected"),
        (r#"{"tag": "a", "cache": "other"}"#, 404, "[caches.other]"),
    ] {
        let answer = gateway.purge(order, "");
        assert_eq!(answer.status, status, "{order}");
        assert!(answer.text().contains(words), "{order}: {}", answer.text());
    }
    assert_eq!(gateway.admin("/api/purge").status, 405);
    let long = format!(r#"{{"tag": "{}"}}"#, "x".repeat(70_000));
    assert_eq!(gateway.purge(&long, "").status, 400);
}

#[test]
fn a_page_of_another_site_cannot_purge_through_a_browser() {
    let (origin, _) = site();
    let gateway = start(&origin, "");
    fill(&gateway);
    let all = r#"{"everything": true}"#;
    let own = format!("Origin: http://localhost:{}\r\n", gateway.admin.port());
    for (fields, host, kind, status) in [
        ("Origin: https://evil.example\r\n", "localhost", "application/json", 403),
        ("Origin: null\r\n", "127.0.0.1", "application/json", 403),
        ("Sec-Fetch-Site: cross-site\r\n", "localhost", "application/json", 403),
        ("Sec-Fetch-Site: same-site\r\n", "localhost", "application/json", 403),
        // A form's and a script's without asking first.
        ("", "localhost", "text/plain", 415),
        ("", "localhost", "application/x-www-form-urlencoded", 415),
        ("", "localhost", "", 415),
        ("", "evil.example", "application/json", 403),
    ] {
        let answer = post(&gateway, all, fields, host, kind);
        assert_eq!(answer.status, status, "{fields}{host} {kind}");
    }
    assert!(gateway.get(PAGES[0]).header("cache-status").contains("; hit"));
    let host = format!("localhost:{}", gateway.admin.port());
    let kind = "application/json; charset=utf-8";
    assert_eq!(post(&gateway, all, &own, &host, kind).status, 200);
}

fn post(gateway: &Gateway, order: &str, fields: &str, host: &str, kind: &str) -> Answer {
    let kind = if kind.is_empty() { String::new() } else { format!("Content-Type: {kind}\r\n") };
    let length = order.len();
    let head = format!(
        "POST /api/purge HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{kind}{fields}\
         Content-Length: {length}\r\n\r\n{order}"
    );
    ask(gateway.admin, &head)
}

#[test]
fn with_a_token_only_who_has_it_purges() {
    let (origin, _) = site();
    let mut gateway = start(&origin, "");
    let config = |token: &str| {
        let origin = origin.config("cache = \"main\"");
        format!("token = \"{token}\"\n{origin}[caches.main]\n")
    };
    gateway.reload(&config("s3cret"));
    gateway.wait_for("reloaded");
    let order = r#"{"tag": "red"}"#;
    for fields in ["", "Authorization: Bearer s3cre\r\n", "Authorization: Basic s3cret\r\n"] {
        let answer = gateway.purge(order, fields);
        assert_eq!(answer.status, 401, "{fields}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    assert_eq!(gateway.purge(order, "Authorization: bearer s3cret\r\n").status, 200);
    assert_eq!(gateway.admin("/api/status").status, 200);
    let admin = gateway.admin.to_string();
    let purge = |token: Option<&str>| {
        let mut command = vgate();
        command.args(["purge", "--tag", "red", "--admin", &admin]);
        command.env_remove("VGATE_ADMIN_TOKEN");
        command.envs(token.map(|token| ("VGATE_ADMIN_TOKEN", token)));
        command.output().unwrap()
    };
    assert_eq!(purge(Some("s3cret")).status.code(), Some(0));
    let refused = purge(None);
    assert_eq!(refused.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("Authorization: Bearer"));
}

#[test]
fn the_command_line_purges_what_it_is_told_to() {
    let (origin, _) = site();
    let gateway = start(&origin, "");
    let admin = gateway.admin.to_string();
    let run = |args: &[&str]| {
        let output = vgate().arg("purge").args(args).args(["--admin", &admin]).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    };
    for (args, lines) in [
        (&["--tag", "red"][..], "tag red: marked stale: responses 2, URLs 2\n"),
        (
            &["--url", "http://test/a?red", "--hard"],
            "url http://test/a?red: removed: responses 1, URLs 1\n",
        ),
        (
            &["--host", "test", "--tag", "none", "--cache", "main"],
            "tag none: marked stale: responses 0, URLs 0\nhost test: marked stale: responses 3, URLs 3\n",
        ),
        (&["--prefix", "http://test/"], "prefix http://test/: marked stale: responses 3, URLs 3\n"),
        (&["--all", "--hard"], "everything: removed: responses 3, URLs 3\n"),
    ] {
        fill(&gateway);
        assert_eq!(run(args), (0, lines.to_owned(), String::new()), "{args:?}");
    }
    let (code, _, error) = run(&["--url", "/path"]);
    assert_eq!(code, 3);
    assert!(error.contains("not an absolute URL"), "{error}");
    assert_eq!(run(&[]).0, 2);
    let second = start(&origin, "");
    second.get(PAGES[0]);
    gateway.get(PAGES[0]);
    let (one, nobody, two) = (admin.as_str(), "127.0.0.1:1", second.admin.to_string());
    let several = ["purge", "--all", "--admin", one, "--admin", nobody, "--admin", &two];
    let output = vgate().args(several).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for gateway in [one, &two] {
        let line = format!("{gateway}: everything: marked stale: responses 1, URLs 1\n");
        assert!(text.contains(&line), "{line} in\n{text}");
    }
    let nobody = vgate().args(["purge", "--all", "--admin", "127.0.0.1:1"]).output().unwrap();
    assert_eq!(nobody.status.code(), Some(3));
}

/// Sends an order over HTTP/2; the status, and the answer's text.
async fn order_over_http2(
    gateway: &Gateway,
    host: &str,
    fields: &[(&str, &str)],
    order: &str,
) -> (u16, String) {
    let stream = tokio::net::TcpStream::connect(gateway.admin).await.unwrap();
    let (send, connection) = h2::client::handshake(stream).await.unwrap();
    let driver = tokio::spawn(connection);
    let mut request = http::Request::post(format!("http://{host}/api/purge"));
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let mut send = send.ready().await.unwrap();
    let (response, mut content) = send.send_request(request.body(()).unwrap(), false).unwrap();
    // A refusal may come before the order is read.
    let _ = content.send_data(bytes::Bytes::copy_from_slice(order.as_bytes()), true);
    let (parts, mut body) = response.await.unwrap().into_parts();
    let mut text = Vec::new();
    while let Some(Ok(data)) = body.data().await {
        let _ = body.flow_control().release_capacity(data.len());
        text.extend_from_slice(&data);
    }
    driver.abort();
    (parts.status.as_u16(), String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn an_order_over_http2_is_taken_and_refused_as_over_http1() {
    let (origin, _) = site();
    let gateway = start(&origin, "token = \"s3cret\"\n");
    let kind = ("content-type", "application/json");
    let token = ("authorization", "Bearer s3cret");
    let host = format!("localhost:{}", gateway.admin.port());
    let all = r#"{"everything": true, "hard": true}"#;
    fill(&gateway);
    let long = format!(r#"{{"tag": "{}"}}"#, "x".repeat(70_000));
    for (host, fields, order, status) in [
        (&*host, &[kind][..], all, 401),
        (&host, &[kind, ("authorization", "Bearer wrong")], all, 401),
        (&host, &[token, ("content-type", "text/plain")], all, 415),
        (&host, &[kind, token, ("origin", "https://evil.example")], all, 403),
        ("evil.example", &[kind, token], all, 403),
        (&host, &[kind, token], "{}", 400),
        (&host, &[kind, token], &long, 400),
        (&host, &[kind, token], r#"{"tag": "a", "cache": "other"}"#, 404),
    ] {
        let (found, text) = order_over_http2(&gateway, host, fields, order).await;
        assert_eq!(found, status, "{host} {fields:?}: {text}");
        assert!(gateway.get(PAGES[0]).header("cache-status").contains("; hit"), "{fields:?}");
    }
    let (status, text) = order_over_http2(&gateway, &host, &[kind, token], all).await;
    let done: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &done["responses"]), (200, &json!(3)));
    assert!(gateway.get(PAGES[0]).header("cache-status").contains("fwd=uri-miss"));
}
