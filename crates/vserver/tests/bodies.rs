//! Neither a request's body that does not come nor a response's that is not taken is waited for.
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

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use fixture::{LONG, Serving, app, config, raw, serve, until};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use vhttp::{Body, BodyError};
use vserver::Config;

const SOON: Duration = Duration::from_millis(20);

fn is_timeout(error: &BodyError) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

/// Reads the body; says how long it was and how it came, or 408.
fn reading() -> fixture::App {
    app(|request: Request<Body>| async move {
        let boxed = format!("{:?}", request.body()).contains("boxed");
        let mut body = request.into_body();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => length += frame.into_data().unwrap().len(),
                Err(error) => {
                    assert!(is_timeout(&error), "{error:?}");
                    assert!(body.frame().await.is_none());
                    let mut response = Response::new(Body::from("late"));
                    *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
                    return response;
                }
            }
        }
        Response::new(Body::from(format!("{length} bytes, boxed: {boxed}")))
    })
}

/// A body of what is sent to it.
struct Feed(mpsc::UnboundedReceiver<Bytes>);

impl http_body::Body for Feed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.0.poll_recv(cx).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}

fn feed() -> (mpsc::UnboundedSender<Bytes>, Body) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (sender, Body::new(Feed(receiver)))
}

async fn client(server: &Serving) -> http2::SendRequest<Body> {
    let stream = TcpStream::connect(server.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let io = TokioIo::new(stream);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    // The window that RFC 9113 §6.9.2 gives; hyper's own is far larger.
    let (sender, connection) =
        builder.initial_stream_window_size(65_535).handshake(io).await.unwrap();
    tokio::spawn(connection);
    sender
}

#[tokio::test]
async fn an_http1_body_that_stops_ends_with_an_error_and_the_connection() {
    let server = serve(Config { body_read_timeout: SOON, ..config() }, reading(), LONG);
    for framing in ["content-length: 10\r\n\r\nhel", "transfer-encoding: chunked\r\n\r\n3\r\nhel"] {
        // It reads until the server closes.
        let request = format!("POST / HTTP/1.1\r\nhost: h\r\n{framing}");
        let answer = raw(server.address, &request).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.ends_with("late"), "{answer}");
    }
    assert_eq!(server.running.monitor().stats().errors, 2);
}

#[tokio::test]
async fn an_http2_body_that_stops_ends_its_stream_only() {
    // Long enough for a body that does come, on a busy machine too.
    let limit = Duration::from_millis(500);
    let server = serve(Config { body_read_timeout: limit, ..config() }, reading(), LONG);
    let mut sender = client(&server).await;
    let (_open, silent) = feed();
    let request = Request::post("http://h.example/").body(silent).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(server.running.monitor().stats().errors, 1);

    let request = Request::post("http://h.example/").body(Body::from("hello")).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let said = response.collect().await.unwrap().to_bytes();
    assert_eq!(said, "5 bytes, boxed: true");
}

#[tokio::test]
async fn an_http2_stream_whose_client_takes_nothing_is_reset() {
    let (sources, mut opened) = mpsc::unbounded_channel();
    let large = app(move |request: Request<Body>| {
        if request.uri().path() == "/small" {
            return std::future::ready(Response::new(Body::from("small")));
        }
        let (source, body) = feed();
        // More than the window and our own buffer take.
        for _ in 0..8 {
            source.send(Bytes::from(vec![b'x'; 100_000])).unwrap();
        }
        sources.send(source).unwrap();
        std::future::ready(Response::new(body))
    });
    let server = serve(Config { write_stall_timeout: SOON, ..config() }, large, LONG);
    let mut sender = client(&server).await;
    let get =
        |path: &str| Request::get(format!("http://h.example{path}")).body(Body::empty()).unwrap();
    let shut = sender.send_request(get("/large")).await.unwrap();
    // The body is given up, and with it what it is read from.
    let source = opened.recv().await.unwrap();
    tokio::time::timeout(LONG, source.closed()).await.unwrap();
    until(|| server.running.monitor().stats().errors == 1).await;
    assert!(shut.into_body().collect().await.is_err());
    // The connection goes on.
    let small = sender.send_request(get("/small")).await.unwrap();
    assert_eq!(small.collect().await.unwrap().to_bytes(), "small");
}

#[tokio::test]
async fn a_request_without_a_body_pays_nothing_for_the_limit() {
    let server = serve(config(), reading(), LONG);
    let request = "GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
    let answer = raw(server.address, request).await;
    assert!(answer.ends_with("0 bytes, boxed: false"), "{answer}");
}
