//! What an operator sees: admin listener, reload, drain.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod fixture;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use fixture::{Gateway, Origin, ask, vgate};

#[test]
fn the_admin_listener_tells_what_is_going_on() {
    let origin = Origin::fixed("Cache-Control: max-age=60\r\n", "x");
    let gateway = Gateway::start(&format!("{}[caches.main]\n", origin.config("cache = \"main\"")));
    gateway.get("/");
    gateway.get("/");
    assert_eq!(gateway.admin("/live").status, 200);
    assert_eq!(gateway.admin("/ready").status, 200);
    assert_eq!(gateway.admin("/health").status, 200);
    let metrics = gateway.admin("/metrics").text();
    for name in ["http_requests_total{", "process_resident_memory_bytes", "vcache_"] {
        assert!(metrics.contains(name), "{name} in\n{metrics}");
    }
    let status: serde_json::Value =
        serde_json::from_str(&gateway.admin("/api/status").text()).unwrap();
    assert_eq!(status["upstreams"]["app"]["endpoints"][0]["healthy"], true);
    let cache = &status["caches"]["main"];
    assert_eq!((&cache["hits"], &cache["memory"]["hits"]), (&1.into(), &1.into()));
    assert_eq!(cache["memory"]["left"]["room"], 0);
    // Of a hit and a miss of one key, all sizes would have had the same.
    let points = cache["curve"]["points"].as_array().unwrap();
    assert_eq!(points.len(), 5);
    assert!(points.iter().all(|point| point["hit_ratio"] == cache["memory"]["hit_ratio"]));
    assert_eq!(status["routes"][0]["upstream"], "app");
    assert_eq!(status["config"]["hash"].as_str().unwrap().len(), 16);
    assert_eq!(gateway.admin("/nowhere").status, 404);
}

#[test]
fn a_page_of_another_site_cannot_ask_the_admin_listener() {
    let origin = Origin::fixed("", "x");
    let gateway = Gateway::start(&origin.config(""));
    let foreign = "GET /api/status HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    assert_eq!(ask(gateway.admin, foreign).status, 403);
}

#[test]
fn a_good_file_is_swapped_in_and_a_bad_one_changes_nothing() {
    let (first, second) = (Origin::fixed("", "first"), Origin::fixed("", "second"));
    let mut gateway = Gateway::start(&first.config(""));
    assert_eq!(gateway.get("/").text(), "first");
    gateway.reload("[upstreams.app]\nendpoints = [3]\n");
    gateway.wait_for("reload refused");
    assert_eq!(gateway.get("/").text(), "first");
    gateway.reload(&second.config(""));
    gateway.wait_for("reloaded");
    assert_eq!(gateway.get("/").text(), "second");
    let status: serde_json::Value =
        serde_json::from_str(&gateway.admin("/api/status").text()).unwrap();
    assert_eq!(status["config"]["reloads"], 1);
    assert_eq!(status["config"]["failed_reloads"], 1);
}

#[test]
fn a_reload_keeps_what_did_not_change() {
    let origin = Origin::fixed("Cache-Control: max-age=60\r\n", "x");
    let config = format!("{}[caches.main]\n", origin.config("cache = \"main\""));
    let mut gateway = Gateway::start(&config);
    gateway.get("/");
    gateway.reload(&format!("{config}[log]\nlevel = \"info\"\n"));
    gateway.wait_for("reloaded");
    assert!(gateway.get("/").header("cache-status").contains("hit"));
}

#[test]
fn a_cache_of_another_size_keeps_what_it_holds() {
    let origin = Origin::fixed("Cache-Control: max-age=60\r\n", "x");
    let config = format!("{}[caches.main]\n", origin.config("cache = \"main\""));
    let mut gateway = Gateway::start(&config);
    gateway.get("/");
    let hit = |gateway: &Gateway| gateway.get("/").header("cache-status").contains("hit");
    // The last one holds less than the largest answer.
    for (size, said) in [("512MiB", "reloaded"), ("64MiB", "reloaded"), ("1KiB", "reload refused")]
    {
        gateway.reload(&format!("{config}max_size = \"{size}\"\n"));
        gateway.wait_for(said);
        assert!(hit(&gateway), "{size}");
    }
    let status: serde_json::Value =
        serde_json::from_str(&gateway.admin("/api/status").text()).unwrap();
    assert_eq!(status["caches"]["main"]["max_bytes"], 64 << 20);
    // Any other setting makes another cache.
    gateway.reload(&format!("{config}default_ttl = \"5s\"\n"));
    gateway.wait_for("reloaded");
    assert!(!hit(&gateway));
}

#[test]
fn load_with_reloads_and_a_drain_at_the_end_fails_no_request() {
    let origin = Origin::fixed("", "steady");
    let config = origin.config("");
    let mut gateway = Gateway::start(&config);
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let address = gateway.address;
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (stop, done) = (stop.clone(), done.clone());
            thread::spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                while !stop.load(Ordering::SeqCst) {
                    stream.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
                    read_answer(&mut stream);
                    done.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for round in 0..5 {
        let before = done.load(Ordering::SeqCst);
        gateway.reload(&format!("{config}# {round}\n"));
        gateway.wait_for("reloaded");
        while done.load(Ordering::SeqCst) < before + 50 {
            thread::yield_now();
        }
    }
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.join().unwrap();
    }
    gateway.signal("TERM");
    assert_eq!(gateway.wait().code(), Some(0));
}

fn read_answer(stream: &mut TcpStream) {
    let mut bytes = Vec::new();
    let mut chunk = [0; 1024];
    while !bytes.ends_with(b"\r\n\r\nsteady") {
        let read = stream.read(&mut chunk).unwrap();
        assert!(read > 0, "the connection was cut: {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&chunk[..read]);
    }
    assert!(bytes.starts_with(b"HTTP/1.1 200 OK\r\n"));
}

#[test]
fn a_reload_with_other_workers_goes_on_with_those_there_are() {
    let origin = Origin::fixed("", "served");
    let with = |workers| format!("{}[server]\nworkers = {workers}\n", origin.config(""));
    let mut gateway = Gateway::start(&with(2));
    for workers in [1, 4] {
        gateway.reload(&with(workers));
        gateway.wait_for("takes effect at the next start");
        gateway.wait_for("reloaded");
        for _ in 0..20 {
            assert_eq!(gateway.get("/").text(), "served");
        }
    }
}

#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    let origin = Origin::fixed("", "served");
    let mut gateway = Gateway::start(&origin.config(""));
    gateway.stop_reading_the_log();
    for config in ["wrong =", "", "also wrong", ""] {
        let before = reloads(&gateway);
        gateway.reload(&format!("{}{config}\n", origin.config("")));
        while reloads(&gateway) == before {
            thread::yield_now();
        }
        assert_eq!(gateway.get("/").text(), "served");
    }
}

fn reloads(gateway: &Gateway) -> u64 {
    let status = gateway.admin("/api/status").text();
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let count = |key: &str| status["config"][key].as_u64().unwrap();
    count("reloads") + count("failed_reloads")
}

#[test]
fn a_websocket_outlives_a_reload() {
    let origin = Origin::start(|head, stream| {
        assert!(head.to_ascii_lowercase().contains("upgrade: websocket"), "{head}");
        let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\
                      Upgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n";
        stream.write_all(answer.as_bytes()).unwrap();
        let mut byte = [0];
        while stream.read(&mut byte).is_ok_and(|read| read == 1) {
            stream.write_all(&byte).unwrap();
        }
    });
    let config = origin.config("");
    let mut gateway = Gateway::start(&config);
    let mut socket = TcpStream::connect(gateway.address).unwrap();
    let upgrade = "GET / HTTP/1.1\r\nHost: test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n\r\n";
    socket.write_all(upgrade.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    let mut echo = |text: &[u8; 4]| {
        socket.write_all(text).unwrap();
        let mut back = [0; 4];
        socket.read_exact(&mut back).unwrap();
        assert_eq!(&back, text);
    };
    echo(b"one.");
    gateway.reload(&format!("{config}# changed\n"));
    gateway.wait_for("reloaded");
    echo(b"two.");
}

#[test]
fn a_request_under_way_finishes_after_sigterm() {
    let (asked, go) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (asked_in, go_in) = (asked.clone(), go.clone());
    let origin = Origin::start(move |_, stream| {
        asked_in.store(true, Ordering::SeqCst);
        while !go_in.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate");
    });
    let mut gateway = Gateway::start(&origin.config(""));
    let address = gateway.address;
    let client = thread::spawn(move || {
        ask(address, "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
    });
    while !asked.load(Ordering::SeqCst) {
        thread::yield_now();
    }
    gateway.signal("TERM");
    gateway.wait_for("draining");
    assert_eq!(gateway.admin("/ready").status, 503);
    go.store(true, Ordering::SeqCst);
    assert_eq!(client.join().unwrap().text(), "late");
    assert_eq!(gateway.wait().code(), Some(0));
}

#[test]
fn a_port_in_use_says_so_and_ends_with_3() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let output = vgate()
        .args(["proxy", "--to", "localhost:1", "--admin", "127.0.0.1:0", "--listen"])
        .arg(format!("127.0.0.1:{port}"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains(&port.to_string()) && text.contains("in use"), "{text}");
}

#[test]
fn a_missing_certificate_says_which_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vgate.toml");
    let config = "[[listeners]]\nlisten = \"127.0.0.1:0\"\n\
                  tls = { cert = \"gone.pem\", key = \"gone.key\" }\n\
                  [admin]\nenabled = false\n[upstreams.app]\nendpoints = [\"localhost:1\"]\n";
    std::fs::write(&file, config).unwrap();
    let output = vgate().args(["run", "--config"]).arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("gone.pem") && text.contains("vgate.toml:3:"), "{text}");
}
