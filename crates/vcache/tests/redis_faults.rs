//! Redis answers, but not as one would wish: each outcome that the docs name.
#![cfg(feature = "redis")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    dead_code,
    missing_docs,
    reason = "tests"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use support::{Redis, command, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use vcache::{
    Keeping, LeaseStore, Raw, RedisConfig, RedisStore, ScanStore, Store, StoreError, TagStore,
    Tiered,
};

mod support;

fn hasty(config: RedisConfig) -> RedisStore {
    let timeout = Duration::from_millis(200);
    RedisStore::new(&RedisConfig { timeout, connect_timeout: timeout, ..config }).unwrap()
}

fn tagged<'a>(tags: &'a [&'a str]) -> Keeping<'a> {
    Keeping { tags, ..Keeping::default() }
}

#[tokio::test]
async fn out_of_memory_is_told_and_reads_go_on() {
    let redis = Redis::with(&["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"]).await;
    let store = redis.store();
    store.set("kept", "v".into(), None).await.unwrap();
    let mut full = None;
    for number in 0..64 {
        let large = Bytes::from(vec![7; 100_000]);
        if let Err(error) = store.set(&format!("n{number}"), large, None).await {
            full = Some(error);
            break;
        }
    }
    let full = full.expect("it takes all");
    assert!(matches!(full, StoreError::Full(_)) && !full.is_transient(), "{full:?}");
    assert_eq!(store.get("kept").await.unwrap().unwrap().value, "v");
    for error in [
        store.set_tagged("t", "v".into(), tagged(&["t"])).await.unwrap_err(),
        store.set_many(&[("m", "v".into())], None).await.unwrap_err(),
        store.acquire("l", Duration::from_secs(1)).await.map(drop).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Full(_)), "{error:?}");
    }
    assert!(!store.stats().open);
    // The tier above goes on without it.
    let cache: Tiered<Bytes, _> = Tiered::builder(redis.store(), Raw).build().unwrap();
    let load = || async { Ok::<_, std::io::Error>(Bytes::from("loaded")) };
    assert_eq!(cache.get_or_load("n", load).await.unwrap(), "loaded");
    // Deleting makes room.
    store.delete_prefix("n").await.unwrap();
    until("there is room", async || store.set("again", "v".into(), None).await.is_ok()).await;
}

#[tokio::test]
async fn a_replica_reads_and_refuses_to_write() {
    let primary = Redis::start().await;
    primary.store().set("a", "v".into(), None).await.unwrap();
    let replica = Redis::with(&["--replicaof", "127.0.0.1", &primary.port.to_string()]).await;
    let store = replica.store();
    until("it follows", async || matches!(store.get("a").await, Ok(Some(_)))).await;
    for error in [
        store.set("a", "w".into(), None).await.unwrap_err(),
        store.delete("a").await.map(drop).unwrap_err(),
        store.clear().await.unwrap_err(),
        store.invalidate_tags(&["t"]).await.unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Refused(_)) && !error.is_transient(), "{error:?}");
    }
    assert!(store.get("a").await.unwrap().is_some() && !store.stats().open);
}

#[tokio::test]
async fn keys_that_are_no_strings_count_as_absent_and_can_be_deleted() {
    let redis = Redis::start().await;
    let store = redis.store();
    redis.say("RPUSH test[*]:list x").await;
    assert_eq!(store.get("list").await.unwrap(), None);
    assert!(!store.exists("list").await.unwrap());
    assert_eq!(store.get_many(&["list"]).await.unwrap(), [None]);
    assert!(store.delete("list").await.unwrap());
    redis.say("RPUSH test[*]:list x").await;
    store.set("list", "v".into(), None).await.unwrap();
    assert_eq!(store.get("list").await.unwrap().unwrap().value, "v");
    // Our own keys may be spoilt as well.
    store.invalidate_tags(&["t"]).await.unwrap();
    redis.say("SET test[*]:{test[*]:}tags x").await;
    let refused = store.invalidate_tags(&["t"]).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(_)), "{refused}");
    assert!(!store.stats().open);
}

#[tokio::test]
async fn what_is_no_entry_counts_as_absent_and_is_counted() {
    let redis = Redis::start().await;
    let (store, mut raw) = (redis.store(), redis.raw().await);
    store.set("a", "value".into(), None).await.unwrap();
    let bytes: Vec<u8> = redis::Cmd::get("test[*]:a").query_async(&mut raw).await.unwrap();
    let mut damaged = bytes.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let mut newer = bytes.clone();
    newer[2] = 3;
    let faults: [&[u8]; 4] = [b"", b"theirs", &damaged, &newer];
    for (number, bytes) in faults.into_iter().enumerate() {
        let key = format!("test[*]:{number}");
        redis::Cmd::set(&key, bytes).exec_async(&mut raw).await.unwrap();
        assert_eq!(store.get(&number.to_string()).await.unwrap(), None);
    }
    assert_eq!(store.get_many(&["0", "1", "2", "3"]).await.unwrap(), [None, None, None, None]);
    let stats = store.stats();
    assert_eq!((stats.foreign, stats.damaged, stats.other_version), (4, 2, 2));
    // Whoever cannot be decoded is loaded anew.
    let cache: Tiered<String, _> = Tiered::builder(redis.store(), Raw).build().unwrap();
    store.set("text", Bytes::from_static(b"\xff"), None).await.unwrap();
    let load = || async { Ok::<_, std::io::Error>("loaded".to_owned()) };
    assert_eq!(cache.get_or_load("text", load).await.unwrap(), "loaded");
}

#[tokio::test]
async fn a_silent_server_costs_nothing_once_that_is_known() {
    let redis = Redis::start().await;
    let store = hasty(redis.config());
    store.set("a", "v".into(), None).await.unwrap();
    redis.signal("STOP");
    until("the breaker opens", async || store.get("a").await.is_err() && store.stats().open).await;
    // A thousand calls that waited would take minutes.
    let calls = async {
        for _ in 0..1000 {
            let error = store.get("a").await.unwrap_err();
            assert!(matches!(error, StoreError::Unreachable(_)) && error.is_transient());
            assert!(std::error::Error::source(&error).unwrap().to_string().contains("probed"));
        }
    };
    tokio::time::timeout(Duration::from_secs(60), calls).await.unwrap();
    redis.signal("CONT");
    until("it closes", async || !store.stats().open).await;
    assert_eq!(store.get("a").await.unwrap().unwrap().value, "v");
}

#[tokio::test]
async fn slow_answers_are_timeouts_until_there_are_too_many() {
    let redis = Redis::start().await;
    let patient = redis.store();
    let config = RedisConfig { breaker_failures: 1000, ..redis.config() };
    let store = hasty(config);
    patient.set("a", "v".into(), None).await.unwrap();
    assert!(store.get("a").await.unwrap().is_some());
    redis.signal("STOP");
    let (slow, waited) = (store.get("a").await, async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        redis.signal("CONT");
    });
    assert!(matches!(slow.unwrap_err(), StoreError::Timeout(_)));
    let (got, ()) = tokio::join!(patient.get("a"), waited);
    assert_eq!(got.unwrap().unwrap().value, "v");
    // The connection is the same, and the late answer is nobody else's.
    assert_eq!(store.get("a").await.unwrap().unwrap().value, "v");
    assert_eq!(store.get("b").await.unwrap(), None);
    assert!(!store.stats().open);
}

#[tokio::test]
async fn more_calls_than_may_be_under_way_wait_for_their_turn_and_no_longer() {
    let redis = Redis::start().await;
    let config = RedisConfig { max_in_flight: 1, ..redis.config() };
    let store = RedisStore::new(&config).unwrap();
    store.set("a", "v".into(), None).await.unwrap();
    redis.signal("STOP");
    let mut waiting = Box::pin(store.get("a"));
    assert!((&mut waiting).now_or_never().is_none());
    // Who has no turn is told after the time to wait for one.
    let error = store.get("b").await.unwrap_err();
    let limit = config.enqueue_timeout;
    assert!(matches!(error, StoreError::Timeout(time) if time == limit), "{error:?}");
    redis.signal("CONT");
    assert_eq!(waiting.await.unwrap().unwrap().value, "v");
}

/// A server that answers everything with one line.
async fn parrot(line: &'static str) -> (RedisConfig, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let accepted = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&accepted);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut bytes = [0; 4096];
                while let Ok(1..) = socket.read(&mut bytes).await {
                    // As often as there were commands in it.
                    let commands = bytes.iter().filter(|byte| **byte == b'*').count();
                    bytes.fill(0);
                    if socket.write_all(line.repeat(commands).as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (RedisConfig { url, ..RedisConfig::default() }, accepted)
}

#[tokio::test]
async fn errors_and_nonsense_are_typed_errors() {
    for (line, transient) in [
        ("-ERR no\r\n", false),
        ("-NOPERM no\r\n", false),
        ("-MISCONF disk\r\n", false),
        ("-LOADING wait\r\n", true),
        ("-MASTERDOWN link\r\n", true),
        (":5\r\n", false),
        ("*1\r\n$1\r\nx\r\n", false),
        ("what is this\r\n", true),
    ] {
        let (config, _) = parrot(line).await;
        let store = hasty(config);
        let error = match store.get("a").await {
            Err(error) => error,
            // A number is as good as its text, which is no entry.
            Ok(found) => {
                assert!(found.is_none() && store.stats().foreign == 1, "{line:?}");
                continue;
            }
        };
        assert_eq!(error.is_transient(), transient, "{line:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_server_that_only_says_loading_is_left_alone_and_tried_again() {
    let (config, _) = parrot("-LOADING wait\r\n").await;
    let store = hasty(config);
    for _ in 0..3 {
        assert!(store.get("a").await.unwrap_err().is_transient());
    }
    assert!(store.stats().open);
    until("it is probed", async || store.stats().probes > 2).await;
}

#[tokio::test]
async fn a_thousand_callers_do_not_knock_a_thousand_times() {
    let redis = Redis::start().await;
    let mut redis = redis;
    redis.kill();
    // Somebody who takes connections and says nothing.
    let listener = TcpListener::bind(("127.0.0.1", redis.port)).await.unwrap();
    let accepted = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&accepted);
    let holding = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            held.push(socket);
        }
    });
    let store = hasty(redis.config());
    let calls = (0..1000).map(|_| store.get("a"));
    for result in futures_util::future::join_all(calls).await {
        assert!(result.unwrap_err().is_transient());
    }
    // Those that waited for the first attempt may each have made one more until it was known.
    assert!(accepted.load(Ordering::SeqCst) < 20, "{accepted:?}");
    holding.abort();
}

#[tokio::test]
async fn tags_survive_a_lost_clock_and_a_lost_log() {
    let redis = Redis::start().await;
    let (store, other) = (redis.store(), redis.store());
    for lost in ["DEL test[*]:{test[*]:}clock", "DEL test[*]:{test[*]:}tags"] {
        store.set_tagged("old", "v".into(), tagged(&["t"])).await.unwrap();
        store.set("plain", "v".into(), None).await.unwrap();
        assert!(other.get("old").await.unwrap().is_some());
        redis.say(lost).await;
        store.invalidate_tags(&["t"]).await.unwrap();
        for handle in [&store, &other] {
            assert_eq!(handle.get("old").await.unwrap(), None, "after {lost}");
            assert!(handle.get("plain").await.unwrap().is_some());
        }
        other.set_tagged("new", "v".into(), tagged(&["t"])).await.unwrap();
        assert!(store.get("new").await.unwrap().is_some(), "after {lost}");
        store.invalidate_tags(&["t"]).await.unwrap();
        assert_eq!(other.get("new").await.unwrap(), None);
    }
    // Everything is lost.
    store.set_tagged("old", "v".into(), tagged(&["t"])).await.unwrap();
    redis.say("FLUSHALL").await;
    assert_eq!(store.get("old").await.unwrap(), None);
    other.set_tagged("new", "v".into(), tagged(&["t"])).await.unwrap();
    assert!(store.get("new").await.unwrap().is_some());
}

#[tokio::test]
async fn a_full_log_of_tags_forgets_the_oldest_and_what_it_may_concern() {
    let redis = Redis::start().await;
    let config = RedisConfig { max_tags: 3, ..redis.config() };
    let (store, other) = (RedisStore::new(&config).unwrap(), RedisStore::new(&config).unwrap());
    store.set_tagged("a", "v".into(), tagged(&["a"])).await.unwrap();
    store.invalidate_tags(&["x", "y"]).await.unwrap();
    assert!(other.get("a").await.unwrap().is_some());
    store.invalidate_tags(&["a", "b", "c", "d", "e"]).await.unwrap();
    for handle in [&store, &other] {
        assert_eq!(handle.get("a").await.unwrap(), None);
    }
    store.set_tagged("a", "w".into(), tagged(&["a"])).await.unwrap();
    assert_eq!(other.get("a").await.unwrap().unwrap().value, "w");
}

#[tokio::test]
async fn reads_and_writes_with_tags_take_one_round_trip() {
    let redis = Redis::start().await;
    let (store, mut raw) = (redis.store(), redis.raw().await);
    store.set_tagged("a", "v".into(), tagged(&["t", "u"])).await.unwrap();
    store.get("a").await.unwrap();
    redis.say("CONFIG RESETSTAT").await;
    for _ in 0..10 {
        assert!(store.get("a").await.unwrap().is_some());
    }
    store.set_tagged("b", "v".into(), tagged(&["t"])).await.unwrap();
    store.invalidate_tags(&["x"]).await.unwrap();
    assert!(store.get("b").await.unwrap().is_some());
    let info: String = command("INFO commandstats").query_async(&mut raw).await.unwrap();
    // Each read is one MGET, the write one SET with the GET of the clock in its pipeline.
    for (name, calls) in [("mget", 11), ("evalsha", 1)] {
        assert!(info.contains(&format!("cmdstat_{name}:calls={calls},")), "{info}");
    }
    let set = info.lines().find(|line| line.starts_with("cmdstat_zrangebyscore"));
    // Only the invalidation looked into the log: no read had to ask for news.
    assert!(set.is_some_and(|line| line.contains("calls=1,")), "{info}");
}

#[tokio::test]
async fn what_stands_around_an_entry_can_be_seen() {
    let redis = Redis::start().await;
    let store = redis.store();
    let keeping = Keeping {
        ttl: Some(Duration::from_secs(50)),
        tags: &["t", "u"],
        load_time: Some(Duration::from_micros(1234)),
        ..Keeping::default()
    };
    store.set_tagged("a", "v".into(), keeping).await.unwrap();
    let entry = store.inspect("a").await.unwrap().unwrap();
    assert_eq!(entry.value, "v");
    assert_eq!(entry.load_time, Some(Duration::from_micros(1234)));
    assert_eq!(entry.tags.iter().map(|tag| &**tag).collect::<Vec<_>>(), ["t", "u"]);
    assert!(entry.left.unwrap() <= Duration::from_secs(50));
    assert!(entry.age <= Duration::from_secs(60));
    assert_eq!(store.inspect("absent").await.unwrap(), None);
}
