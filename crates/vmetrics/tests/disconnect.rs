//! A client that closes its connection in the middle of an answer is noticed and counted.
#![cfg(feature = "http")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::Channel;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, service_fn};
use vmetrics::{MetricsLayer, Recorder};

const DEADLINE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn the_gauge_falls_when_the_client_leaves() {
    let handle = Recorder::new().handle();
    let in_flight = handle.gauge("http_requests_in_flight", &[("route", "stream")]);
    let layer = MetricsLayer::new(&handle).route("stream");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();

    let server = tokio::spawn(async move {
        let (connection, _) = listener.accept().await.unwrap();
        // The senders live on in here: the body is endless.
        let (senders, mut kept) = tokio::sync::mpsc::unbounded_channel();
        let service = layer.layer(service_fn(move |_: Request<Incoming>| {
            let (mut sender, body) = Channel::<Bytes>::new(4);
            sender.try_send(Frame::data("first".into())).unwrap();
            senders.send(sender).unwrap();
            async { Ok::<_, Infallible>(Response::new(body)) }
        }));
        let served = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(connection), TowerToHyperService::new(service))
            .await;
        kept.close();
        served
    });

    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut heard = Vec::new();
    while !heard.ends_with(b"first\r\n") {
        let read = client.read_buf(&mut heard).await.unwrap();
        assert!(read > 0, "closed early: {}", String::from_utf8_lossy(&heard));
    }
    assert_eq!(in_flight.value().to_string(), "1");
    drop(client);

    // The connection ends, and with it the request.
    let _ = tokio::time::timeout(DEADLINE, server).await.unwrap().unwrap();
    assert_eq!(in_flight.value().to_string(), "0");
    assert!(handle.render().contains(
        "http_requests_total{cache=\"none\",method=\"GET\",route=\"stream\",status=\"499\"} 1\n"
    ));
}

#[tokio::test]
async fn an_answer_that_was_sent_whole_is_no_client_gone() {
    let handle = Recorder::new().handle();
    let layer = MetricsLayer::new(&handle).route("whole");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (connection, _) = listener.accept().await.unwrap();
        let service = layer.layer(service_fn(|_: Request<Incoming>| async {
            let (mut sender, body) = Channel::<Bytes>::new(4);
            sender.try_send(Frame::data("whole".into())).unwrap();
            let mut response = Response::new(body);
            response.headers_mut().insert("content-length", 5.into());
            // Kept open: hyper has all it needs without the body's end.
            tokio::spawn(async move {
                let _sender = sender;
                std::future::pending::<()>().await;
            });
            Ok::<_, Infallible>(response)
        }));
        hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(connection), TowerToHyperService::new(service))
            .await
    });
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).await.unwrap();
    assert!(heard.ends_with(b"whole"));
    tokio::time::timeout(DEADLINE, server).await.unwrap().unwrap().unwrap();
    assert!(handle.render().contains(
        "http_requests_total{cache=\"none\",method=\"GET\",route=\"whole\",status=\"200\"} 1\n"
    ));
}
