//! Parts of stored responses from a running gateway, and what it stores by default.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod fixture;

use std::io::Write as _;
use std::sync::atomic::Ordering;

use fixture::{Gateway, Origin};

const TEXT: &str = "0123456789abcdefghijklmnopqrstuvwxyz";

fn start(origin: &Origin, more: &str) -> Gateway {
    Gateway::start(&format!("{}[caches.main]\n{more}", origin.config("cache = \"main\"")))
}

#[test]
fn parts_are_cut_from_what_is_stored() {
    let fields = "Cache-Control: max-age=60\r\nETag: \"1\"\r\nContent-Type: text/plain\r\n";
    let origin = Origin::fixed(fields, TEXT);
    let gateway = start(&origin, "");
    assert_eq!(gateway.get("/").text(), TEXT);
    for (fields, status, range, body) in [
        ("Range: bytes=2-4\r\n", 206, "bytes 2-4/36", "234"),
        ("Range: bytes=-3\r\n", 206, "bytes 33-35/36", "xyz"),
        ("Range: bytes=30-\r\nIf-Range: \"1\"\r\n", 206, "bytes 30-35/36", "uvwxyz"),
        ("Range: bytes=30-\r\nIf-Range: \"2\"\r\n", 200, "", TEXT),
        ("Range: bytes=30-\r\nIf-Range: W/\"1\"\r\n", 200, "", TEXT),
        ("Range: bytes=2-4\r\nAccept-Encoding: gzip\r\n", 206, "bytes 2-4/36", "234"),
        ("Range: bytes=40-\r\n", 416, "bytes */36", ""),
        ("Range: bytes=2-4\r\nIf-None-Match: \"1\"\r\n", 304, "", ""),
        ("Range: lines=2-4\r\n", 200, "", TEXT),
    ] {
        let answer = gateway.get_with("/", fields);
        assert_eq!((answer.status, &*answer.text()), (status, body), "{fields}");
        assert_eq!(answer.header("content-range"), range, "{fields}");
        assert!(answer.header("cache-status").contains("; hit"), "{fields}");
        if status != 304 {
            assert_eq!(answer.header("content-length"), body.len().to_string(), "{fields}");
        }
    }
    let answer = gateway.get_with("/", "Range: bytes=0-1, 4-5\r\n");
    // Near to each other, they cost less as one.
    assert_eq!((answer.status, &*answer.text()), (206, "012345"));
    assert_eq!(origin.count.load(Ordering::SeqCst), 1);
}

#[test]
fn a_stored_beginning_is_completed_with_the_rest() {
    let origin = Origin::start(|head, stream| {
        let range = head
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("range: ").map(str::to_owned));
        let (first, end) = match range.as_deref() {
            Some("bytes=0-9") => (0, 10),
            Some("bytes=10-") => (10, 36),
            _ => panic!("{head}"),
        };
        let fields = "Cache-Control: max-age=60\r\nETag: \"1\"";
        let (last, length) = (end - 1, end - first);
        let _ = write!(
            stream,
            "HTTP/1.1 206 Partial Content\r\nContent-Length: {length}\r\n\
             Content-Range: bytes {first}-{last}/36\r\n{fields}\r\n\r\n{}",
            TEXT.get(first..end).unwrap()
        );
    });
    let gateway = start(&origin, "");
    assert_eq!(gateway.get_with("/", "Range: bytes=0-9\r\n").text(), "0123456789");
    let part = gateway.get_with("/", "Range: bytes=3-5\r\n");
    assert_eq!((part.status, &*part.text()), (206, "345"));
    let whole = gateway.get("/");
    assert_eq!((whole.status, &*whole.text()), (200, TEXT));
    assert!(whole.header("cache-status").contains("fwd=partial"));
    assert_eq!(gateway.get("/").text(), TEXT);
    assert_eq!(gateway.get_with("/", "Range: bytes=20-21\r\n").text(), "kl");
    assert_eq!(origin.count.load(Ordering::SeqCst), 2);
}

#[test]
fn cookies_are_nobody_elses_unless_the_file_says_so() {
    for (more, asked) in [("", 2), ("set_cookie = \"store\"\n", 1)] {
        let origin = Origin::fixed("Cache-Control: max-age=60\r\nSet-Cookie: a=1\r\n", TEXT);
        let gateway = start(&origin, more);
        gateway.get("/");
        gateway.get("/");
        assert_eq!(origin.count.load(Ordering::SeqCst), asked, "{more}");
    }
}
