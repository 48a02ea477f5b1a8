//! What a recorder of the `metrics` facade sees.
#![cfg(feature = "metrics")]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use vcache::{Cache, Config, Loading, ManualClock, Memory, MemoryStore, Raw, Tiered};

/// Every series as `name{value of each label, …}` with its number.
fn read(snapshotter: &Snapshotter) -> BTreeMap<String, f64> {
    let series = snapshotter.snapshot().into_vec().into_iter();
    series
        .map(|(key, _, _, value)| {
            let labels: Vec<_> = key.key().labels().map(metrics::Label::value).collect();
            let name = format!("{}{{{}}}", key.key().name(), labels.join(","));
            let value = match value {
                DebugValue::Counter(count) => f64::from(u32::try_from(count).unwrap()),
                DebugValue::Gauge(value) => value.into_inner(),
                DebugValue::Histogram(_) => f64::NAN,
            };
            (name, value)
        })
        .filter(|(_, value)| *value != 0.0)
        .collect()
}

fn series<const N: usize>(expected: [(&str, f64); N]) -> BTreeMap<String, f64> {
    expected.map(|(name, value)| (name.to_owned(), value)).into()
}

#[test]
fn a_memory_counts_what_comes_and_goes() {
    let recorder = DebuggingRecorder::new();
    let (snapshotter, clock) = (recorder.snapshotter(), ManualClock::new());
    let overhead = Memory::<u8, u8>::overhead();
    let cache = metrics::with_local_recorder(&recorder, || {
        Memory::<u8, u8>::builder()
            .name("pages")
            .max_weight(2 * overhead)
            .clock(clock.clone())
            .build()
            .unwrap()
    });
    cache.insert_with_ttl(1, 1, Duration::from_secs(1));
    clock.advance(Duration::from_secs(1));
    assert_eq!(cache.get(&1), None);
    for key in 2..6 {
        cache.insert(key, key);
    }
    assert_eq!(cache.get(&5), Some(5));
    cache.remove(&5);
    #[expect(clippy::cast_precision_loss, reason = "tens of bytes")]
    let weight = overhead as f64;
    assert_eq!(
        read(&snapshotter),
        series([
            ("vcache_requests_total{pages,hit}", 1.0),
            ("vcache_requests_total{pages,miss}", 1.0),
            ("vcache_evictions_total{pages,expired}", 1.0),
            ("vcache_evictions_total{pages,room}", 2.0),
            ("vcache_evictions_total{pages,removed}", 1.0),
            ("vcache_weight_bytes{pages}", weight),
            ("vcache_entries{pages}", 1.0),
        ])
    );
}

#[test]
fn a_dropped_cache_takes_its_weight_along() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        for _ in 0..2 {
            let cache = Memory::<u8, u8>::builder().build().unwrap();
            cache.insert(1, 1);
        }
    });
    assert_eq!(read(&snapshotter), BTreeMap::new());
}

#[test]
fn loads_are_counted_by_how_they_ended() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    metrics::with_local_recorder(&recorder, || {
        let loading = Loading {
            #[cfg(feature = "tokio")]
            leader: vcache::Leader::Promoted,
            ..Loading::default()
        };
        let config = Config { loading, ..Config::default() };
        let cache = Cache::<u8, u8>::builder().name("users").config(config).build().unwrap();
        runtime.block_on(async {
            let good = || async { Ok::<_, io::Error>(1) };
            let bad = || async { Err(io::Error::other("away")) };
            let endless = || std::future::pending::<Result<u8, io::Error>>();
            cache.get_or_load(1, good).await.unwrap();
            cache.get_or_load(2, bad).await.unwrap_err();
            tokio::select! {
                biased;
                _ = cache.get_or_load(3, endless) => {}
                () = std::future::ready(()) => {}
            }
        });
    });
    let mut seen = read(&snapshotter);
    seen.retain(|name, _| name.starts_with("vcache_loads_total"));
    assert_eq!(
        seen,
        series([
            ("vcache_loads_total{users,loaded}", 1.0),
            ("vcache_loads_total{users,failed}", 1.0),
            ("vcache_loads_total{users,cancelled}", 1.0),
        ])
    );
}

#[test]
fn refreshes_and_stale_values_are_counted() {
    let recorder = DebuggingRecorder::new();
    let (snapshotter, clock) = (recorder.snapshotter(), ManualClock::new());
    let window = Duration::from_secs(1);
    let loading = Loading { stale_while_revalidate: window, ..Loading::default() };
    metrics::with_local_recorder(&recorder, || {
        let config = Config { ttl: Some(window), loading, ..Config::default() };
        let cache = Cache::<u8, u8>::builder().config(config).clock(clock.clone()).build().unwrap();
        cache.insert(1, 1);
        clock.advance(window);
        cache.get_or_load_sync(&1, || Err::<u8, _>(io::Error::other("away"))).unwrap();
        cache.get_or_load_sync(&1, || Err::<u8, _>(io::Error::other("away"))).unwrap();
    });
    let seen = read(&snapshotter);
    assert_eq!(seen.get("vcache_refreshes_total{cache,begun}"), Some(&1.0));
    assert_eq!(seen.get("vcache_stale_total{cache,revalidating}"), Some(&2.0));
    assert_eq!(seen.get("vcache_loads_total{cache,failed}"), Some(&1.0));
}

#[test]
fn reads_of_the_store_are_counted() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    metrics::with_local_recorder(&recorder, || {
        let store = MemoryStore::new(MemoryStore::sized(1 << 20).build().unwrap());
        let cache = Tiered::<String, _, _>::builder(store, Raw).build().unwrap();
        runtime.block_on(async {
            assert_eq!(cache.get("a").await, None);
            cache.insert("a", "v".to_owned(), None).await.unwrap();
            assert!(cache.get("a").await.is_some());
        });
    });
    let seen = read(&snapshotter);
    assert_eq!(seen.get("vcache_store_requests_total{tiered,miss}"), Some(&1.0));
    assert_eq!(seen.get("vcache_store_requests_total{tiered,hit}"), None);
    assert_eq!(seen.get("vcache_requests_total{tiered,hit}"), Some(&1.0));
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn a_warmer_counts_its_keys_by_pattern() {
    use vcache::warm::{Pattern, Warmer};

    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let cache = Cache::<u32, u32>::builder().name("prices").build().unwrap();
    cache.insert(1, 1);
    let some = Pattern::keys("some", [1, 2, 3]).fill(&cache, |key| async move {
        if key == 3 { Err(io::Error::other("away")) } else { Ok(key) }
    });
    let none = Pattern::generated("none", || async { Err(io::Error::other("away")) });
    let none = none.fill(&cache, |key: u32| async move { Ok::<_, io::Error>(key) });
    let warmer = Warmer::builder().name("shop").pattern(some).pattern(none).start();
    warmer.warmed().await;
    warmer.stop().await;
    let mut warming = read(&snapshotter);
    warming.retain(|name, _| name.starts_with("vcache_warm_"));
    assert!(warming.remove("vcache_warm_round_seconds{shop}").is_some_and(f64::is_nan));
    assert_eq!(
        warming,
        series([
            ("vcache_warm_keys_total{shop,some,loaded}", 1.0),
            ("vcache_warm_keys_total{shop,some,skipped}", 1.0),
            ("vcache_warm_keys_total{shop,some,failed}", 1.0),
            ("vcache_warm_pattern_failures_total{shop,none}", 1.0),
            ("vcache_warm_rounds_total{shop}", 1.0),
        ])
    );
}
