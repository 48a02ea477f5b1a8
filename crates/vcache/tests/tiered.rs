//! Two tiers: where values come from and go to, and how long they stay.
#![allow(clippy::unwrap_used, dead_code, missing_docs, unreachable_pub, reason = "tests")]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use vcache::{BreakerConfig, Config, ManualClock, Raw, Store, TierConfig, Tiered};
use watched::Watched;

mod watched;

const SECOND: Duration = Duration::from_secs(1);

fn tiers(store: &Watched, clock: &ManualClock, ttl: Option<Duration>) -> Tiered<String, Watched> {
    Tiered::builder(store.clone(), Raw)
        .clock(clock.clone())
        .weigher(|value: &String| value.len() as u64)
        .config(Config { ttl, ..Config::default() })
        .tier(TierConfig {
            breaker: BreakerConfig { failures: 1, ..BreakerConfig::default() },
            ..TierConfig::default()
        })
        .build()
        .unwrap()
}

fn load(
    value: &'static str,
) -> impl FnOnce() -> std::future::Ready<Result<String, Infallible>> + Send + 'static {
    move || std::future::ready(Ok(value.to_owned()))
}

#[tokio::test]
async fn what_others_stored_is_promoted_for_the_time_it_has_left() {
    let clock = ManualClock::new();
    let store = Watched::new(&clock);
    let cache = tiers(&store, &clock, Some(10 * SECOND));
    store.set("a", "v".into(), Some(5 * SECOND)).await.unwrap();
    store.set("b", "w".into(), Some(50 * SECOND)).await.unwrap();
    clock.advance(SECOND);
    assert_eq!(cache.get("a").await.as_deref(), Some("v"));
    assert_eq!(cache.get_or_load("b", load("loaded")).await.unwrap(), "w");
    let reads = store.reads();
    store.clear().await.unwrap();
    // Both are in memory: one for what it had left, the other for memory's own TTL.
    clock.advance(4 * SECOND - Duration::from_nanos(1));
    assert!(cache.get("a").await.is_some());
    assert_eq!(store.reads(), reads);
    clock.advance(Duration::from_nanos(1));
    assert_eq!(cache.get("a").await, None);
    clock.advance(6 * SECOND - Duration::from_nanos(1));
    assert!(cache.get("b").await.is_some());
    clock.advance(Duration::from_nanos(1));
    assert_eq!(cache.get("b").await, None);
}

#[tokio::test]
async fn what_is_loaded_or_inserted_is_shared() {
    let clock = ManualClock::new();
    let store = Watched::new(&clock);
    let (here, there) = (tiers(&store, &clock, None), tiers(&store, &clock, None));
    assert_eq!(here.get_or_load("a", load("loaded")).await.unwrap(), "loaded");
    here.insert("b", "inserted".to_owned(), None).await.unwrap();
    assert_eq!(there.get_or_load("a", load("again")).await.unwrap(), "loaded");
    assert_eq!(there.get("b").await.as_deref(), Some("inserted"));
    assert!(here.remove("a").await.unwrap());
    assert_eq!(here.get("a").await, None);
    assert_eq!(here.wrap("c", 2 * SECOND, load("c")).await.unwrap(), "c");
    clock.advance(2 * SECOND);
    assert_eq!(store.get("c").await.unwrap(), None);
}

#[tokio::test]
async fn a_hundred_tasks_ask_the_store_once() {
    let clock = ManualClock::new();
    let gate = Arc::new(Notify::new());
    let store = Watched { gate: Some(Arc::clone(&gate)), ..Watched::new(&clock) };
    let cache = tiers(&store, &clock, None);
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let cache = cache.clone();
        tasks.spawn(async move { cache.get_or_load("a", load("v")).await.unwrap() });
    }
    while store.reads() == 0 {
        tokio::task::yield_now().await;
    }
    gate.notify_one();
    assert!(tasks.join_all().await.iter().all(|value| value == "v"));
    assert_eq!(store.reads(), 1);
    assert_eq!(store.writes.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_read_that_began_before_a_removal_brings_nothing_back() {
    let clock = ManualClock::new();
    let gate = Arc::new(Notify::new());
    let store = Watched { gate: Some(Arc::clone(&gate)), ..Watched::new(&clock) };
    store.store.set("a", "old".into(), None).await.unwrap();
    let cache = tiers(&store, &clock, None);
    let reader = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get("a").await }
    });
    while store.reads() == 0 {
        tokio::task::yield_now().await;
    }
    assert!(cache.remove("a").await.unwrap());
    gate.notify_one();
    assert_eq!(reader.await.unwrap().as_deref(), Some("old"));
    assert_eq!(cache.stats().entries, 0);
}

#[tokio::test]
async fn a_store_that_failed_is_left_alone_for_the_pause() {
    let clock = ManualClock::new();
    let store = Watched::new(&clock);
    let cache = tiers(&store, &clock, None);
    store.broken.store(true, Ordering::SeqCst);
    assert_eq!(cache.get("a").await, None);
    assert_eq!(store.reads(), 1);
    assert_eq!(cache.get_or_load("a", load("loaded")).await.unwrap(), "loaded");
    assert_eq!(cache.get("b").await, None);
    assert_eq!(store.reads(), 1);
    let error = cache.insert("b", "here".to_owned(), None).await;
    assert!(error.unwrap_err().is_transient());
    assert_eq!(cache.get("b").await.as_deref(), Some("here"));
    store.broken.store(false, Ordering::SeqCst);
    clock.advance(SECOND);
    assert_eq!(cache.get("c").await, None);
    assert_eq!(store.reads(), 2);
}

#[tokio::test]
async fn bytes_that_are_no_value_are_loaded_over() {
    let clock = ManualClock::new();
    let store = Watched::new(&clock);
    let cache = tiers(&store, &clock, None);
    let garbage = Bytes::from_static(b"\xff\xfe");
    store.set("a", garbage, None).await.unwrap();
    assert_eq!(cache.get("a").await, None);
    assert_eq!(cache.get_or_load("a", load("v")).await.unwrap(), "v");
    assert_eq!(store.get("a").await.unwrap().unwrap().value, "v");
}
