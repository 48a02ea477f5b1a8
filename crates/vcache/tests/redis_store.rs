//! Redis as it is found in the world: shared, slow, stopped, killed, restarted.
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

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use support::Redis;
use vcache::{
    Config, ManualClock, Raw, RedisConfig, RedisStore, Store, StoreError, TagStore, Tiered,
};

mod support;

/// A store that does not wait long.
fn hasty(redis: &Redis) -> RedisStore {
    let config = RedisConfig { timeout: Duration::from_millis(200), ..redis.config() };
    RedisStore::new(&config).unwrap()
}

/// Calls until the store answers again.
async fn recovered(store: &RedisStore) {
    let answer = async {
        while store.get("any").await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, answer).await.expect("the store does not recover");
}

#[tokio::test]
async fn other_peoples_keys_are_left_alone() {
    let redis = Redis::start().await;
    let (store, mut raw) = (redis.store(), redis.raw().await);
    let set = |key: &str, value: &str| redis::Cmd::set(key, value);
    // The prefix `test[*]:` as a pattern would match this one.
    set("test*:x", "theirs").exec_async(&mut raw).await.unwrap();
    set("test[*]:foreign", "not ours").exec_async(&mut raw).await.unwrap();
    assert_eq!(store.get("foreign").await.unwrap(), None);
    assert_eq!(store.stats().foreign, 1);
    store.set("mine", "v".into(), None).await.unwrap();
    store.clear().await.unwrap();
    let left: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut raw).await.unwrap();
    assert_eq!(left, ["test*:x"]);
}

#[tokio::test]
async fn many_keys_are_one_command() {
    let redis = Redis::start().await;
    let (store, mut raw) = (redis.store(), redis.raw().await);
    for key in ["a", "b", "c"] {
        store.set(key, "v".into(), None).await.unwrap();
    }
    redis::Cmd::set("test[*]:foreign", "not ours").exec_async(&mut raw).await.unwrap();
    let found = store.get_many(&["a", "b", "absent", "c", "foreign"]).await.unwrap();
    let found: Vec<_> = found.iter().map(Option::is_some).collect();
    assert_eq!(found, [true, true, false, true, false]);
    assert_eq!(store.stats().foreign, 1);
    assert!(store.exists("a").await.unwrap() && !store.exists("foreign").await.unwrap());
    assert_eq!(store.delete_many(&["a", "b", "absent", "c"]).await.unwrap(), 3);
    let info = redis::cmd("INFO").arg("commandstats").to_owned();
    let info: String = info.query_async(&mut raw).await.unwrap();
    for (command, calls) in [("mget", 1), ("unlink", 1), ("getrange", 2)] {
        assert!(info.contains(&format!("cmdstat_{command}:calls={calls},")), "{info}");
    }
    assert!(!info.contains("cmdstat_get:"), "{info}");
}

#[tokio::test]
async fn values_without_a_time_get_the_stores() {
    let redis = Redis::start().await;
    let (store, mut raw) = (redis.store(), redis.raw().await);
    store.set("a", "v".into(), None).await.unwrap();
    let ttl: i64 = redis::cmd("PTTL").arg("test[*]:a").query_async(&mut raw).await.unwrap();
    assert!(ttl > 0 && ttl <= 3_600_000, "{ttl}");
}

#[tokio::test]
async fn a_killed_server_fails_calls_and_its_return_is_noticed() {
    let mut redis = Redis::start().await;
    let store = redis.store();
    store.set("a", "v".into(), None).await.unwrap();
    redis.kill();
    let error = store.get("a").await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable(_)) && error.is_transient());
    redis.restart().await;
    recovered(&store).await;
    assert_eq!(store.get("a").await.unwrap(), None);
    store.set("a", "w".into(), None).await.unwrap();
    assert_eq!(store.get("a").await.unwrap().unwrap().value, "w");
}

#[tokio::test]
async fn a_restart_between_two_calls_is_not_seen() {
    let mut redis = Redis::start().await;
    let store = redis.store();
    store.set("a", "v".into(), None).await.unwrap();
    redis.restart().await;
    assert_eq!(store.get("a").await.unwrap(), None);
}

#[tokio::test]
async fn a_stopped_server_costs_no_more_than_the_timeout() {
    let redis = Redis::start().await;
    let store = hasty(&redis);
    recovered(&store).await;
    redis.signal("STOP");
    // More calls than make a connection suspicious.
    for _ in 0..5 {
        let error = store.set("a", "v".into(), None).await.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
    }
    redis.signal("CONT");
    recovered(&store).await;
    let set = async { while store.set("a", "w".into(), None).await.is_err() {} };
    set.await;
    assert_eq!(store.get("a").await.unwrap().unwrap().value, "w");
}

#[tokio::test]
async fn an_absent_server_is_no_error_until_it_is_asked() {
    let mut redis = Redis::start().await;
    redis.kill();
    let store = redis.store();
    let calls = (0..50).map(|_| store.get("a"));
    for result in futures_util::future::join_all(calls).await {
        assert!(result.unwrap_err().is_transient());
    }
    redis.restart().await;
    recovered(&store).await;
}

#[tokio::test]
async fn a_refusal_is_not_transient() {
    let redis = Redis::start().await;
    let (store, mut raw) = (redis.store(), redis.raw().await);
    store.invalidate_tags(&["t"]).await.unwrap();
    // The log of invalidations.
    let spoilt = redis::Cmd::set("test[*]:{test[*]:}tags", "x");
    spoilt.exec_async(&mut raw).await.unwrap();
    let error = store.invalidate_tags(&["t"]).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused(_)) && !error.is_transient());
    // The connection is as good as before.
    store.set("a", "v".into(), None).await.unwrap();
}

#[tokio::test]
async fn tiers_go_on_without_redis_and_use_it_again_without_help() {
    let mut redis = Redis::start().await;
    let clock = ManualClock::new();
    let cache: Tiered<Bytes, _> = Tiered::builder(hasty(&redis), Raw)
        .clock(clock.clone())
        .config(Config { ttl: Some(Duration::from_secs(60)), ..Config::default() })
        .build()
        .unwrap();
    let load = |value: &'static str| move || async move { Ok::<_, Infallible>(Bytes::from(value)) };
    assert_eq!(cache.get_or_load("a", load("first")).await.unwrap(), "first");
    redis.signal("STOP");
    // In memory still; what is not, is loaded.
    assert_eq!(cache.get("a").await.unwrap(), "first");
    assert_eq!(cache.get_or_load("b", load("loaded")).await.unwrap(), "loaded");
    assert_eq!(cache.get("c").await, None);
    // A removal that did not reach the store says so.
    assert!(cache.remove("a").await.unwrap_err().is_transient());
    redis.signal("CONT");
    recovered(cache.store()).await;
    // Within the pause the store is left alone, then it is asked again.
    clock.advance(Duration::from_secs(2));
    cache.remove("a").await.unwrap();
    cache.insert("d", Bytes::from("shared"), None).await.unwrap();
    assert_eq!(cache.store().get("d").await.unwrap().unwrap().value, "shared");
    redis.restart().await;
    assert_eq!(cache.get("d").await.unwrap(), "shared");
    assert_eq!(cache.get_or_load("e", load("again")).await.unwrap(), "again");
}
