//! The layer in an axum application, over a real socket.
#![cfg(feature = "http")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::{get, post};
use http::header::CACHE_CONTROL;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use vcache::http::{CacheLayer, Config, HttpCache};

/// One request on a connection of its own, and the whole answer.
async fn ask(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{request}\r\nhost: a.test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn an_axum_application_is_cached() {
    let made = Arc::new(AtomicUsize::new(0));
    let page = move || async move {
        let count = made.fetch_add(1, Ordering::Relaxed) + 1;
        ([(CACHE_CONTROL, "max-age=60")], format!("page {count}"))
    };
    let cache = HttpCache::new(Config::default()).unwrap();
    let app = Router::new()
        .route("/page", get(page))
        .route("/page", post(|| async { "changed" }))
        .layer(CacheLayer::new(cache.clone()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, app).await });

    let first = ask(address, "GET /page HTTP/1.1").await;
    assert!(first.contains("cache-status: Verve; fwd=uri-miss; fwd-status=200; stored"));
    let second = ask(address, "GET /page HTTP/1.1").await;
    assert!(second.ends_with("page 1") && second.contains("\r\nage: "), "{second}");
    assert_eq!(second.matches("\r\ndate: ").count(), 1);
    let head = ask(address, "HEAD /page HTTP/1.1").await;
    assert!(head.contains("content-length: 6\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    let posted = ask(address, "POST /page HTTP/1.1\r\ncontent-length: 0").await;
    assert!(posted.ends_with("changed"), "{posted}");
    assert!(ask(address, "GET /page HTTP/1.1").await.ends_with("page 2"));
    assert_eq!((cache.stats().hits, cache.stats().misses), (2, 2));
    server.abort();
}
