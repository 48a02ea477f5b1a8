//! Tiers behind memory: time limits, breakers, chains, many keys, stale values, and writes.
#![cfg(feature = "tokio")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::ready;
use std::io::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use vcache::{BreakerConfig, BreakerState, Chain, Config, LoadError, Loading, ManualClock, Raw};
use vcache::{Store, StoreError, Tier, TierConfig, Tiered, WritePolicy};
use watched::Watched;

mod watched;

const SECOND: Duration = Duration::from_secs(1);

fn tier(name: &str, store: &Watched, clock: &ManualClock, config: TierConfig) -> Tier<Watched> {
    Tier::with_clock(name, store.clone(), config, Arc::new(clock.clone()))
}

fn plain(store: &Watched, clock: &ManualClock) -> Tiered<String, Watched> {
    with(store, clock, Config::default())
}

fn with(store: &Watched, clock: &ManualClock, config: Config) -> Tiered<String, Watched> {
    Tiered::builder(store.clone(), Raw).clock(clock.clone()).config(config).build().unwrap()
}

fn load(value: &'static str) -> impl FnOnce() -> Ready + Send + 'static {
    move || ready(Ok(value.to_owned()))
}

type Ready = std::future::Ready<Result<String, Infallible>>;

fn fail() -> impl FnOnce() -> std::future::Ready<Result<String, Error>> + Send + 'static {
    || ready(Err(Error::other("away")))
}

fn text(found: &HashMap<&str, String>, key: &str) -> Option<String> {
    found.get(key).cloned()
}

#[tokio::test]
async fn a_store_that_fails_is_left_alone_and_tried_by_one() {
    let clock = ManualClock::new();
    let (gated, gate) = Watched::gated(&clock);
    let breaker = BreakerConfig { failures: 2, ..BreakerConfig::default() };
    let tier = tier("t", &gated, &clock, TierConfig { breaker, ..TierConfig::default() });
    gated.breaks(true);
    for _ in 0..2 {
        assert!(matches!(tier.get("a").await, Err(StoreError::Timeout(_))));
    }
    assert_eq!(tier.stats().breaker, BreakerState::Open);
    assert!(matches!(tier.get("a").await, Err(StoreError::Away)));
    assert!(matches!(tier.set("a", "v".into(), None).await, Err(StoreError::Away)));
    // A removal is tried all the same.
    assert!(matches!(tier.delete("a").await, Err(StoreError::Timeout(_))));
    gated.breaks(false);
    clock.advance(SECOND);
    let probe = tokio::spawn({
        let tier = tier.clone();
        async move { tier.get("a").await }
    });
    gated.read_by(3).await;
    assert_eq!(tier.stats().breaker, BreakerState::HalfOpen);
    assert!(matches!(tier.get("a").await, Err(StoreError::Away)));
    gate.notify_one();
    assert_eq!(probe.await.unwrap().unwrap(), None);
    let stats = tier.stats();
    assert_eq!((stats.breaker, stats.opened, stats.skipped), (BreakerState::Closed, 1, 2));
    assert_eq!((stats.misses, stats.read_errors, stats.errors), (1, 2, 3));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_holds_nobody_up() {
    let clock = ManualClock::new();
    let (store, _gate) = Watched::gated(&clock);
    let limit = Duration::from_millis(50);
    let cache = Tiered::<String, _>::builder(store.clone(), Raw)
        .tier(TierConfig { timeout: Some(limit), ..TierConfig::default() })
        .build()
        .unwrap();
    let began = tokio::time::Instant::now();
    assert_eq!(cache.get_or_load("a", load("loaded")).await.unwrap(), "loaded");
    assert_eq!(began.elapsed(), limit);
    assert_eq!(cache.store_stats().read_errors, 1);
}

#[tokio::test(start_paused = true)]
async fn a_loader_that_never_returns_is_ended() {
    let (clock, timeout) = (ManualClock::new(), Some(SECOND));
    let store = Watched::new(&clock);
    let loading = Loading { timeout, ..Loading::default() };
    let cache = with(&store, &clock, Config { loading, ..Config::default() });
    let never = std::future::pending::<Result<String, Infallible>>;
    let ended = cache.get_or_load("a", never).await;
    assert!(matches!(ended, Err(LoadError::TimedOut(limit)) if limit == SECOND));
    assert_eq!(cache.get_or_load("a", load("now")).await.unwrap(), "now");
}

#[tokio::test]
async fn a_chain_promotes_for_the_time_that_is_left() {
    let clock = ManualClock::new();
    let (near, far) = (Watched::new(&clock), Watched::new(&clock));
    let most = TierConfig { ttl: Some(5 * SECOND), ..TierConfig::default() };
    let chain = Chain::new(tier("near", &near, &clock, most), far.clone());
    far.set("short", "s".into(), Some(3 * SECOND)).await.unwrap();
    far.set("long", "l".into(), Some(60 * SECOND)).await.unwrap();
    clock.advance(SECOND);
    let keys = ["short", "long", "absent"];
    let found = chain.get_many(&keys).await.unwrap();
    let left: Vec<_> = found.iter().map(|found| found.as_ref().map(|found| found.left)).collect();
    assert_eq!(left, [Some(Some(2 * SECOND)), Some(Some(59 * SECOND)), None]);
    assert_eq!(near.store.get("short").await.unwrap().unwrap().left, Some(2 * SECOND));
    assert_eq!(near.store.get("long").await.unwrap().unwrap().left, Some(5 * SECOND));
    let reads = far.reads();
    assert_eq!(chain.get("long").await.unwrap().unwrap().value, "l");
    assert_eq!(far.reads(), reads);
    assert_eq!((chain.near().stats().hits, chain.near().stats().misses), (1, 3));
}

#[tokio::test]
async fn a_chain_goes_on_without_its_nearer_store_and_without_its_farther_one() {
    let clock = ManualClock::new();
    let (near, far) = (Watched::new(&clock), Watched::new(&clock));
    let chain = Chain::new(
        tier("near", &near, &clock, TierConfig::default()),
        tier("far", &far, &clock, TierConfig::default()),
    );
    let cache = Tiered::<Bytes, _>::builder(chain, Raw).clock(clock.clone());
    // Memory keeps nothing, so that each call asks the chain.
    let config = Config { ttl: Some(Duration::ZERO), ..Config::default() };
    let cache = cache.config(config).build().unwrap();
    cache.insert("a", "v".into(), None).await.unwrap();
    near.breaks(true);
    for _ in 0..5 {
        assert_eq!(cache.get("a").await.unwrap(), "v");
    }
    // Left alone after three failures, and the farther one never was.
    assert_eq!((near.reads(), far.reads()), (3, 5));
    assert!(cache.insert("a", "w".into(), None).await.unwrap_err().is_transient());
    near.breaks(false);
    far.breaks(true);
    clock.advance(SECOND);
    assert_eq!(cache.get("a").await.unwrap(), "v");
    far.breaks(false);
    assert!(cache.remove("a").await.unwrap());
    assert_eq!(cache.get("a").await, None);
}

#[tokio::test]
async fn a_promotion_under_way_brings_nothing_back() {
    let clock = ManualClock::new();
    let near = Watched::new(&clock);
    let (far, gate) = Watched::gated(&clock);
    far.store.set("a", "old".into(), None).await.unwrap();
    far.store.set("b", "old".into(), None).await.unwrap();
    let chain = Chain::new(near.clone(), far.clone());
    let read = |key: &'static str| {
        let chain = chain.clone();
        tokio::spawn(async move { chain.get(key).await.unwrap() })
    };
    let (one, two) = (read("a"), read("b"));
    far.read_by(2).await;
    assert!(chain.delete("a").await.unwrap());
    chain.clear().await.unwrap();
    gate.notify_one();
    gate.notify_one();
    for reader in [one, two] {
        assert_eq!(reader.await.unwrap().unwrap().value, "old");
    }
    assert_eq!(near.store.get("a").await.unwrap(), None);
    assert_eq!(near.store.get("b").await.unwrap(), None);
}

#[tokio::test]
async fn of_writes_that_meet_a_chain_keeps_none_near() {
    let clock = ManualClock::new();
    let (near, barrier) = (Watched::new(&clock), Arc::new(Notify::new()));
    let far = Watched { barrier: Some(Arc::clone(&barrier)), ..Watched::new(&clock) };
    near.store.set("a", "before".into(), None).await.unwrap();
    let chain = Chain::new(near.clone(), far.clone());
    let writers: Vec<_> = ["one", "two"]
        .into_iter()
        .map(|value| {
            let chain = chain.clone();
            tokio::spawn(async move { chain.set("a", value.into(), None).await })
        })
        .collect();
    while far.writes() < 2 {
        tokio::task::yield_now().await;
    }
    barrier.notify_one();
    barrier.notify_one();
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    assert_eq!(near.store.get("a").await.unwrap(), None);
    barrier.notify_one();
    chain.set("a", "alone".into(), None).await.unwrap();
    assert_eq!(near.store.get("a").await.unwrap().unwrap().value, "alone");
    let around = Chain::with_policy(near.clone(), far, WritePolicy::Around);
    barrier.notify_one();
    around.set("a", "around".into(), None).await.unwrap();
    assert_eq!(near.store.get("a").await.unwrap(), None);
    assert_eq!(around.get("a").await.unwrap().unwrap().value, "around");
}

#[tokio::test]
async fn many_keys_are_one_call_of_each_tier_for_what_is_missing() {
    let clock = ManualClock::new();
    let store = Watched::new(&clock);
    let cache = plain(&store, &clock);
    cache.insert("near", "n".to_owned(), None).await.unwrap();
    for key in ["far", "garbage"] {
        store.store.set(key, "f".into(), None).await.unwrap();
    }
    store.store.set("garbage", Bytes::from_static(b"\xff"), None).await.unwrap();
    let found = cache.get_many(["near", "far", "garbage", "absent", "far"]).await;
    assert_eq!(text(&found, "near").as_deref(), Some("n"));
    assert_eq!(text(&found, "far").as_deref(), Some("f"));
    assert_eq!(found.len(), 2);
    assert_eq!((store.reads(), store.asked.load(Ordering::SeqCst)), (1, 3));
    let stats = cache.store_stats();
    assert_eq!((stats.hits, stats.misses, stats.undecodable), (1, 1, 1));
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let load = move |mut missing: Vec<Arc<str>>| async move {
        missing.sort();
        assert_eq!(missing, [Arc::<str>::from("absent"), Arc::from("garbage")]);
        counted.fetch_add(1, Ordering::SeqCst);
        Ok::<_, Infallible>(HashMap::from([
            (Arc::from("garbage"), "loaded".to_owned()),
            (Arc::from("unasked"), "dropped".to_owned()),
        ]))
    };
    let keys = ["near", "far", "garbage", "absent"];
    let found = cache.get_many_or_load(keys, load).await.unwrap();
    assert_eq!((found.len(), found["garbage"].as_str()), (3, "loaded"));
    assert_eq!((store.reads(), store.asked.load(Ordering::SeqCst)), (2, 5));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(store.store.get("garbage").await.unwrap().unwrap().value, "loaded");
    assert_eq!(cache.get_near("garbage").as_deref(), Some("loaded"));
    assert_eq!(cache.get_near("unasked"), None);
}

#[tokio::test]
async fn many_keys_of_a_store_that_is_away_are_loaded() {
    let clock = ManualClock::new();
    let store = Watched::new(&clock);
    let cache = plain(&store, &clock);
    store.breaks(true);
    assert!(cache.get_many(["a", "b"]).await.is_empty());
    let load = |missing: Vec<Arc<str>>| {
        ready(Ok::<_, Infallible>(missing.into_iter().map(|key| (key, "v".to_owned())).collect()))
    };
    assert_eq!(cache.get_many_or_load(["a", "b"], load).await.unwrap().len(), 2);
}

#[tokio::test]
async fn stale_values_are_returned_where_settings_allow_it() {
    let clock = ManualClock::new();
    let store = Watched::new(&clock);
    let loading = Loading {
        stale_while_revalidate: 10 * SECOND,
        stale_if_error: 60 * SECOND,
        negative_ttl: Some(SECOND),
        ..Loading::default()
    };
    let config = Config { ttl: Some(10 * SECOND), loading, ..Config::default() };
    let cache = with(&store, &clock, config);
    let minute = |value| cache.wrap("a", 10 * SECOND, load(value));
    assert_eq!(minute("one").await.unwrap(), "one");
    clock.advance(11 * SECOND);
    assert_eq!(minute("two").await.unwrap(), "one");
    // The refresh runs behind.
    while cache.get_near("a").as_deref() != Some("two") {
        tokio::task::yield_now().await;
    }
    clock.advance(25 * SECOND);
    assert_eq!(cache.get_or_load("a", fail()).await.unwrap(), "two");
    assert_eq!(cache.load_stats().stale_if_error, 1);
    // The failure is remembered, and so is what may stand in for it.
    assert_eq!(cache.get_or_load("a", load("three")).await.unwrap(), "two");
    clock.advance(SECOND);
    assert_eq!(cache.get_or_load("a", load("three")).await.unwrap(), "three");
}

#[tokio::test]
async fn a_refresh_takes_what_the_store_has_if_that_is_newer() {
    let clock = ManualClock::new();
    let store = Watched::new(&clock);
    let loading = Loading { refresh_ahead_percent: 50, ..Loading::default() };
    let config = Config { ttl: Some(10 * SECOND), loading, ..Config::default() };
    let cache = with(&store, &clock, config);
    let get = |value| cache.wrap("a", 10 * SECOND, load(value));
    assert_eq!(get("one").await.unwrap(), "one");
    clock.advance(6 * SECOND);
    // Memory and the store have the same: it is loaded.
    assert_eq!(get("two").await.unwrap(), "one");
    while cache.get_near("a").as_deref() != Some("two") {
        tokio::task::yield_now().await;
    }
    clock.advance(6 * SECOND);
    store.store.set("a", "theirs".into(), Some(10 * SECOND)).await.unwrap();
    assert_eq!(get("never").await.unwrap(), "two");
    while cache.get_near("a").as_deref() != Some("theirs") {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_read_that_meets_a_write_keeps_nothing_older() {
    let clock = ManualClock::new();
    let (store, gate) = Watched::gated(&clock);
    let barrier = Arc::new(Notify::new());
    let store = Watched { barrier: Some(Arc::clone(&barrier)), ..store };
    store.store.set("a", "old".into(), None).await.unwrap();
    // Memory holds what is read only: a write leaves nothing there.
    let cache = Tiered::<String, _>::builder(store.clone(), Raw)
        .clock(clock)
        .write_policy(WritePolicy::Around)
        .build()
        .unwrap();
    let writer = tokio::spawn({
        let cache = cache.clone();
        async move { cache.insert("a", "new".to_owned(), None).await }
    });
    while store.writes() == 0 {
        tokio::task::yield_now().await;
    }
    // Begins and ends while the write is under way.
    gate.notify_one();
    assert_eq!(cache.get("a").await.as_deref(), Some("old"));
    gate.notify_one();
    assert_eq!(cache.get_or_load("a", load("never")).await.unwrap(), "old");
    assert_eq!(cache.get_near("a"), None);
    barrier.notify_one();
    writer.await.unwrap().unwrap();
    gate.notify_one();
    assert_eq!(cache.get("a").await.as_deref(), Some("new"));
    assert_eq!(cache.get_near("a").as_deref(), Some("new"));
}

#[tokio::test]
async fn of_insertions_that_meet_memory_keeps_none() {
    let clock = ManualClock::new();
    let barrier = Arc::new(Notify::new());
    let store = Watched { barrier: Some(Arc::clone(&barrier)), ..Watched::new(&clock) };
    let cache = plain(&store, &clock);
    let writers: Vec<_> = ["one", "two"]
        .into_iter()
        .map(|value| {
            let cache = cache.clone();
            tokio::spawn(async move { cache.insert("a", value.to_owned(), None).await })
        })
        .collect();
    while store.writes() < 2 {
        tokio::task::yield_now().await;
    }
    barrier.notify_one();
    barrier.notify_one();
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    assert_eq!(cache.get_near("a"), None);
    let there = store.store.get("a").await.unwrap().unwrap().value;
    assert_eq!(cache.get("a").await.unwrap(), there);
}

#[tokio::test]
async fn a_load_that_meets_a_removal_leaves_nothing_in_the_store() {
    let clock = ManualClock::new();
    let barrier = Arc::new(Notify::new());
    let store = Watched { barrier: Some(Arc::clone(&barrier)), ..Watched::new(&clock) };
    let cache = plain(&store, &clock);
    let loader = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_load("a", load("old")).await.unwrap() }
    });
    while store.writes() == 0 {
        tokio::task::yield_now().await;
    }
    // The value is on its way to the store, and arrives after this.
    assert!(!cache.remove("a").await.unwrap());
    barrier.notify_one();
    assert_eq!(loader.await.unwrap(), "old");
    assert_eq!(store.store.get("a").await.unwrap(), None);
    assert_eq!(cache.get_near("a"), None);
}

#[tokio::test]
async fn a_sweep_takes_what_is_on_its_way_to_the_store() {
    for prefix in [None, Some("a")] {
        let clock = ManualClock::new();
        let barrier = Arc::new(Notify::new());
        let store = Watched { barrier: Some(Arc::clone(&barrier)), ..Watched::new(&clock) };
        let cache = plain(&store, &clock);
        let loader = tokio::spawn({
            let cache = cache.clone();
            async move { cache.get_or_load("a", load("old")).await.unwrap() }
        });
        while store.writes() == 0 {
            tokio::task::yield_now().await;
        }
        match prefix {
            None => cache.clear().await.unwrap(),
            Some(prefix) => assert_eq!(cache.remove_prefix(prefix).await.unwrap(), 0),
        }
        barrier.notify_one();
        assert_eq!(loader.await.unwrap(), "old");
        assert_eq!(store.store.get("a").await.unwrap(), None, "{prefix:?}");
        assert_eq!(cache.get_near("a"), None);
    }
}

#[tokio::test]
async fn many_that_meet_a_write_leave_nothing_in_the_store() {
    let clock = ManualClock::new();
    let store = Watched::new(&clock);
    let cache = plain(&store, &clock);
    let source = cache.clone();
    let keys = ["removed", "replaced", "around", "left"];
    let found = cache
        .get_many_or_load(keys, |missing| async move {
            // Each begins and ends while the source is being read.
            source.remove("removed").await.unwrap();
            source.insert("replaced", "new".to_owned(), None).await.unwrap();
            let (_, removed) = source.write_around(&["around"], async {}).await;
            removed.unwrap();
            let old = |key: Arc<str>| (key, "old".to_owned());
            Ok::<_, Infallible>(missing.into_iter().map(old).collect())
        })
        .await
        .unwrap();
    assert_eq!(found.len(), 4);
    let stored = store.store.get_many(&keys).await.unwrap();
    let stored: Vec<_> = stored.into_iter().map(|found| found.map(|found| found.value)).collect();
    assert_eq!(stored, [None, Some("new".into()), None, Some("old".into())]);
}

#[tokio::test]
async fn related_keys_go_in_one_step() {
    let clock = ManualClock::new();
    let store = Watched::new(&clock);
    let cache = plain(&store, &clock);
    for key in ["user:1", "user:2", "list", "other"] {
        cache.insert(key, "v".to_owned(), None).await.unwrap();
    }
    let changed = async {
        // Loaded while the source changes: it may be old, and is not kept.
        assert_eq!(cache.get_or_load("new", load("old")).await.unwrap(), "old");
        7
    };
    let (changed, removed) = cache.write_around(&["user:1", "list", "new"], changed).await;
    assert_eq!((changed, removed.unwrap()), (7, 2));
    assert_eq!(store.deletes.load(Ordering::SeqCst), 1);
    assert_eq!(cache.get("user:1").await, None);
    assert_eq!(cache.get("new").await, None);
    assert_eq!(cache.get_near("user:2").as_deref(), Some("v"));
    assert_eq!(cache.remove_prefix("user:").await.unwrap(), 1);
    assert_eq!(cache.get("user:2").await, None);
    assert_eq!(cache.get("other").await.as_deref(), Some("v"));
}
