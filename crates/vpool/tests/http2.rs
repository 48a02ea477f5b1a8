//! HTTP/2 connections carry many requests, by prior knowledge and by ALPN.

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

use std::convert::Infallible;

use http::{Request, Response, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use origin::{Origin, get, read_head, stats, text, until};
use tokio::net::TcpStream;
use vhttp::Body;
use vpool::http::{Client, Config, ErrorKind, Http2};

/// Answers `/slow` after the client says so, everything else with the authority it saw.
async fn serve(socket: TcpStream, slow: std::sync::Arc<tokio::sync::Semaphore>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let slow = slow.clone();
        async move {
            if request.uri().path() == "/slow" {
                slow.acquire().await.unwrap().forget();
            }
            let authority = request.uri().authority().unwrap().to_string();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let mut response = Response::new(Body::full(body));
            response.headers_mut().insert("x-host", authority.parse().unwrap());
            Ok::<_, Infallible>(response)
        }
    });
    let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(socket), service)
        .await;
}

async fn origin() -> (Origin, std::sync::Arc<tokio::sync::Semaphore>) {
    let slow = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let gate = slow.clone();
    let origin = Origin::sockets(move |socket, _| serve(socket, gate.clone())).await;
    (origin, slow)
}

fn client(max_connections: usize, http2_max_streams: usize) -> Client {
    Client::new(Config {
        http2: Http2::PriorKnowledge,
        max_connections,
        http2_max_streams,
        ..Config::default()
    })
    .unwrap()
}

#[tokio::test]
async fn requests_at_once_share_one_connection() {
    let ((origin, slow), client) = (origin().await, client(256, 100));
    let uri = origin.uri("/slow");
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (client, uri) = (client.clone(), uri.clone());
        tasks.spawn(async move { get(&client, &uri).await.unwrap() });
    }
    until(|| client.stats().first().is_some_and(|s| s.created + s.reused == 50)).await;
    slow.add_permits(50);
    for response in tasks.join_all().await {
        assert_eq!(response.version(), Version::HTTP_2);
        assert_eq!(response.headers()["x-host"], origin.addr.to_string());
    }
    assert_eq!(origin.accepted(), 1);
    let stats = stats(&client);
    assert_eq!((stats.open, stats.idle, stats.waiting), (1, 1, 0));
}

#[tokio::test]
async fn a_full_connection_gets_company_up_to_the_bound() {
    let ((origin, slow), client) = (origin().await, client(2, 2));
    let uri = origin.uri("/slow");
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let (client, uri) = (client.clone(), uri.clone());
        tasks.spawn(async move { text(get(&client, &uri).await.unwrap()).await });
    }
    until(|| client.stats().first().is_some_and(|s| s.in_use == 2 && s.waiting == 1)).await;
    slow.add_permits(5);
    tasks.join_all().await;
    assert_eq!(origin.accepted(), 2);
}

#[tokio::test]
async fn a_dropped_response_ends_its_stream_only() {
    let ((origin, slow), client) = (origin().await, client(256, 100));
    let uri = origin.uri("/slow");
    let other = client.clone();
    let cancelled = tokio::spawn(async move { get(&other, &uri).await.map(|_| ()) });
    until(|| client.stats().first().is_some_and(|s| s.in_use == 1)).await;
    cancelled.abort();
    assert!(cancelled.await.unwrap_err().is_cancelled());
    get(&client, &origin.uri("/")).await.unwrap();
    assert_eq!((origin.accepted(), stats(&client).open), (1, 1));
    drop(slow);
}

#[tokio::test]
async fn the_requests_own_host_becomes_the_authority() {
    use tower::ServiceExt;
    let ((origin, _slow), client) = (origin().await, client(1, 1));
    let request =
        Request::get(origin.uri("/")).header("host", "shop.example").body(Body::empty()).unwrap();
    let response = client.oneshot(request).await.unwrap();
    assert_eq!(response.headers()["x-host"], "shop.example");
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let ((origin, _slow), client) = (origin().await, client(1, 1));
    text(get(&client, &origin.uri("/")).await.unwrap()).await;
    assert_eq!(stats(&client).open, 1);
    tokio::time::pause();
    tokio::time::sleep(Config::default().idle_timeout * 2).await;
    assert_eq!(stats(&client).open, 0);
}

#[tokio::test]
async fn an_origin_without_http_2_is_an_error() {
    let origin = Origin::sockets(|mut socket, _| async move {
        read_head(&mut socket).await;
    })
    .await;
    let error = get(&client(1, 1), &origin.uri("/")).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unanswered | ErrorKind::Connect));
}

#[tokio::test]
async fn an_origin_that_went_away_is_connected_to_again() {
    let (die, dying) = tokio::sync::watch::channel(false);
    let origin = Origin::sockets(move |socket, number| {
        let mut dying = dying.clone();
        async move {
            let served = serve(socket, std::sync::Arc::new(tokio::sync::Semaphore::new(0)));
            tokio::select! {
                () = served => {}
                // Without a GOAWAY.
                _ = dying.wait_for(|now| *now && number == 0) => {}
            }
        }
    })
    .await;
    let client = client(1, 100);
    text(get(&client, &origin.uri("/")).await.unwrap()).await;
    die.send(true).unwrap();
    while origin.accepted() == 1 {
        // A request may meet the old connection before its end is seen; then the error says so.
        if let Err(error) = get(&client, &origin.uri("/")).await {
            assert!(error.is_reused_connection(), "{error}");
        }
    }
    assert_eq!(stats(&client).open, 1);
    get(&client, &origin.uri("/")).await.unwrap();
}
