//! A drain finishes what is in flight, closes what is idle, and ends at its deadline.
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

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use fixture::{LONG, app, config, echo, get, http1, http2, serve, until};
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use vhttp::Body;
use vserver::{Config, serve_on};
use vtask::Shutdown;

/// Says on the channel when a request is there, and answers when told to.
fn held(started: mpsc::UnboundedSender<()>, answer: Arc<Notify>) -> fixture::App {
    app(move |_| {
        let (started, answer) = (started.clone(), answer.clone());
        async move {
            started.send(()).unwrap();
            answer.notified().await;
            Response::new(Body::from("late"))
        }
    })
}

#[tokio::test]
async fn what_is_in_flight_finishes_and_what_is_idle_closes() {
    let config = Config { drain_keep_alive: Duration::from_millis(20), ..config() };
    let (started, mut requests) = mpsc::unbounded_channel();
    let answer = Arc::new(Notify::new());
    let mut server = serve(config, held(started, answer.clone()), LONG);

    let mut idle = http1(server.address).await;
    answer.notify_one();
    let response = idle.send_request(get("/")).await.unwrap();
    response.collect().await.unwrap();
    requests.recv().await.unwrap();

    let mut busy = http1(server.address).await;
    let response = tokio::spawn(async move { busy.send_request(get("/")).await });
    requests.recv().await.unwrap();

    server.shutdown.begin();
    // The idle one is told without any request in flight having ended.
    until(|| idle.is_closed()).await;
    answer.notify_one();
    let response = response.await.unwrap().unwrap();
    assert_eq!(response.headers()["connection"], "close");
    assert_eq!(response.collect().await.unwrap().to_bytes(), "late");
    assert_eq!(server.running.join().await.aborted, 0);
    assert!(server.shutdown.finish().await.drained);
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_request_on_its_way_to_an_idle_connection_is_still_answered() {
    let config = Config { drain_keep_alive: LONG, ..config() };
    let (started, mut requests) = mpsc::unbounded_channel();
    let answer = Arc::new(Notify::new());
    let mut server = serve(config, held(started, answer.clone()), LONG);
    let mut idle = http1(server.address).await;
    let mut fresh = http1(server.address).await;
    answer.notify_one();
    idle.send_request(get("/")).await.unwrap().collect().await.unwrap();
    requests.recv().await.unwrap();

    server.shutdown.begin();
    // Nobody new is let in: the drain has reached the server.
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    for connection in [&mut idle, &mut fresh] {
        answer.notify_one();
        connection.ready().await.unwrap();
        let response = connection.send_request(get("/")).await.unwrap();
        assert_eq!(response.headers()["connection"], "close");
        response.collect().await.unwrap();
    }
    assert_eq!(server.running.join().await.aborted, 0);
}

#[tokio::test]
async fn what_is_left_at_the_deadline_is_cut_and_counted() {
    let (started, mut requests) = mpsc::unbounded_channel();
    let never = Arc::new(Notify::new());
    let deadline = Duration::from_millis(20);
    let mut server = serve(config(), held(started, never), deadline);
    let mut one = http1(server.address).await;
    let mut two = http2(server.address).await;
    let first = tokio::spawn(async move { one.send_request(get("/")).await });
    let second = tokio::spawn(async move { two.send_request(get("http://h.example/")).await });
    requests.recv().await.unwrap();
    requests.recv().await.unwrap();

    server.shutdown.begin();
    assert_eq!(server.running.join().await.aborted, 2);
    assert!(first.await.unwrap().is_err());
    assert!(second.await.unwrap().is_err());
    assert_eq!(server.running.monitor().stats().errors, 2);
}

#[tokio::test]
async fn accepting_goes_on_for_the_delay() {
    let config = Config { drain_delay: LONG, ..config() };
    let mut server = serve(config, echo(), LONG * 2);
    server.shutdown.begin();
    let mut sender = http1(server.address).await;
    assert!(sender.send_request(get("/")).await.is_ok());
    drop(sender);
    // The deadline ends the delay too.
    server.shutdown.expire();
    server.running.join().await;
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_dropped_handle_stops_the_server() {
    let server = serve(config(), app(|_| pending()), LONG);
    let mut sender = http1(server.address).await;
    let response = tokio::spawn(async move { sender.send_request(get("/")).await });
    drop(server.running);
    assert!(response.await.unwrap().is_err());
    let report = server.shutdown.finish().await;
    assert!(report.drained);
}

/// Says when it is dropped.
struct Dropped(mpsc::UnboundedSender<&'static str>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_users_runtime_no_request_outlives_the_deadline() {
    let (events, mut seen) = mpsc::unbounded_channel();
    let service = tower::service_fn(move |_: Request<Body>| {
        let guard = Dropped(events.clone());
        async move {
            guard.0.send("started").unwrap();
            pending().await
        }
    });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = Shutdown::new(Duration::from_millis(20));
    let served = tokio::spawn(serve_on(listener, service, config(), shutdown.watch()));
    let mut one = http1(address).await;
    let mut two = http2(address).await;
    let first = tokio::spawn(async move { one.send_request(get("/")).await });
    let second = tokio::spawn(async move { two.send_request(get("http://h.example/")).await });
    assert_eq!(seen.recv().await, Some("started"));
    assert_eq!(seen.recv().await, Some("started"));

    shutdown.begin();
    assert_eq!(served.await.unwrap().unwrap().aborted, 2);
    assert!(first.await.unwrap().is_err());
    assert!(second.await.unwrap().is_err());
    // HTTP/2 requests run in tasks of their own: they end with their connection.
    assert_eq!(seen.recv().await, Some("dropped"));
    assert_eq!(seen.recv().await, Some("dropped"));
}
