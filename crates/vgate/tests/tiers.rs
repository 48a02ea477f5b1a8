//! Caches on disk and in Redis: restarts, and several gateways.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod fixture;
#[path = "fixture/redis.rs"]
mod redis;

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use fixture::{Answer, Gateway, Origin, ask, vgate};
use redis::{Redis, until};
use serde_json::Value;
use tempfile::TempDir;

/// An origin whose pages have tags and a validator; some take their time.
fn site() -> Origin {
    Origin::start(|head, stream| {
        let path = head.split(' ').nth(1).unwrap();
        if path.starts_with("/slow") {
            #[expect(clippy::disallowed_methods, reason = "an origin that takes its time")]
            thread::sleep(Duration::from_millis(300));
        }
        let fields = "Cache-Control: max-age=600\r\nETag: \"1\"\r\nSurrogate-Key: red\r\n";
        let _ = match head.to_ascii_lowercase().contains("if-none-match") {
            true => write!(stream, "HTTP/1.1 304 Not Modified\r\n{fields}\r\n"),
            false => {
                let size = if path.starts_with("/large") { 200_000 } else { 4 };
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n{fields}\r\n");
                stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&vec![b'x'; size]))
            }
        };
    })
}

fn start(origin: &Origin, cache: &str) -> Gateway {
    Gateway::start(&format!("{}[caches.main]\n{cache}\n", origin.config("cache = \"main\"")))
}

fn on_disk(folder: &TempDir) -> String {
    format!(
        "disk = {{ path = \"{}\" }}\ndisk_timeout = \"30s\"",
        folder.path().join("main.sqlite").display()
    )
}

fn in_redis(redis: &Redis) -> String {
    format!("redis = {{ url = \"{}\", timeout = \"1s\" }}\noffline_ttl = \"0s\"", redis.url())
}

fn get(address: SocketAddr, path: &str) -> Answer {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"))
}

fn is_hit(answer: &Answer) -> bool {
    answer.header("cache-status").contains("; hit")
}

fn tiers(gateway: &Gateway) -> Value {
    let status: Value = serde_json::from_str(&gateway.admin("/api/status").text()).unwrap();
    status["caches"]["main"]["tiers"].clone()
}

/// Waits until a gateway knows of the purges of others, or not.
fn in_touch(gateway: &Gateway, is: bool) {
    until("in touch", || tiers(gateway)["in_touch"] == is);
}

fn written(gateway: &Gateway, tier: usize, count: u64) {
    until("written", || tiers(gateway)["tiers"][tier]["written"].as_u64() >= Some(count));
}

#[test]
fn a_gateway_that_is_started_again_answers_from_disk() {
    let (origin, folder) = (site(), TempDir::new().unwrap());
    let mut gateway = start(&origin, &on_disk(&folder));
    for path in ["/a", "/b", "/c"] {
        assert!(!is_hit(&gateway.get(path)));
    }
    gateway.purge(r#"{"url": "http://test/b", "hard": true}"#, "");
    // What waits to be written at the end is written.
    gateway.signal("TERM");
    assert!(gateway.wait().success());
    let asked = origin.count.load(Ordering::SeqCst);

    let gateway = start(&origin, &on_disk(&folder));
    assert!(is_hit(&gateway.get("/a")) && is_hit(&gateway.get("/c")));
    assert_eq!(origin.count.load(Ordering::SeqCst), asked);
    assert!(!is_hit(&gateway.get("/b")), "it was purged");
    assert_eq!(tiers(&gateway)["tiers"][0]["hits"], 2);
    let metrics = gateway.admin("/metrics").text();
    let line = "vcache_http_tier_reads_total{cache=\"Verve-main\",outcome=\"hit\",tier=\"disk\"} 2";
    assert!(metrics.contains(line), "{line} in\n{metrics}");
}

#[test]
fn a_gateway_that_is_killed_while_it_writes_leaves_a_file_of_use() {
    let (origin, folder) = (site(), TempDir::new().unwrap());
    for round in 0..3 {
        let mut gateway = start(&origin, &on_disk(&folder));
        for n in 0..30 {
            gateway.get(&format!("/large/{round}/{n}"));
        }
        // In the midst of it, or not: some are there, and more come.
        written(&gateway, 0, 3);
        gateway.signal("KILL");
        gateway.wait();
    }
    let gateway = start(&origin, &on_disk(&folder));
    let before = origin.count.load(Ordering::SeqCst);
    let mut hits = 0;
    for round in 0..3 {
        for n in 0..30 {
            let answer = gateway.get(&format!("/large/{round}/{n}"));
            assert_eq!((answer.status, answer.body.len()), (200, 200_000));
            hits += usize::from(is_hit(&answer));
        }
    }
    assert!(hits >= 9, "{hits} of 90");
    assert_eq!(origin.count.load(Ordering::SeqCst) - before, 90 - hits);
    assert_eq!(tiers(&gateway)["tiers"][0]["damaged"], 0);
}

#[test]
fn a_file_that_cannot_be_opened_is_told_and_done_without() {
    let (origin, folder) = (site(), TempDir::new().unwrap());
    let path = folder.path().join("none").join("main.sqlite");
    let cache = format!("disk = {{ path = \"{}\" }}", path.display());
    let config = format!("{}[caches.main]\n{cache}\n", origin.config("cache = \"main\""));
    let file = folder.path().join("vgate.toml");
    fs::write(&file, &config).unwrap();
    let check = vgate().args(["check", "-c"]).arg(&file).output().unwrap();
    let told = String::from_utf8(check.stderr).unwrap();
    assert_eq!(check.status.code(), Some(1), "{told}");
    assert!(told.contains("cannot be opened") && told.contains("main.sqlite"), "{told}");

    let mut gateway = start(&origin, &cache);
    assert!(gateway.wait_for("no disk tier").contains("main.sqlite"));
    assert!(!is_hit(&gateway.get("/a")) && is_hit(&gateway.get("/a")));
    assert!(tiers(&gateway)["tiers"][0]["absent"].as_str().unwrap().contains("main.sqlite"));
    let health = gateway.admin("/health").text();
    assert!(health.contains("warn"), "{health}");

    // A folder that is there; and no file is left by looking.
    fs::create_dir(folder.path().join("none")).unwrap();
    assert!(vgate().args(["check", "-c"]).arg(&file).output().unwrap().status.success());
    assert_eq!(fs::read_dir(folder.path().join("none")).unwrap().count(), 0);
    fs::write(&file, config.replace("}\n", ", readers = 0 }\n")).unwrap();
    let check = vgate().args(["check", "-c"]).arg(&file).output().unwrap();
    let told = String::from_utf8(check.stderr).unwrap();
    assert!(told.contains("readers"), "{told}");
}

#[test]
fn what_one_gateway_purges_the_other_does_not_serve() {
    let (origin, redis) = (site(), Redis::start());
    let (one, other) = (start(&origin, &in_redis(&redis)), start(&origin, &in_redis(&redis)));
    in_touch(&one, true);
    in_touch(&other, true);
    for (order, hard) in [
        (r#"{"tag": "red"}"#, false),
        (r#"{"url": "http://test/a", "hard": true}"#, true),
        (r#"{"prefix": "http://test/", "hard": true}"#, true),
        (r#"{"host": "test"}"#, false),
        (r#"{"everything": true, "hard": true}"#, true),
    ] {
        one.get("/a");
        until("the other has it", || is_hit(&other.get("/a")));
        assert_eq!(one.purge(order, "").status, 200);
        let mut first = other.get("/a");
        until("the other asks", || {
            let asked = !is_hit(&first);
            if !asked {
                first = other.get("/a");
            }
            asked
        });
        let expected = if hard { "fwd-status=200" } else { "fwd-status=304" };
        let status = first.header("cache-status");
        assert!(status.contains(expected), "{order}: {status}");
    }
}

#[test]
fn a_miss_of_two_gateways_is_one_request() {
    let (origin, redis) = (site(), Redis::start());
    let cache = format!("{}\nfleet = {{ wait = \"60s\" }}", in_redis(&redis));
    let gateways = [start(&origin, &cache), start(&origin, &cache)];
    gateways.iter().for_each(|gateway| in_touch(gateway, true));
    thread::scope(|scope| {
        for n in 0..20 {
            let address = gateways[n % 2].address;
            scope.spawn(move || assert_eq!(get(address, "/slow").status, 200));
        }
    });
    assert_eq!(origin.count.load(Ordering::SeqCst), 1);
    let shared = |of: &str| -> u64 {
        gateways.iter().map(|gateway| tiers(gateway)["fleet"][of].as_u64().unwrap()).sum()
    };
    assert_eq!((shared("led"), shared("shared"), shared("alone")), (1, 1, 0));
}

#[test]
fn killing_redis_under_load_loses_no_request_and_all_recovers() {
    let (origin, mut redis) = (site(), Redis::start());
    let cache = format!("{}\nfleet = {{}}", in_redis(&redis));
    let gateways = [start(&origin, &cache), start(&origin, &cache)];
    gateways.iter().for_each(|gateway| in_touch(gateway, true));
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    thread::scope(|scope| {
        for client in 0..6 {
            let (address, stop, answered) = (gateways[client % 2].address, &stop, &answered);
            scope.spawn(move || {
                let mut n = client;
                while !stop.load(Ordering::SeqCst) {
                    let answer = get(address, &format!("/{}", n % 50));
                    assert_eq!((answer.status, answer.text().as_str()), (200, "xxxx"));
                    answered.fetch_add(1, Ordering::SeqCst);
                    n += 1;
                }
            });
        }
        let more = |count: usize| {
            let goal = answered.load(Ordering::SeqCst) + count;
            until("more answers", || answered.load(Ordering::SeqCst) >= goal);
        };
        more(200);
        for _ in 0..2 {
            redis.kill();
            gateways.iter().for_each(|gateway| in_touch(gateway, false));
            more(200);
            assert_eq!(gateways[0].purge(r#"{"tag": "red"}"#, "").status, 503);
            redis.restart();
            gateways.iter().for_each(|gateway| in_touch(gateway, true));
            more(200);
        }
        stop.store(true, Ordering::SeqCst);
    });
    // Together again.
    gateways[0].get("/after");
    until("the other finds it", || is_hit(&gateways[1].get("/after")));
    let purge = r#"{"url": "http://test/after", "hard": true}"#;
    until("it can be told", || gateways[0].purge(purge, "").status == 200);
    until("the other forgets it", || !is_hit(&gateways[1].get("/after")));
}
