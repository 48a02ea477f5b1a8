//! Reads that are made at the same time go to Redis as one command, and each gets its own answer.
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

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use support::{Redis, command};
use vcache::{Keeping, RedisConfig, RedisStore, Store, TagStore};

mod support;

/// How often the server has carried out reading commands.
async fn commands(redis: &Redis) -> usize {
    let mut raw = redis.raw().await;
    let told: String = command("INFO commandstats").query_async(&mut raw).await.unwrap();
    let calls = |name: &str| {
        let line = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":calls="));
        line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
    };
    calls("cmdstat_get") + calls("cmdstat_mget")
}

#[tokio::test]
async fn many_reads_are_few_commands() {
    let redis = Redis::start().await;
    let store = redis.store();
    for key in 0..200 {
        store.set(&key.to_string(), format!("value {key}").into(), None).await.unwrap();
    }
    let mut raw = redis.raw().await;
    let (theirs, list) = (command("SET test[*]:3 theirs"), command("RPUSH test[*]:list x"));
    let (absent, _) = (command("DEL test[*]:7"), list.exec_async(&mut raw).await.unwrap());
    theirs.exec_async(&mut raw).await.unwrap();
    absent.exec_async(&mut raw).await.unwrap();
    let mut keys: Vec<String> = (0..200).map(|key| key.to_string()).collect();
    keys.push("list".to_owned());
    let read = join_all(keys.iter().map(|key| store.get(key))).await;
    for (key, read) in keys.iter().zip(read) {
        let value = read.unwrap().map(|stored| stored.value);
        match key.as_str() {
            "3" | "7" | "list" => assert_eq!(value, None, "{key}"),
            key => assert_eq!(value.unwrap(), format!("value {key}")),
        }
    }
    assert_eq!(store.stats().foreign, 1);
    assert!(commands(&redis).await <= 8, "{}", commands(&redis).await);
}

#[tokio::test]
async fn tags_hold_in_joined_reads() {
    let redis = Redis::start().await;
    let (store, other) = (redis.store(), redis.store());
    for key in 0..50 {
        let tag = if key % 2 == 0 { "even" } else { "odd" };
        let keeping = Keeping { tags: &[tag], ..Keeping::default() };
        store.set_tagged(&key.to_string(), "v".into(), keeping).await.unwrap();
    }
    let keys: Vec<String> = (0..50).map(|key| key.to_string()).collect();
    let present = async |store: &RedisStore| {
        let read = join_all(keys.iter().map(|key| store.get(key))).await;
        read.into_iter().filter(|read| read.as_ref().unwrap().is_some()).count()
    };
    // One that does not know yet that there are tags, and one that does.
    assert_eq!(present(&other).await, 50);
    assert_eq!(present(&store).await, 50);
    other.invalidate_tags(&["odd"]).await.unwrap();
    assert_eq!(present(&store).await, 25);
    assert_eq!(present(&other).await, 25);
}

#[tokio::test]
async fn who_goes_away_leaves_the_others_their_answers() {
    let redis = Redis::start().await;
    let store = redis.store();
    store.set("a", "v".into(), None).await.unwrap();
    let mut reads: Vec<_> = (0..20).map(|_| Box::pin(store.get("a"))).collect();
    for read in &mut reads {
        assert!(read.now_or_never().is_none());
    }
    // The third opened what the others joined.
    drop(reads.drain(..10));
    for read in join_all(reads).await {
        assert_eq!(read.unwrap().unwrap().value, "v");
    }
    // All of them are gone.
    let mut reads: Vec<_> = (0..20).map(|_| Box::pin(store.get("a"))).collect();
    for read in &mut reads {
        assert!(read.now_or_never().is_none());
    }
    drop(reads);
    assert!(store.get("a").await.unwrap().is_some());
}

#[tokio::test]
async fn a_failure_reaches_all_who_wait() {
    let mut redis = Redis::start().await;
    let store = redis.store();
    store.set("a", "v".into(), None).await.unwrap();
    redis.kill();
    for read in join_all((0..100).map(|_| store.get("a"))).await {
        let error = read.unwrap_err();
        assert!(error.is_transient(), "{error}");
        assert!(std::error::Error::source(&error).is_some(), "{error}");
    }
}

#[test]
fn a_runtime_that_ends_strands_nobody() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (first, second) = (runtime(), runtime());
    let redis = second.block_on(Redis::start());
    let config = RedisConfig { connect_timeout: Duration::from_secs(5), ..redis.config() };
    let store = RedisStore::new(&config).unwrap();
    second.block_on(store.set("a", "v".into(), None)).unwrap();
    let mut reads: Vec<_> = (0..5).map(|_| Box::pin(store.get("a"))).collect();
    first.block_on(async {
        for read in &mut reads {
            assert!(read.now_or_never().is_none());
        }
    });
    drop(first);
    // The first two went by themselves, and their timers have ended.
    let joined = reads.split_off(2);
    drop(reads);
    for read in second.block_on(join_all(joined)) {
        assert_eq!(read.unwrap().unwrap().value, "v");
    }
}
