//! HTTP/1.1, HTTP/2 by prior knowledge, and upgrades, over real sockets.
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

use std::io;
use std::time::Duration;

use fixture::{LONG, Serving, app, config, echo, get, http1, http2, raw, serve, until};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use vhttp::Body;
use vserver::Config;

#[tokio::test]
async fn http1_keeps_the_connection_and_answers_in_order() {
    let server = serve(config(), echo(), LONG);
    let both = concat!(
        "GET /1 HTTP/1.1\r\nhost: h\r\n\r\n",
        "GET /2 HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"
    );
    let answer = raw(server.address, both).await;
    let (first, second) = (answer.find("127.0.0.1 /1"), answer.find("127.0.0.1 /2"));
    assert!(first.is_some() && first < second, "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2);
    assert_eq!(answer.matches("date: ").count(), 2, "RFC 9110 §6.6.1");
    let stats = server.running.monitor().stats();
    assert_eq!((stats.accepted, stats.http1, stats.errors), (1, 1, 0));
}

#[tokio::test]
async fn http2_by_prior_knowledge() {
    let server = serve(config(), echo(), LONG);
    let mut sender = http2(server.address).await;
    let request = get("http://h.example/x");
    let body = sender.send_request(request).await.unwrap().collect().await;
    assert_eq!(body.unwrap().to_bytes(), "HTTP/2.0 http 127.0.0.1 /x");
    assert_eq!(server.running.monitor().stats().http2, 1);
}

#[tokio::test]
async fn http2_by_prior_knowledge_can_be_turned_off() {
    let config = Config { h2c: false, ..config() };
    let server = serve(config, echo(), LONG);
    let mut sender = http2(server.address).await;
    assert!(sender.send_request(get("http://h.example/")).await.is_err());
    let answer =
        raw(server.address, "GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[tokio::test]
async fn junk_is_refused_and_counted() {
    let server = serve(config(), echo(), LONG);
    let answer = raw(server.address, "\u{1}\u{2}\u{3}\u{4}\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    until(|| server.running.monitor().stats().errors == 1).await;
}

#[tokio::test]
async fn a_panic_ends_one_connection_only() {
    let service = app(|request: Request<Body>| async move {
        assert_ne!(request.uri().path(), "/panic");
        Response::new(Body::from("fine"))
    });
    let server = serve(config(), service, LONG);
    let mut sender = http1(server.address).await;
    assert!(sender.send_request(get("/panic")).await.is_err());
    let mut sender = http1(server.address).await;
    let response = sender.send_request(get("/")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    until(|| server.running.monitor().stats().errors == 1).await;
}

/// Switches to a protocol that sends back what comes, and says goodbye at its end.
fn upgrading(ended: mpsc::UnboundedSender<io::Error>) -> fixture::App {
    app(move |mut request: Request<Body>| {
        let upgrade = hyper::upgrade::on(&mut request);
        let ended = ended.clone();
        tokio::spawn(async move {
            let mut io = TokioIo::new(upgrade.await.unwrap());
            let mut word = [0; 4];
            if let Err(error) = io.read_exact(&mut word).await {
                return ended.send(error).unwrap();
            }
            io.write_all(&word).await.unwrap();
            io.shutdown().await.unwrap();
        });
        let switched = Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header("connection", "upgrade")
            .header("upgrade", "echo")
            .body(Body::empty());
        std::future::ready(switched.unwrap())
    })
}

/// A connection that speaks the other protocol.
async fn upgraded(server: &Serving) -> TokioIo<Upgraded> {
    let mut request = get("/");
    request.headers_mut().insert("connection", "upgrade".parse().unwrap());
    request.headers_mut().insert("upgrade", "echo".parse().unwrap());
    let mut sender = http1(server.address).await;
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    TokioIo::new(hyper::upgrade::on(response).await.unwrap())
}

#[tokio::test]
async fn an_upgraded_connection_is_the_services_and_the_drain_waits_for_it() {
    let (ended, _) = mpsc::unbounded_channel();
    let mut server = serve(config(), upgrading(ended), LONG);
    let mut io = upgraded(&server).await;

    server.shutdown.begin();
    assert_eq!(server.running.monitor().stats().open, 1);
    io.write_all(b"ping").await.unwrap();
    let mut said = String::new();
    io.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "ping");
    drop(io);
    assert_eq!(server.running.join().await.aborted, 0);
    assert_eq!(server.running.monitor().stats().open, 0);
}

#[tokio::test]
async fn an_idle_upgraded_connection_does_not_hold_the_drain() {
    let (ended, mut ends) = mpsc::unbounded_channel();
    let config = Config { drain_idle: Duration::from_millis(20), ..config() };
    let mut server = serve(config, upgrading(ended), LONG);
    let mut io = upgraded(&server).await;
    server.shutdown.begin();
    assert_eq!(server.running.join().await.aborted, 0);
    assert_eq!(ends.recv().await.unwrap().kind(), io::ErrorKind::ConnectionAborted);
    assert_eq!(io.read(&mut [0; 1]).await.unwrap_or(0), 0);
}
