//! What a client sees through a running gateway.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod fixture;

use std::io::Write;
use std::net::TcpListener;
use std::sync::atomic::Ordering;

use fixture::{Gateway, Origin, ask};

const CACHEABLE: &str = "Cache-Control: public, max-age=60\r\nContent-Type: text/plain\r\n";

#[test]
fn a_request_passes_with_the_fields_that_an_origin_needs() {
    let origin = Origin::fixed("X-From: origin\r\n", "hello");
    let gateway = Gateway::start(&origin.config(""));
    let answer = gateway.get_with("/a/../b?q=1", "Connection: x-secret\r\nX-Secret: 1\r\n");
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
    assert_eq!(answer.header("x-from"), "origin");
    let head = origin.heads.lock().unwrap()[0].to_ascii_lowercase();
    assert!(head.starts_with("get /b?q=1 http/1.1\r\n"), "{head}");
    assert!(head.contains("x-forwarded-for: 127.0.0.1\r\n"), "{head}");
    assert!(head.contains("host: test\r\n"), "{head}");
    assert!(!head.contains("x-secret"), "{head}");
}

#[test]
fn the_second_request_is_a_hit_and_a_post_invalidates() {
    let origin = Origin::fixed(CACHEABLE, "stored");
    let gateway = Gateway::start(&format!("{}[caches.main]\n", origin.config("cache = \"main\"")));
    assert!(gateway.get("/x").header("cache-status").contains("fwd=uri-miss"));
    let second = gateway.get("/x");
    assert!(second.header("cache-status").contains("hit"), "{second:?}");
    assert_eq!(second.text(), "stored");
    assert!(second.headers.contains_key("age"));
    assert_eq!(origin.count.load(Ordering::SeqCst), 1);
    let post = "POST /x HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert_eq!(ask(gateway.address, post).status, 200);
    assert!(!gateway.get("/x").header("cache-status").contains("hit"));
}

#[test]
fn each_coding_is_given_to_who_asks_for_it() {
    let body: &'static str =
        Box::leak("a text that is worth coding. ".repeat(200).into_boxed_str());
    let origin = Origin::fixed("Content-Type: text/plain\r\n", body);
    let gateway = Gateway::start(&origin.config("compress = {}"));
    for coding in ["br", "gzip", "zstd"] {
        let answer = gateway.get_with("/", &format!("Accept-Encoding: {coding}\r\n"));
        assert_eq!(answer.header("content-encoding"), coding);
        assert!(answer.body.len() < body.len() / 4);
        assert!(answer.header("vary").to_ascii_lowercase().contains("accept-encoding"));
    }
    assert_eq!(gateway.get("/").text(), body);
}

#[test]
fn over_the_rate_is_429_with_the_time_to_wait() {
    let origin = Origin::fixed("", "x");
    let limit = "[rate_limits.few]\nrate = \"2/m\"\nburst = 2\n";
    let gateway = Gateway::start(&format!("{}{limit}", origin.config("rate_limit = \"few\"")));
    assert_eq!(gateway.get("/").status, 200);
    assert_eq!(gateway.get("/").status, 200);
    let answer = gateway.get("/");
    assert_eq!(answer.status, 429);
    assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(origin.count.load(Ordering::SeqCst), 2);
}

#[test]
fn a_dead_endpoint_loses_no_get() {
    let origin = Origin::fixed("", "alive");
    // Bound and dropped: nobody listens there.
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gateway = Gateway::start(&format!(
        "[upstreams.app]\nendpoints = [\"http://{dead}\", \"http://{}\"]\n",
        origin.address
    ));
    for _ in 0..20 {
        assert_eq!(gateway.get("/").text(), "alive");
    }
}

#[test]
fn broken_origins_are_502_with_a_reason_and_the_gateway_stays_up() {
    let answers: [&str; 4] = [
        "nonsense\r\n\r\n",
        "",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ];
    for bytes in answers {
        let origin = Origin::start(move |_, stream| {
            let _ = stream.write_all(bytes.as_bytes());
            let _ = stream.shutdown(std::net::Shutdown::Both);
        });
        let gateway = Gateway::start(&origin.config(""));
        for _ in 0..2 {
            let answer = gateway.get("/");
            assert_eq!(answer.status, 502, "{bytes:?}: {answer:?}");
            assert!(answer.text().contains("\"reason\":\"upstream-"), "{}", answer.text());
        }
    }
}

#[test]
fn a_silent_origin_is_504() {
    let origin = Origin::start(|_, _| std::thread::park());
    let gateway = Gateway::start(&origin.config("proxy = { head_timeout = \"200ms\", tries = 1 }"));
    let answer = gateway.get("/");
    assert_eq!(answer.status, 504, "{answer:?}");
}

#[test]
fn nobody_listens_is_a_problem_with_a_reason() {
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gateway = Gateway::start(&format!("[upstreams.app]\nendpoints = [\"http://{dead}\"]\n"));
    let answer = gateway.get("/");
    assert_eq!(answer.status, 502, "{answer:?}");
    assert!(answer.text().contains("upstream-unreachable"), "{}", answer.text());
    let metrics = gateway.admin("/metrics").text();
    assert!(metrics.contains("vbalance_requests_total"), "{metrics}");
}

#[test]
fn what_no_route_takes_is_404_and_odd_requests_are_refused() {
    let origin = Origin::fixed("", "x");
    let config = origin.config("hosts = [\"only.example\"]");
    let gateway = Gateway::start(&config);
    assert_eq!(gateway.get("/").status, 404);
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: only.example\r\n", 200),
        ("GET / HTTP/1.1\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: only.example\r\nHost: only.example\r\n", 400),
        ("GET /%2e%2e%2fetc HTTP/1.1\r\nHost: only.example\r\n", 400),
        ("TRACE / HTTP/1.1\r\nHost: only.example\r\n", 501),
    ] {
        let answer = ask(gateway.address, &format!("{request}Connection: close\r\n\r\n"));
        assert_eq!(answer.status, status, "{request}");
    }
    assert_eq!(origin.count.load(Ordering::SeqCst), 1);
    let metrics = gateway.admin("/metrics").text();
    assert!(metrics.contains("route=\"unmatched\""), "{metrics}");
}
