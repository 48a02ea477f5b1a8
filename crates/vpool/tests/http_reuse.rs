//! Connections are used again when they may be, and only then.

#![cfg(feature = "http")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod origin;

use std::time::Duration;

use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use origin::{After, Origin, get, read_head, stats, text, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::ServiceExt;
use vhttp::{Body, Phase, Timeline};
use vpool::http::{Client, Config};

fn client() -> Client {
    Client::new(Config::default()).unwrap()
}

#[tokio::test]
async fn one_connection_serves_requests_one_after_the_other() {
    let (origin, client) = (Origin::echo().await, client());
    for path in ["/a?b=c", "/d", "/"] {
        let response = get(&client, &origin.uri(path)).await.unwrap();
        assert_eq!(response.headers()["x-path"], path);
        assert_eq!(response.headers()["x-host"], origin.addr.to_string());
        text(response).await;
    }
    assert_eq!(origin.accepted(), 1);
    let stats = stats(&client);
    assert_eq!((stats.created, stats.reused, stats.idle), (1, 2, 1));
    assert_eq!(stats.in_use, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_serves_on_many_threads_too() {
    let (origin, client) = (Origin::echo().await, client());
    for _ in 0..200 {
        let request = Request::post(origin.uri("/")).body(Full::from("some text")).unwrap();
        let response = client.clone().oneshot(request).await.unwrap();
        assert_eq!(text(response).await, "some text");
    }
    assert_eq!(origin.accepted(), 1);
}

#[tokio::test]
async fn the_requests_own_host_is_sent() {
    let (origin, client) = (Origin::echo().await, client());
    let request =
        Request::get(origin.uri("/")).header("host", "shop.example").body(Body::empty()).unwrap();
    let response = client.oneshot(request).await.unwrap();
    assert_eq!(response.headers()["x-host"], "shop.example");
}

#[tokio::test]
async fn a_body_that_is_not_read_closes_its_connection() {
    let origin =
        Origin::raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345", After::Hold).await;
    let client = client();
    let response = get(&client, &origin.uri("/")).await.unwrap();
    assert_eq!(stats(&client).in_use, 1);
    drop(response);
    assert_eq!(stats(&client).open, 0);
    get(&client, &origin.uri("/")).await.unwrap();
    assert_eq!(origin.accepted(), 2);
}

#[tokio::test]
async fn an_expired_idle_connection_is_not_used() {
    let (origin, client) = (Origin::echo().await, client());
    text(get(&client, &origin.uri("/")).await.unwrap()).await;
    tokio::time::pause();
    tokio::time::advance(Config::default().idle_timeout).await;
    tokio::time::resume();
    text(get(&client, &origin.uri("/")).await.unwrap()).await;
    assert_eq!(origin.accepted(), 2);
}

#[tokio::test]
async fn an_idle_connection_is_closed_without_another_request() {
    let (origin, client) = (Origin::echo().await, client());
    text(get(&client, &origin.uri("/")).await.unwrap()).await;
    assert_eq!(stats(&client).open, 1);
    tokio::time::pause();
    tokio::time::sleep(Config::default().idle_timeout * 2).await;
    assert_eq!(stats(&client).open, 0);
}

#[tokio::test]
async fn no_more_than_the_allowed_idle_ones_are_kept() {
    let (origin, config) = (Origin::echo().await, Config::default());
    let client = Client::new(Config { max_idle: 1, ..config }).unwrap();
    let uri = origin.uri("/");
    let (a, b) = tokio::join!(get(&client, &uri), get(&client, &uri));
    text(a.unwrap()).await;
    text(b.unwrap()).await;
    assert_eq!(origin.accepted(), 2);
    assert_eq!(stats(&client).open, 1);
}

#[tokio::test]
async fn an_origin_that_closes_idle_connections_loses_no_request() {
    // Answers once on each connection, says nothing of closing, and closes.
    let origin = Origin::raw(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", After::Close).await;
    let client = client();
    for _ in 0..300 {
        assert_eq!(text(get(&client, &origin.uri("/")).await.unwrap()).await, "ok");
        // Sometimes the close is seen before the next request, sometimes after.
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_connection_with_bytes_nobody_asked_for_is_dropped() {
    let origin = Origin::raw(
        b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
        After::Hold,
    )
    .await;
    let client = client();
    for accepted in 1..=3 {
        let response = get(&client, &origin.uri("/")).await.unwrap();
        assert_eq!(response.status(), 204);
        assert_eq!(origin.accepted(), accepted);
    }
}

#[tokio::test]
async fn ten_mebibytes_stream_both_ways() {
    const PART: usize = 64 * 1024;
    let (origin, client) = (Origin::echo().await, client());
    let parts = (0..160u8).map(|n| {
        let bytes = bytes::Bytes::from(vec![n; PART]);
        Ok::<_, std::io::Error>(http_body::Frame::data(bytes))
    });
    let body = StreamBody::new(tokio_stream::iter(parts));
    let request = Request::post(origin.uri("/")).body(body).unwrap();
    let mut body = client.clone().oneshot(request).await.unwrap().into_body();
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        for byte in frame.unwrap().into_data().unwrap() {
            assert_eq!(usize::from(byte), read / PART);
            read += 1;
        }
    }
    assert_eq!(read, 160 * PART);
    assert_eq!(stats(&client).idle, 1);
}

#[tokio::test]
async fn an_early_answer_ends_the_upload_and_the_connection() {
    // Answers before it reads the body, then keeps quiet.
    let origin =
        Origin::raw(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno", After::Hold).await;
    let client = client();
    let (sender, body) = http_body_util::channel::Channel::<bytes::Bytes>::new(1);
    let request = Request::post(origin.uri("/")).body(body).unwrap();
    let response = client.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 403);
    assert_eq!(text(response).await, "no");
    assert_eq!(stats(&client).open, 0);
    drop(sender);
}

#[tokio::test]
async fn after_a_101_the_connection_belongs_to_the_caller() {
    let origin = Origin::sockets(|mut socket, _| async move {
        let head = read_head(&mut socket).await.unwrap();
        assert!(head.contains("upgrade: echo"), "{head}");
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\
                       upgrade: echo\r\n\r\nfirst";
        socket.write_all(answer).await.unwrap();
        let mut bytes = [0; 4];
        socket.read_exact(&mut bytes).await.unwrap();
        socket.write_all(&bytes).await.unwrap();
    })
    .await;
    let client = client();
    let request = Request::get(origin.uri("/"))
        .header("connection", "upgrade")
        .header("upgrade", "echo")
        .body(Body::empty())
        .unwrap();
    let mut response = client.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 101);
    assert_eq!(stats(&client).open, 0);
    drop(client);
    let upgraded = hyper::upgrade::on(&mut response).await.unwrap();
    let mut tunnel = hyper_util::rt::TokioIo::new(upgraded);
    tunnel.write_all(b"ping").await.unwrap();
    let mut read = String::new();
    tunnel.read_to_string(&mut read).await.unwrap();
    assert_eq!(read, "firstping");
}

#[tokio::test]
async fn the_timeline_learns_the_time_for_the_connection() {
    let (origin, client) = (Origin::echo().await, client());
    let timeline = Timeline::new();
    let request =
        Request::get(origin.uri("/")).extension(timeline.clone()).body(Body::empty()).unwrap();
    client.oneshot(request).await.unwrap();
    assert!(timeline.read().time(Phase::Pool).is_some());
}

#[tokio::test]
async fn a_client_that_is_gone_leaves_no_connection() {
    let closed = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = closed.clone();
    let origin = Origin::sockets(move |mut socket, _| {
        let seen = seen.clone();
        async move {
            read_head(&mut socket).await.unwrap();
            let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
            socket.write_all(answer).await.unwrap();
            assert_eq!(socket.read(&mut [0]).await.unwrap_or(0), 0);
            seen.store(true, std::sync::atomic::Ordering::SeqCst);
        }
    })
    .await;
    let client = client();
    get(&client, &origin.uri("/")).await.unwrap();
    assert_eq!(stats(&client).idle, 1);
    drop(client);
    let gone = until(|| closed.load(std::sync::atomic::Ordering::SeqCst));
    tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap();
}

#[tokio::test]
async fn a_closed_client_finishes_what_it_began_and_begins_nothing() {
    let origin = Origin::http(|_| async { Response::new(Body::full("long")) }).await;
    let client = client();
    let response = get(&client, &origin.uri("/")).await.unwrap();
    client.close();
    assert_eq!(text(response).await, "long");
    let error = get(&client, &origin.uri("/")).await.unwrap_err();
    assert_eq!(error.kind(), vpool::http::ErrorKind::Closed);
    assert!(client.is_closed() && client.stats().is_empty());
}
