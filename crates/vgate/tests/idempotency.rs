//! Idempotent replay through a running gateway.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod fixture;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fixture::{Answer, Gateway, Origin, ask, vgate};

/// An origin that numbers its answers, each after a while.
fn orders(pause: Duration) -> Origin {
    let number = Arc::new(AtomicUsize::new(0));
    Origin::start(move |head, stream| {
        let length = head.to_ascii_lowercase();
        let length = length.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        let mut content = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        stream.read_exact(&mut content).unwrap();
        let number = number.fetch_add(1, Ordering::SeqCst) + 1;
        thread::sleep(pause);
        let answer = format!(
            "HTTP/1.1 201 Created\r\nLocation: /orders/{number}\r\nContent-Length: 1\r\n\r\n{number}"
        );
        let _ = stream.write_all(answer.as_bytes());
    })
}

fn request(key: &str, content: &str) -> String {
    format!(
        "POST /orders HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{key}Content-Length: {}\r\n\r\n{content}",
        content.len()
    )
}

fn post(address: SocketAddr, key: &str, content: &str) -> Answer {
    ask(address, &request(&format!("Idempotency-Key: \"{key}\"\r\n"), content))
}

#[test]
fn a_retry_is_answered_and_not_carried_out() {
    let origin = orders(Duration::ZERO);
    let config = origin.config("idempotency = { required = true }\nname = \"orders\"");
    let gateway = Gateway::start(&format!("{config}[log]\naccess = \"off\"\n"));
    let first = post(gateway.address, "k", "tea");
    assert_eq!((first.status, first.text().as_str()), (201, "1"));
    let again = post(gateway.address, "k", "tea");
    assert_eq!((again.status, again.text().as_str()), (201, "1"));
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.header("location"), "/orders/1");
    assert_eq!(post(gateway.address, "k", "coffee").status, 422);
    let missing = ask(gateway.address, &request("", "tea"));
    assert_eq!((missing.status, missing.header("content-type")), (400, "application/problem+json"));
    assert_eq!(origin.count.load(Ordering::SeqCst), 1);
    let status = gateway.admin("/api/status").text();
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let figures = &status["idempotency"]["orders"];
    assert_eq!((&figures["ran"], &figures["replayed"]), (&1.into(), &1.into()));
    let metrics = gateway.admin("/metrics").text();
    let line = "vcache_idempotency_requests_total{name=\"orders\",outcome=\"replayed\"} 1";
    assert!(metrics.contains(line), "{metrics}");
    // A reload that leaves the settings as they are keeps what was answered.
    gateway.reload(&format!("{config}[log]\naccess = \"off\"\nlevel = \"info\"\n"));
    let deadline = Instant::now() + Duration::from_secs(30);
    while !gateway.admin("/api/status").text().contains("\"reloads\": 1") {
        assert!(Instant::now() < deadline, "no reload");
    }
    assert_eq!(post(gateway.address, "k", "tea").text(), "1");
}

#[test]
fn a_client_that_hangs_up_gets_its_answer_later() {
    let origin = orders(Duration::from_millis(300));
    let gateway = Gateway::start(&origin.config("idempotency = {}"));
    let mut first = TcpStream::connect(gateway.address).unwrap();
    first.write_all(request("Idempotency-Key: k\r\n", "tea").as_bytes()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while origin.count.load(Ordering::SeqCst) == 0 {
        assert!(Instant::now() < deadline, "the origin was not asked");
    }
    drop(first);
    let again = post(gateway.address, "k", "tea");
    assert_eq!((again.text().as_str(), again.header("idempotency-replayed")), ("1", "true"));
    assert_eq!(origin.count.load(Ordering::SeqCst), 1);
}

/// A Redis of the test's own, killed when dropped.
struct Redis(Child, u16);

impl Redis {
    fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let server = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string()])
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("no redis-server ({error}): apt-get install redis-server")
            });
        let redis = Self(server, port);
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "redis-server does not listen");
        }
        redis
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn two_gateways_on_one_redis_carry_it_out_once() {
    let (redis, origin) = (Redis::start(), orders(Duration::from_millis(200)));
    let url = format!("redis://127.0.0.1:{}", redis.1);
    let route = format!("idempotency = {{ redis = {{ url = \"{url}\", timeout = \"5s\" }} }}");
    let gateways = [(), ()].map(|()| Gateway::start(&origin.config(&route)));
    let addresses = gateways.each_ref().map(|gateway| gateway.address);
    let all: Vec<_> = (0..10)
        .map(|number: usize| thread::spawn(move || post(addresses[number % 2], "k", "tea")))
        .collect();
    for one in all {
        let answer = one.join().unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (201, "1"), "{answer:?}");
    }
    assert_eq!(origin.count.load(Ordering::SeqCst), 1);
    drop(redis);
    assert_eq!(post(gateways[0].address, "k", "tea").status, 503);
}

#[test]
fn a_drain_waits_for_a_request_whose_client_has_left() {
    let (redis, go) = (Redis::start(), Arc::new(AtomicUsize::new(0)));
    let hold = Arc::clone(&go);
    let origin = Origin::start(move |_, stream| {
        let mut content = [0; 3];
        stream.read_exact(&mut content).unwrap();
        while hold.load(Ordering::SeqCst) == 0 {
            thread::park_timeout(Duration::from_millis(1));
        }
        let _ = stream.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\n1");
    });
    let url = format!("redis://127.0.0.1:{}", redis.1);
    let route = format!(
        "name = \"orders\"\nidempotency = {{ redis = {{ url = \"{url}\", timeout = \"5s\" }} }}"
    );
    let mut gateway = Gateway::start(&origin.config(&route));
    let mut first = TcpStream::connect(gateway.address).unwrap();
    first.write_all(request("Idempotency-Key: k\r\n", "tea").as_bytes()).unwrap();
    let status = |gateway: &Gateway, what: &str| -> serde_json::Value {
        let status = gateway.admin("/api/status").text();
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        status.pointer(what).cloned().unwrap()
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while origin.count.load(Ordering::SeqCst) == 0 {
        assert!(Instant::now() < deadline, "the origin was not asked");
    }
    drop(first);
    gateway.signal("TERM");
    gateway.wait_for("draining");
    while status(&gateway, "/connections/open") != 0 {
        assert!(Instant::now() < deadline, "the client has not left");
    }
    // Nobody is connected any more, and it is still there for this one.
    assert_eq!(status(&gateway, "/idempotency/orders/running"), 1);
    go.store(1, Ordering::SeqCst);
    assert_eq!(gateway.wait().code(), Some(0));
    let other = Gateway::start(&origin.config(&route));
    let again = post(other.address, "k", "tea");
    assert_eq!((again.text().as_str(), again.header("idempotency-replayed")), ("1", "true"));
    assert_eq!(origin.count.load(Ordering::SeqCst), 1);
}

#[test]
fn a_mistake_in_the_settings_is_found_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vgate.toml");
    let origin = orders(Duration::ZERO);
    let config = origin.config("idempotency = { caller = [\"a b\"] }");
    std::fs::write(&file, config).unwrap();
    let out = vgate().args(["check", "--config"]).arg(&file).output().unwrap();
    let text = String::from_utf8(out.stderr).unwrap();
    assert!(!out.status.success());
    assert!(text.contains("`a b`") && text.contains("1 mistake"), "{text}");
}
