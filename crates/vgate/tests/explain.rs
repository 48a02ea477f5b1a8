//! `vgate explain`, against a running gateway and without one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod fixture;

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use fixture::{Gateway, Origin, vgate};
use serde_json::Value;

const PAGE: &str = "Cache-Control: max-age=60, stale-if-error=600\r\nVary: Accept\r\nSurrogate-Key: a b\r\nETag: \"v\"\r\n";

fn explain(admin: SocketAddr, rest: &[&str]) -> String {
    let out = vgate().args(["explain", "--admin", &admin.to_string()]).args(rest).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

fn gateway() -> (Gateway, Origin) {
    let origin = Origin::fixed(PAGE, "hello");
    let config = origin.config("name = \"pages\"\ncache = \"main\"\nhosts = [\"test\"]");
    let gateway = Gateway::start(&format!("{config}[caches.main]\n"));
    (gateway, origin)
}

#[test]
fn what_is_stored_and_what_would_be_done_is_told() {
    let (gateway, origin) = gateway();
    let text = explain(gateway.admin, &["http://test/x"]);
    assert!(text.contains("nothing is stored") && text.contains("decision      miss"), "{text}");
    gateway.get("/x");
    gateway.get_with("/x", "Accept: text/html\r\n");
    let asked = origin.count.load(Ordering::SeqCst);
    let text = explain(gateway.admin, &["http://test/x", "-H", "Accept: text/html"]);
    for words in [
        "GET http://test/x\n",
        "route     pages",
        "hosts     test",
        "upstream  app",
        "RFC 9111 §2      key         http://test/x",
        "variant 1 of 2 fits",
        "decision      hit",
        "Cache-Status  Verve-main; hit; ttl=",
        "stored under this key: 2",
        "vary accept     text/html",
        "stale-if-error  600 s",
        "tags            a, b",
    ] {
        assert!(text.contains(words), "no `{words}` in:\n{text}");
    }
    let json = explain(gateway.admin, &["--json", "http://test/x", "-H", "If-None-Match: \"v\""]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["running"], &json["route"]["name"]), (&true.into(), &"pages".into()));
    assert_eq!(json["cache"]["decision"], "hit");
    let steps = json["cache"]["steps"].as_array().unwrap();
    assert_eq!(steps.last().unwrap()["section"], "RFC 9111 §4.3.2");
    assert_eq!(json["cache"]["stored"].as_array().unwrap().len(), 2);
    assert_eq!(origin.count.load(Ordering::SeqCst), asked, "the origin was asked");
}

#[test]
fn other_hosts_bad_requests_and_methods_are_told() {
    let (gateway, _origin) = gateway();
    let text = explain(gateway.admin, &["http://other/x"]);
    assert!(text.contains("no route takes this host and path: 404"), "{text}");
    let text = explain(gateway.admin, &["http://test/a%2fb"]);
    assert!(text.contains("refused with 400: path-ambiguous"), "{text}");
    let text = explain(gateway.admin, &["http://elsewhere/x", "-H", "Host: test", "-X", "POST"]);
    assert!(text.contains("decision      bypass") && text.contains("RFC 9111 §4.4"), "{text}");
    let refused = gateway.admin("/api/explain?url=nothing");
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("does not begin with http"), "{refused:?}");
    let post = "POST /api/explain HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(fixture::ask(gateway.admin, post).status, 405);
}

#[test]
fn without_a_gateway_the_file_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vgate.toml");
    let origin = Origin::fixed("", "");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = origin.config("cache = \"main\"");
    let admin = format!("[caches.main]\n[admin]\nlisten = \"{closed}\"\n");
    std::fs::write(&file, format!("{config}{admin}")).unwrap();
    let out = vgate().args(["explain", "http://test/x", "-c"]).arg(&file).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(text.contains("No gateway answers") && text.contains("http://test/x"), "{text}");
    let away = vgate()
        .current_dir(folder.path().parent().unwrap())
        .args(["explain", "http://test/x", "--admin", &closed.to_string()])
        .output()
        .unwrap();
    assert_eq!(away.status.code(), Some(3));
    assert!(String::from_utf8(away.stderr).unwrap().contains("no answer from a gateway"));
}

#[test]
fn why_the_last_answer_was_not_stored_is_told() {
    let origin = Origin::fixed("Cache-Control: max-age=60\r\nSet-Cookie: sid=secret\r\n", "hello");
    let config = origin.config("cache = \"main\"\nhosts = [\"test\"]");
    let gateway = Gateway::start(&format!("{config}[caches.main]\n"));
    assert!(!explain(gateway.admin, &["http://test/x"]).contains("not stored"));
    gateway.get("/x");
    let text = explain(gateway.admin, &["http://test/x"]);
    for words in ["not stored: a 200 ", "because of set-cookie", "RFC 9111 §7.3", "RFC 9111 §3.5"]
    {
        assert!(text.contains(words), "no `{words}` in:\n{text}");
    }
    assert!(!text.contains("secret") && !text.contains("RFC 9111 §4.1    vary"), "{text}");
    let json = explain(gateway.admin, &["--json", "http://test/x"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["cache"]["not_stored"]["reason"], "set-cookie");
    let steps = json["cache"]["not_stored"]["steps"].as_array().unwrap();
    assert_eq!(steps.last().unwrap()["section"], "RFC 9111 §7.3");
}
