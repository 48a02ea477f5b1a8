//! Every bound of the client holds, and says so when it is reached.

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

use origin::{After, Origin, get, stats, text, until};
use tokio::net::TcpListener;
use vpool::http::{Client, Config, ErrorKind};

fn client(max_connections: usize, max_waiting: usize) -> Client {
    Client::new(Config { max_connections, max_waiting, ..Config::default() }).unwrap()
}

/// Answers with a body whose end the test decides about by reading it.
async fn origin() -> Origin {
    Origin::raw(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", After::Again).await
}

#[tokio::test]
async fn whoever_waits_gets_the_connection_that_becomes_free() {
    let (origin, client) = (origin().await, client(1, 10));
    let first = get(&client, &origin.uri("/")).await.unwrap();
    let (other, uri) = (client.clone(), origin.uri("/"));
    let second = tokio::spawn(async move { text(get(&other, &uri).await.unwrap()).await });
    until(|| stats(&client).waiting == 1).await;
    text(first).await;
    assert_eq!(second.await.unwrap(), "ok");
    assert_eq!(origin.accepted(), 1);
}

#[tokio::test]
async fn whoever_waits_gets_the_place_of_a_connection_that_ends() {
    let (origin, client) = (origin().await, client(1, 10));
    let first = get(&client, &origin.uri("/")).await.unwrap();
    let (other, uri) = (client.clone(), origin.uri("/"));
    let second = tokio::spawn(async move { text(get(&other, &uri).await.unwrap()).await });
    until(|| stats(&client).waiting == 1).await;
    drop(first);
    assert_eq!(second.await.unwrap(), "ok");
    assert_eq!(origin.accepted(), 2);
}

#[tokio::test]
async fn waiting_has_an_end() {
    let (origin, client) = (origin().await, client(1, 10));
    let _first = get(&client, &origin.uri("/")).await.unwrap();
    tokio::time::pause();
    let error = get(&client, &origin.uri("/")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WaitTimeout);
    assert!(error.is_timeout() && error.is_busy() && error.is_unprocessed());
    assert_eq!(stats(&client).waiting, 0);
}

#[tokio::test]
async fn so_many_wait_and_no_more() {
    let (origin, client) = (origin().await, client(1, 1));
    let first = get(&client, &origin.uri("/")).await.unwrap();
    let (other, uri) = (client.clone(), origin.uri("/"));
    let second = tokio::spawn(async move { get(&other, &uri).await.map(|_| ()) });
    until(|| stats(&client).waiting == 1).await;
    let error = get(&client, &origin.uri("/")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    // One that gives up leaves its place in the queue.
    second.abort();
    assert!(second.await.unwrap_err().is_cancelled());
    assert_eq!(stats(&client).waiting, 0);
    text(first).await;
    get(&client, &origin.uri("/")).await.unwrap();
}

#[tokio::test]
async fn a_hundred_at_once_share_four_connections() {
    let (origin, client) = (origin().await, client(4, 1000));
    let uri = origin.uri("/");
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (client, uri) = (client.clone(), uri.clone());
        tasks.spawn(async move { text(get(&client, &uri).await.unwrap()).await });
    }
    let bodies = tasks.join_all().await;
    assert!(bodies.iter().all(|body| body == "ok"));
    assert_eq!(origin.accepted(), 4);
    let stats = stats(&client);
    assert_eq!((stats.open, stats.idle, stats.waiting), (4, 4, 0));
    assert_eq!(stats.created + stats.reused, 100);
}

#[tokio::test]
async fn a_quiet_origin_makes_room_for_another() {
    let (a, b) = (origin().await, origin().await);
    let client = Client::new(Config { max_origins: 1, ..Config::default() }).unwrap();
    text(get(&client, &a.uri("/")).await.unwrap()).await;
    let busy = get(&client, &b.uri("/")).await.unwrap();
    assert_eq!(stats(&client).origin.port(), b.addr.port());
    // The other one has traffic now, so it stays.
    let error = get(&client, &a.uri("/")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    text(busy).await;
    text(get(&client, &a.uri("/")).await.unwrap()).await;
}

#[tokio::test]
async fn a_connection_that_nobody_accepts_times_out() {
    // A full backlog: the kernel answers no further SYN.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener: TcpListener = socket.listen(0).unwrap();
    let addr = listener.local_addr().unwrap();
    let mut held = Vec::new();
    let short = Duration::from_millis(200);
    while let Ok(Ok(socket)) =
        tokio::time::timeout(short, tokio::net::TcpStream::connect(addr)).await
    {
        held.push(socket);
    }
    let client = Client::new(Config { connect_timeout: short, ..Config::default() }).unwrap();
    let error = get(&client, &format!("http://{addr}/")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectTimeout);
    assert!(error.is_timeout() && error.is_connect());
    let stats = stats(&client);
    assert_eq!((stats.open, stats.connecting, stats.failures), (0, 0, 1));
}
