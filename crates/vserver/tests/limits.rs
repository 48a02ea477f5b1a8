//! What is over a limit is refused with its status, or closed, and counted.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    dead_code,
    unreachable_pub,
    reason = "tests"
)]

mod fixture;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use fixture::{LONG, config, echo, get, http1, http2, raw, rest, serve, until};
use http::StatusCode;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use vserver::{Config, Http2Config};

#[tokio::test]
async fn a_long_target_is_answered_with_414() {
    let server = serve(config(), echo(), LONG);
    let path = format!("/{}", "x".repeat(16 * 1024));
    let request = format!("GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
    let answer = raw(server.address, &request).await;
    assert!(answer.starts_with("HTTP/1.1 414"), "{answer}");
    assert!(answer.contains("uri-too-long"), "{answer}");

    let mut sender = http2(server.address).await;
    let request = get(&format!("http://h.example{path}"));
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::URI_TOO_LONG);
}

#[tokio::test]
async fn a_large_head_is_answered_with_431() {
    let server = serve(config(), echo(), LONG);
    let request = format!("GET / HTTP/1.1\r\nhost: h\r\nx: {}\r\n\r\n", "y".repeat(300 * 1024));
    let answer = raw(server.address, &request).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");

    let mut sender = http2(server.address).await;
    let mut request = get("http://h.example/");
    for name in ["a", "b", "c", "d", "e"] {
        let value = "y".repeat(15 * 1024).parse().unwrap();
        request.headers_mut().insert(name, value);
    }
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}

#[tokio::test]
async fn too_many_fields_are_answered_with_431() {
    for max_headers in [100, 20] {
        let config = Config { max_headers, ..config() };
        let server = serve(config, echo(), LONG);
        let asked = |fields: usize| {
            let fields: String = (1..fields).map(|n| format!("x-{n}: 1\r\n")).collect();
            let request = format!("GET / HTTP/1.1\r\nconnection: close\r\n{fields}\r\n");
            async move { raw(server.address, &request).await }
        };
        let (within, over) = (asked(max_headers).await, asked(max_headers + 1).await);
        assert!(within.starts_with("HTTP/1.1 200"), "{within}");
        assert!(over.starts_with("HTTP/1.1 431"), "{over}");

        let mut sender = http2(server.address).await;
        let mut request = get("http://h.example/");
        for n in 0..max_headers {
            let name: http::HeaderName = format!("x-{n}").parse().unwrap();
            request.headers_mut().insert(name, 1.into());
        }
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
}

#[tokio::test]
async fn http2_streams_over_the_limit_wait() {
    let config = Config {
        http2: Http2Config { max_concurrent_streams: 1, ..Http2Config::default() },
        ..config()
    };
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = most.clone();
    let counting = fixture::app(move |_| {
        let (now, most) = (now.clone(), most.clone());
        async move {
            most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
            tokio::task::yield_now().await;
            now.fetch_sub(1, SeqCst);
            http::Response::new(vhttp::Body::empty())
        }
    });
    let server = serve(config, counting, LONG);
    let mut sender = http2(server.address).await;
    // The client learns of the limit with the first answer.
    let request = get("http://h.example/");
    assert!(sender.send_request(request.clone()).await.is_ok());
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (mut sender, request) = (sender.clone(), request.clone());
        requests.spawn(async move { sender.send_request(request).await });
    }
    assert!(requests.join_all().await.iter().all(Result::is_ok));
    assert_eq!(seen.load(SeqCst), 1);
}

#[tokio::test]
async fn one_connection_too_many_is_closed_at_once() {
    let config = Config { max_connections: 1, ..config() };
    let server = serve(config, echo(), LONG);
    let mut sender = http1(server.address).await;
    let answer = sender.send_request(get("/")).await.unwrap();
    answer.collect().await.unwrap();

    let mut refused = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(refused.read(&mut [0; 1]).await.unwrap_or(0), 0);
    let stats = server.running.monitor().stats();
    assert_eq!((stats.open, stats.accepted, stats.refused), (1, 1, 1));
    // The one that was there is served still.
    assert!(sender.send_request(get("/")).await.is_ok());
}

#[tokio::test]
async fn a_silent_client_is_closed() {
    let config = Config { first_byte_timeout: Duration::from_millis(20), ..config() };
    let server = serve(config, echo(), LONG);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(rest(&mut stream).await, "");
    until(|| server.running.monitor().stats().errors == 1).await;
}

#[tokio::test]
async fn a_client_that_never_reads_is_cut() {
    let config = Config { write_stall_timeout: Duration::from_millis(20), ..config() };
    let large = fixture::app(|_| async {
        // More than the buffers of both kernels take.
        http::Response::new(vhttp::Body::from(vec![b'x'; 64 * 1024 * 1024]))
    });
    let server = serve(config, large, LONG);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: h\r\n\r\n";
    stream.write_all(request).await.unwrap();
    until(|| server.running.monitor().stats().errors == 1).await;
    assert_eq!(server.running.monitor().stats().open, 0);
}
