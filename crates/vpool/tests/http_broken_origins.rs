//! Hostile and broken origins: the right error, and never the wrong bytes.

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

use std::error::Error as _;

use http::{Request, Version};
use http_body_util::BodyExt;
use origin::{After, Origin, get, read_head, reset, stats, text};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower::ServiceExt;
use vhttp::Body;
use vpool::http::{Client, ClientError, Config, ErrorKind};

fn client() -> Client {
    Client::new(Config::default()).unwrap()
}

async fn error_of(answer: &'static [u8], after: After) -> ClientError {
    let origin = Origin::raw(answer, after).await;
    let client = client();
    let error = get(&client, &origin.uri("/")).await.unwrap_err();
    assert_eq!(stats(&client).open, 0, "the connection must not stay");
    assert!(!error.is_reused_connection());
    assert_eq!(error.origin().unwrap().port(), origin.addr.port());
    error
}

#[tokio::test]
async fn what_is_no_response_head_is_an_error() {
    for answer in [
        &b"garbage\r\n\r\n"[..],
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 20000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: a\r\n b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx : a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: cut sho",
        b"<html>HTTP/0.9</html>",
    ] {
        let error = error_of(answer, After::Close).await;
        assert_eq!(error.kind(), ErrorKind::Answer, "{}", answer.escape_ascii());
        assert!(!error.is_closed_before_answer() && !error.is_unprocessed());
        assert!(error.source().is_some());
    }
}

#[tokio::test]
async fn a_101_that_nobody_asked_for_is_an_error() {
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n";
    let error = error_of(answer, After::Hold).await;
    assert_eq!(error.kind(), ErrorKind::Answer);
}

#[tokio::test]
async fn no_answer_at_all_is_told_from_a_bad_one() {
    for after in [After::Close, After::Reset] {
        let error = error_of(b"", after).await;
        assert_eq!(error.kind(), ErrorKind::Unanswered);
        assert!(error.is_closed_before_answer() && !error.is_unprocessed());
    }
}

#[tokio::test]
async fn a_reused_connection_that_dies_unanswered_says_so() {
    let origin = Origin::sockets(|mut socket, _| async move {
        read_head(&mut socket).await.unwrap();
        let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
        socket.write_all(answer).await.unwrap();
        // Reads the second request and dies.
        read_head(&mut socket).await;
        reset(&socket);
    })
    .await;
    let client = client();
    get(&client, &origin.uri("/")).await.unwrap();
    let error = get(&client, &origin.uri("/")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unanswered);
    assert!(error.is_reused_connection());
    assert_eq!(origin.accepted(), 1);
}

#[tokio::test]
async fn heads_over_the_limits_are_errors() {
    let field = format!("x: {}\r\n", "a".repeat(70 * 1024));
    let many = "x: a\r\n".repeat(101);
    for fields in [field, many] {
        let head: &'static str = format!("HTTP/1.1 200 OK\r\n{fields}\r\n").leak();
        let error = error_of(head.as_bytes(), After::Hold).await;
        assert_eq!(error.kind(), ErrorKind::Answer);
    }
}

#[tokio::test]
async fn a_body_cut_short_is_an_error_and_the_end() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n123"[..],
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n123",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n123\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff0\r\n123\r\n",
    ] {
        let origin = Origin::raw(answer, After::Close).await;
        let client = client();
        let response = get(&client, &origin.uri("/")).await.unwrap();
        assert!(response.into_body().collect().await.is_err(), "{}", answer.escape_ascii());
        assert_eq!(stats(&client).open, 0);
    }
}

#[tokio::test]
async fn a_body_that_ends_with_the_connection_is_delivered() {
    let origin = Origin::raw(b"HTTP/1.1 200 OK\r\n\r\nall of it", After::Close).await;
    let client = client();
    let response = get(&client, &origin.uri("/")).await.unwrap();
    assert_eq!(text(response).await, "all of it");
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let error = get(&client(), &format!("http://{addr}/")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.is_connect() && error.is_unprocessed() && !error.is_timeout());
    assert_eq!(error.to_string(), format!("could not connect (http://{addr})"));
    assert!(error.source().unwrap().is::<std::io::Error>());
}

#[tokio::test]
async fn a_name_that_does_not_exist_cannot_be_connected_to() {
    let error = get(&client(), "http://does-not-exist.invalid/").await.unwrap_err();
    assert!(error.is_connect());
}

#[tokio::test]
async fn requests_that_no_pool_can_send_are_refused() {
    for request in [
        Request::get("/path").body(Body::empty()),
        Request::get("ftp://host/").body(Body::empty()),
        Request::connect("host:80").body(Body::empty()),
    ] {
        let error = client().oneshot(request.unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Request);
    }
}

#[tokio::test]
async fn a_request_body_that_fails_is_the_callers_fault() {
    let origin = Origin::sockets(|mut socket, _| async move {
        let mut all = Vec::new();
        let _ = socket.read_to_end(&mut all).await;
    })
    .await;
    let frames = tokio_stream::iter([
        Ok(http_body::Frame::data(bytes::Bytes::from("first"))),
        Err(std::io::Error::other("the client went away")),
    ]);
    let request =
        Request::post(origin.uri("/")).body(http_body_util::StreamBody::new(frames)).unwrap();
    let error = client().oneshot(request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Upload);
}

#[tokio::test]
async fn requests_are_sent_as_http_1_1_whatever_came_in() {
    let origin = Origin::sockets(|mut socket, _| async move {
        let head = read_head(&mut socket).await.unwrap();
        let ok = head.starts_with("GET /x HTTP/1.1\r\n");
        let answer = if ok { "204 Fine" } else { "500 Wrong" };
        let answer = format!("HTTP/1.1 {answer}\r\n\r\n");
        socket.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    for version in [Version::HTTP_10, Version::HTTP_2] {
        let request = Request::get(origin.uri("/x")).version(version).body(Body::empty()).unwrap();
        assert_eq!(client().oneshot(request).await.unwrap().status(), 204);
    }
}
