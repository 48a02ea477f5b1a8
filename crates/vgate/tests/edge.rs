//! What a stranger cannot make the gateway store for others.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod fixture;

use std::sync::atomic::Ordering;

use fixture::{Gateway, Origin, ask};

const CACHEABLE: &str = "Cache-Control: public, max-age=60\r\n";

/// Every field by which a client could tell an origin another host, scheme, path or client.
const CLAIMS: [&str; 16] = [
    "Forwarded: host=evil.test",
    "X-Forwarded-Host: evil.test",
    "X-Forwarded-Port: 666",
    "X-Forwarded-Prefix: /evil",
    "X-Forwarded-Scheme: evil",
    "X-Forwarded-Protocol: evil",
    "X-Forwarded-Proto: evil",
    "X-Forwarded-Ssl: evil",
    "X-Forwarded-Server: evil.test",
    "X-Forwarded-By: evil.test",
    "X-Host: evil.test",
    "X-HTTP-Host-Override: evil.test",
    "X-Original-Host: evil.test",
    "X-Original-URL: /evil",
    "X-Rewrite-URL: /evil",
    "X-Real-IP: 6.6.6.6",
];

#[test]
fn one_host_and_only_one_is_taken() {
    let origin = Origin::fixed(CACHEABLE, "x");
    let gateway = Gateway::start(&format!("{}[caches.main]\n", origin.config("cache = \"main\"")));
    for (hosts, reason) in [
        ("", "host-missing"),
        ("Host: a.test\r\nHost: a.test\r\n", "host-repeated"),
        ("Host: a.test\r\nHost: b.test\r\n", "host-repeated"),
        ("Host: a.test, b.test\r\n", "host-invalid"),
        ("Host: user@a.test\r\n", "host-invalid"),
    ] {
        let head = format!("GET / HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        let answer = ask(gateway.address, &head);
        assert_eq!(answer.status, 400, "{hosts}");
        assert!(answer.text().contains(reason), "{hosts}: {answer:?}");
    }
    assert_eq!(origin.count.load(Ordering::SeqCst), 0);
}

#[test]
fn what_a_stranger_says_of_itself_does_not_reach_the_origin() {
    let origin = Origin::fixed(CACHEABLE, "x");
    let gateway = Gateway::start(&format!("{}[caches.main]\n", origin.config("cache = \"main\"")));
    let fields: String = CLAIMS.iter().map(|claim| format!("{claim}\r\n")).collect();
    assert_eq!(gateway.get_with("/x", &fields).status, 200);
    let head = origin.heads.lock().unwrap()[0].to_ascii_lowercase();
    assert!(!head.contains("evil") && !head.contains("666"), "{head}");
    assert!(head.contains("x-forwarded-host: test\r\n"), "{head}");
    assert!(head.contains("x-forwarded-proto: http\r\n"), "{head}");
    // So that the stored answer is everyone's.
    assert!(gateway.get("/x").header("cache-status").contains("hit"));
}

#[test]
fn what_a_trusted_proxy_says_does() {
    let origin = Origin::fixed("", "x");
    let trusted = "[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n";
    let gateway = Gateway::start(&format!("{trusted}{}", origin.config("")));
    gateway.get_with("/x", "X-Forwarded-Host: shop.test\r\nX-Forwarded-Proto: https\r\n");
    let head = origin.heads.lock().unwrap()[0].to_ascii_lowercase();
    assert!(head.contains("x-forwarded-host: shop.test\r\n"), "{head}");
    assert!(head.contains("x-forwarded-proto: https\r\n"), "{head}");
}

#[test]
fn a_get_with_content_is_answered_by_the_origin_and_not_stored() {
    let origin = Origin::start(|head, stream| {
        use std::io::{Read, Write};
        let mut content = vec![0; if head.contains("ontent-") { 4 } else { 0 }];
        stream.read_exact(&mut content).unwrap();
        let length = content.len();
        let head = format!("HTTP/1.1 200 OK\r\n{CACHEABLE}Content-Length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&content).unwrap();
    });
    let gateway = Gateway::start(&format!("{}[caches.main]\n", origin.config("cache = \"main\"")));
    let fat = "GET /x HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 4\r\n\r\nevil";
    assert_eq!(ask(gateway.address, fat).text(), "evil");
    assert!(gateway.get("/x").header("cache-status").contains("fwd=uri-miss"));
    assert!(gateway.get("/x").header("cache-status").contains("hit"));
    assert_eq!(ask(gateway.address, fat).text(), "evil");
    assert_eq!(gateway.get("/x").text(), "");
}

#[test]
fn query_parameters_that_do_not_count_are_said_in_the_file() {
    let origin = Origin::fixed(CACHEABLE, "x");
    let cache = "[caches.main]\nignore_query = [\"utm_*\"]\nsort_query = true\n";
    let gateway = Gateway::start(&format!("{}{cache}", origin.config("cache = \"main\"")));
    gateway.get("/x?b=2&utm_id=1&a=1");
    assert!(gateway.get("/x?a=1&b=2").header("cache-status").contains("hit"));
    let head = origin.heads.lock().unwrap()[0].clone();
    assert!(head.starts_with("GET /x?b=2&utm_id=1&a=1 "), "{head}");
}
