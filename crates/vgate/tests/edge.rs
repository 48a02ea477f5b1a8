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

#[test]
fn the_address_of_one_client_does_not_answer_another() {
    let origin = Origin::start(|head, stream| {
        use std::io::Write;
        let address = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("x-forwarded-for").then(|| value.to_owned())
        });
        let body = address.unwrap_or_default();
        let length = body.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\n{CACHEABLE}Vary: X-Forwarded-For\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    });
    let gateway = Gateway::start(&format!("{}[caches.main]\n", origin.config("cache = \"main\"")));
    let get = |from: &str| {
        let request = "GET /x HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
        fixture::ask_from(from.parse().unwrap(), gateway.address, request)
    };
    for _ in 0..2 {
        for client in ["127.0.0.1", "127.0.0.3"] {
            assert_eq!(get(client).text(), client);
        }
    }
    assert_eq!(origin.count.load(Ordering::SeqCst), 2);
}

#[test]
fn a_url_is_purged_in_any_spelling_of_it() {
    let origin = Origin::fixed(CACHEABLE, "x");
    let gateway = Gateway::start(&format!("{}[caches.main]\n", origin.config("cache = \"main\"")));
    for (asked, order) in [
        ("/in/~z", r#"{"url": "http://test/in/%7Ez"}"#),
        ("/in/%7Ez", r#"{"url": "http://test/in/./%7ez"}"#),
        ("/a/./z?q=%7E", r#"{"url": "http://test/a/z?q=%7E"}"#),
        ("/a/%7Ez", r#"{"prefix": "http://test/a/%7E"}"#),
        ("/p/.well", r#"{"prefix": "http://test/p/."}"#),
    ] {
        gateway.get(asked);
        let done = gateway.purge(order, "").text();
        assert!(done.contains("\"responses\": 1,"), "{asked} {order}: {done}");
    }
}

#[test]
fn a_status_without_a_name_has_a_phrase() {
    use std::io::{Read, Write};

    let origin = Origin::start(|_, stream| {
        let head = format!("HTTP/1.1 299 Odd\r\nContent-Length: 0\r\n{CACHEABLE}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
    });
    let gateway = Gateway::start(&format!("{}[caches.main]\n", origin.config("cache = \"main\"")));
    for line in ["HTTP/1.1 299 Odd\r\n", "HTTP/1.1 299 Unknown\r\n"] {
        let mut stream = std::net::TcpStream::connect(gateway.address).unwrap();
        let request = "GET /x HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(line), "{answer}");
    }
    assert_eq!(origin.count.load(Ordering::SeqCst), 1);
}

#[test]
fn early_hints_go_out_before_the_answer_is_there() {
    use std::io::{Read, Write};
    use std::sync::{Mutex, mpsc};

    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let origin = Origin::start(move |_, stream| {
        stream.write_all(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n").unwrap();
        held.lock().unwrap().recv().unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx").unwrap();
    });
    let gateway = Gateway::start(&format!("{}[caches.main]\n", origin.config("cache = \"main\"")));
    let mut stream = std::net::TcpStream::connect(gateway.address).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    // Twice on one connection, and a client that does not know of them.
    for _ in 0..2 {
        stream.write_all(b"GET /x HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
        let hints = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
        let mut head = vec![0; hints.len()];
        stream.read_exact(&mut head).unwrap();
        assert_eq!(String::from_utf8_lossy(&head), String::from_utf8_lossy(hints));
        release.send(()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\nx") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
    release.send(()).unwrap();
    let old = ask(gateway.address, "GET /x HTTP/1.0\r\nHost: test\r\n\r\n");
    assert_eq!((old.status, old.text()), (200, "x".to_owned()));
}
