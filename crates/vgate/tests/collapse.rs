//! Concurrent misses through a running gateway: one request to the origin, and everybody reads its
//! answer while it arrives, over HTTP/1.1 and HTTP/2.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod fixture;

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fixture::{Gateway, Origin};
use http::Request;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);

/// An origin that sends the first half of its body at once, and the second when it is told to.
fn halves(fields: &'static str, ending: &'static str) -> (Origin, Sender<()>) {
    let (go, wait): (Sender<()>, Receiver<()>) = channel();
    let wait = Mutex::new(wait);
    let origin = Origin::start(move |_, stream| {
        let head = format!("HTTP/1.1 200 OK\r\n{fields}Transfer-Encoding: chunked\r\n\r\n");
        let _ = stream.write_all(format!("{head}5\r\nfirst\r\n").as_bytes());
        let _ = wait.lock().unwrap().recv_timeout(PATIENCE);
        let _ = stream.write_all(ending.as_bytes());
        if !ending.ends_with("0\r\n\r\n") {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    });
    (origin, go)
}

const WHOLE: &str = "6\r\nsecond\r\n0\r\n\r\n";
const FRESH: &str = "Cache-Control: max-age=60\r\nETag: \"1\"\r\n";

fn gateway(origin: &Origin) -> Gateway {
    Gateway::start(&format!("{}[caches.main]\n", origin.config("cache = \"main\"")))
}

/// A request on a connection of its own, of which some has been read.
struct Reading {
    stream: TcpStream,
    text: String,
}

impl Reading {
    async fn start(gateway: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(gateway).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        Self { stream, text: String::new() }
    }

    async fn until(&mut self, words: &str) {
        let mut bytes = [0; 4096];
        while !self.text.contains(words) {
            let read = timeout(PATIENCE, self.stream.read(&mut bytes)).await.unwrap().unwrap();
            assert!(read > 0, "`{words}` did not come: {}", self.text);
            self.text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        }
    }

    async fn rest(mut self) -> String {
        let mut bytes = Vec::new();
        let _ = timeout(PATIENCE, self.stream.read_to_end(&mut bytes)).await.unwrap();
        self.text + std::str::from_utf8(&bytes).unwrap()
    }
}

/// Whether the reader has the first half, and later the whole; both protocols alike.
async fn read_over_http1(gateway: SocketAddr, first: tokio::sync::mpsc::Sender<()>) {
    let mut reading = Reading::start(gateway).await;
    reading.until("first").await;
    first.send(()).await.unwrap();
    let text = reading.rest().await;
    assert!(text.contains("second") && text.ends_with("0\r\n\r\n"), "{text}");
}

async fn read_over_http2(
    mut connection: h2::client::SendRequest<Bytes>,
    first: tokio::sync::mpsc::Sender<()>,
) {
    let request = Request::get("http://test/").body(()).unwrap();
    let (response, _) = connection.send_request(request, true).unwrap();
    let mut body = timeout(PATIENCE, response).await.unwrap().unwrap().into_body();
    let mut text = Vec::new();
    let mut told = Some(first);
    while let Some(data) = timeout(PATIENCE, body.data()).await.unwrap() {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        text.extend_from_slice(&data);
        if text.len() >= 5
            && let Some(first) = told.take()
        {
            first.send(()).await.unwrap();
        }
    }
    assert_eq!(text, b"firstsecond");
}

async fn http2(gateway: SocketAddr) -> h2::client::SendRequest<Bytes> {
    let stream = TcpStream::connect(gateway).await.unwrap();
    let (send, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async move {
        let _ = connection.await;
    });
    send.ready().await.unwrap()
}

#[tokio::test]
async fn a_thousand_concurrent_misses_are_one_request_and_all_read_it_as_it_arrives() {
    let (origin, go) = halves(FRESH, WHOLE);
    let gateway = gateway(&origin);
    let (first, mut firsts) = tokio::sync::mpsc::channel(1000);
    let mut readers = JoinSet::new();
    for _ in 0..10 {
        let connection = http2(gateway.address).await;
        for _ in 0..50 {
            readers.spawn(read_over_http2(connection.clone(), first.clone()));
        }
        for _ in 0..50 {
            readers.spawn(read_over_http1(gateway.address, first.clone()));
        }
    }
    // Everybody has the first half before the origin has sent the second.
    for reader in 0..1000 {
        let got = timeout(PATIENCE, firsts.recv()).await;
        assert!(got.is_ok(), "{reader} readers got the first half");
    }
    go.send(()).unwrap();
    while let Some(read) = readers.join_next().await {
        read.unwrap();
    }
    assert_eq!(origin.count.load(Ordering::SeqCst), 1);
    let status: serde_json::Value =
        serde_json::from_str(&gateway.admin("/api/status").text()).unwrap();
    assert_eq!(status["caches"]["main"]["collapsed"], 999);
    assert!(gateway.get("/").header("cache-status").contains("hit"));
}

#[tokio::test]
async fn a_client_that_leaves_takes_nothing_away() {
    let (origin, go) = halves(FRESH, WHOLE);
    let gateway = gateway(&origin);
    let mut leader = Reading::start(gateway.address).await;
    leader.until("first").await;
    let mut follower = Reading::start(gateway.address).await;
    follower.until("first").await;
    drop(leader);
    let mut late = Reading::start(gateway.address).await;
    late.until("first").await;
    go.send(()).unwrap();
    for reading in [follower, late] {
        let text = reading.rest().await;
        assert!(text.contains("collapsed") && text.contains("second"), "{text}");
    }
    assert_eq!(origin.count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_breaks_off_breaks_off_for_all_and_is_not_stored() {
    let (origin, go) = halves(FRESH, "6\r\nsec");
    let gateway = gateway(&origin);
    let mut readings = Vec::new();
    for _ in 0..3 {
        let mut reading = Reading::start(gateway.address).await;
        reading.until("first").await;
        readings.push(reading);
    }
    go.send(()).unwrap();
    for reading in readings {
        let text = reading.rest().await;
        assert!(!text.contains("0\r\n\r\n"), "it must not look whole: {text}");
    }
    assert_eq!(origin.count.load(Ordering::SeqCst), 1);
    let again = Reading::start(gateway.address).await;
    go.send(()).unwrap();
    again.rest().await;
    assert_eq!(origin.count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn what_may_not_be_shared_goes_to_the_origin_for_each() {
    let (origin, go) = halves("Cache-Control: private\r\n", WHOLE);
    let gateway = gateway(&origin);
    let mut leader = Reading::start(gateway.address).await;
    leader.until("first").await;
    // The head has come, so that nobody waits for the body.
    let mut others = Vec::new();
    for _ in 0..3 {
        let mut other = Reading::start(gateway.address).await;
        other.until("first").await;
        others.push(other);
    }
    assert_eq!(origin.count.load(Ordering::SeqCst), 4);
    for _ in 0..4 {
        go.send(()).unwrap();
    }
    for reading in others.into_iter().chain([leader]) {
        let text = reading.rest().await;
        assert!(text.contains("second") && !text.contains("collapsed"), "{text}");
    }
}

#[tokio::test]
async fn an_origin_that_closes_without_an_answer_meets_one_request_after_the_other() {
    let (at_once, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let most_seen = Arc::clone(&most);
    let origin = Origin::start(move |_, stream| {
        let now = at_once.fetch_add(1, Ordering::SeqCst) + 1;
        most_seen.fetch_max(now, Ordering::SeqCst);
        // Long enough for a herd to meet, were there one.
        std::thread::park_timeout(Duration::from_millis(50));
        at_once.fetch_sub(1, Ordering::SeqCst);
        let _ = stream.shutdown(std::net::Shutdown::Both);
    });
    let gateway = gateway(&origin);
    let mut readings = Vec::new();
    for _ in 0..30 {
        readings.push(Reading::start(gateway.address).await);
    }
    for reading in readings {
        let text = reading.rest().await;
        assert!(text.starts_with("HTTP/1.1 502"), "{text}");
    }
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn who_comes_after_a_purge_gets_what_was_asked_for_after_it() {
    let (origin, go) = halves(FRESH, WHOLE);
    let gateway = gateway(&origin);
    let mut before = Reading::start(gateway.address).await;
    before.until("first").await;
    assert_eq!(gateway.purge(r#"{"everything": true}"#, "").status, 200);
    let mut after = Reading::start(gateway.address).await;
    after.until("first").await;
    assert!(!after.text.contains("collapsed"));
    assert_eq!(origin.count.load(Ordering::SeqCst), 2);
    go.send(()).unwrap();
    go.send(()).unwrap();
    for reading in [before, after] {
        assert!(reading.rest().await.contains("second"));
    }
    assert!(gateway.get("/").header("cache-status").contains("hit"));
}
