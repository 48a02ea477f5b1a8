//! A cache in front of a writer behind: nobody who asks it sees the source as it was before.
#![cfg(feature = "write-behind")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::sleep;
use vcache::{
    Cache, Change, Config, LoadError, Loaded, TokioClock, WriteBack, WriteBehind, WriteBehindConfig,
};

const LONG: Duration = Duration::from_secs(3600);

/// A source that can be read and written, and that may be away for writers.
#[derive(Clone, Default)]
struct Source {
    rows: Arc<Mutex<HashMap<u32, u32>>>,
    away: Arc<AtomicBool>,
    reads: Arc<AtomicU32>,
}

impl Source {
    fn over(&self, cache: Cache<u32, u32>, config: WriteBehindConfig) -> WriteBack<u32, u32> {
        let source = self.clone();
        WriteBehind::builder(move |batch| source.clone().take(batch))
            .config(config)
            .dead_letters(|_| std::future::ready(()))
            .build_over(cache)
            .unwrap()
    }

    async fn take(self, batch: Vec<(u32, Change<u32>)>) -> Result<(), io::Error> {
        // A reader may come between.
        yield_now().await;
        if self.away.load(Ordering::Relaxed) {
            return Err(io::Error::other("away"));
        }
        let mut rows = self.rows.lock().unwrap();
        for (key, change) in batch {
            match change {
                Change::Put(value) => drop(rows.insert(key, value)),
                Change::Remove => drop(rows.remove(&key)),
            }
        }
        Ok(())
    }

    fn away(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }

    async fn read(&self, back: &WriteBack<u32, u32>, key: u32) -> Option<u32> {
        let source = self.clone();
        let load = move || async move {
            source.reads.fetch_add(1, Ordering::Relaxed);
            let found = source.rows.lock().unwrap().get(&key).copied();
            // Others may write before it is stored.
            yield_now().await;
            found.ok_or_else(|| io::Error::other("no such row"))
        };
        back.get_or_load(key, load).await.ok()
    }
}

fn config() -> WriteBehindConfig {
    WriteBehindConfig { interval: LONG, ..WriteBehindConfig::default() }
}

/// Room for a value or two.
fn small() -> Cache<u32, u32> {
    let config = Config { max_size: 200, ..Config::default() };
    Cache::builder().config(config).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_pending_is_seen_after_it_was_evicted() {
    let source = Source::default();
    let back = source.over(small(), config());
    for key in 0..50 {
        back.put(key, key + 100).await.unwrap();
    }
    assert!(back.cache().len() < 10);
    for key in 0..50 {
        assert_eq!(back.get(&key), Some(key + 100));
        assert_eq!(source.read(&back, key).await, Some(key + 100));
    }
    assert_eq!(source.reads.load(Ordering::Relaxed), 0);
    back.flush().await;
    for key in 0..50 {
        assert_eq!(source.read(&back, key).await, Some(key + 100));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_pending_is_seen_after_its_time_in_the_cache() {
    let source = Source::default();
    let ttl = Some(Duration::from_secs(10));
    let cache = Cache::builder()
        .config(Config { ttl, ..Config::default() })
        .clock(TokioClock::new())
        .build()
        .unwrap();
    let back = source.over(cache, config());
    back.put(1, 1).await.unwrap();
    back.put_loaded(2, Loaded::new(2).ttl(Duration::from_secs(1))).await.unwrap();
    sleep(Duration::from_secs(20)).await;
    assert_eq!((back.cache().get(&1), back.cache().get(&2)), (None, None));
    assert_eq!((source.read(&back, 1).await, back.get(&2)), (Some(1), Some(2)));
}

#[tokio::test(start_paused = true)]
async fn what_was_removed_is_missing_though_the_source_has_it_still() {
    let source = Source::default();
    source.rows.lock().unwrap().insert(1, 1);
    let back = source.over(small(), config());
    assert_eq!(source.read(&back, 1).await, Some(1));
    back.remove(1).await.unwrap();
    assert_eq!(back.get(&1), None);
    let absent = back.get_or_load(1, never).await;
    assert!(matches!(absent, Err(LoadError::Absent)), "{absent:?}");
    back.flush().await;
    assert_eq!(source.read(&back, 1).await, None);
}

async fn never() -> Result<u32, Infallible> {
    panic!("the source is not to be asked")
}

#[tokio::test(start_paused = true)]
async fn many_at_once_see_what_is_pending_too() {
    let source = Source::default();
    source.rows.lock().unwrap().extend([(1, 1), (2, 2), (3, 3)]);
    let back = source.over(small(), config());
    back.put(1, 10).await.unwrap();
    back.remove(2).await.unwrap();
    back.cache().clear();
    let own = source.clone();
    let load = move |mut keys: Vec<u32>| async move {
        keys.sort_unstable();
        assert_eq!(keys, [3, 4]);
        let rows = own.rows.lock().unwrap().clone();
        // What was not asked for is dropped, whatever the source had.
        Ok::<_, Infallible>(rows)
    };
    let found = back.get_many_or_load([1, 2, 3, 4], load).await.unwrap();
    assert_eq!(found, HashMap::from([(1, 10), (3, 3)]));
}

#[tokio::test(start_paused = true)]
async fn a_load_under_way_does_not_undo_a_write() {
    let source = Source::default();
    let back = source.over(small(), config());
    let (go, gone) = oneshot::channel();
    let reader = back.clone();
    let reader = tokio::spawn(async move {
        let load = || async {
            gone.await.unwrap();
            Ok::<_, Infallible>(0)
        };
        reader.get_or_load(1, load).await
    });
    yield_now().await;
    back.put(1, 1).await.unwrap();
    go.send(()).unwrap();
    assert_eq!(reader.await.unwrap().unwrap(), 0);
    assert_eq!(back.get(&1), Some(1));
    assert_eq!(back.get_or_load(1, never).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_given_up_leaves_the_cache() {
    let source = Source::default();
    source.rows.lock().unwrap().insert(1, 1);
    source.away(true);
    let back = source.over(small(), WriteBehindConfig { max_attempts: Some(1), ..config() });
    back.put(1, 2).await.unwrap();
    assert_eq!(source.read(&back, 1).await, Some(2));
    back.flush().await;
    assert_eq!(back.stats().dead, 1);
    assert_eq!(source.read(&back, 1).await, Some(1));
}

#[test]
fn of_writes_at_once_the_last_is_seen() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let source = Source::default();
        let interval = Duration::ZERO;
        let back = source.over(small(), WriteBehindConfig { interval, ..config() });
        for _ in 0..500 {
            let write = |value| {
                let back = back.clone();
                tokio::spawn(async move { back.put(1, value).await.unwrap() })
            };
            for writing in [1, 2, 3, 4].map(write) {
                writing.await.unwrap();
            }
            let seen = source.read(&back, 1).await;
            back.flush().await;
            assert_eq!(seen, source.rows.lock().unwrap().get(&1).copied());
            assert_eq!(source.read(&back, 1).await, seen);
        }
    });
}

#[derive(Debug, Clone)]
enum Step {
    Put(u32, u32),
    Remove(u32),
    Away(bool),
    Pass(u64),
    Flush,
    Get(u32),
    Load(u32),
    Evict,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6_u32, any::<u32>()).prop_map(|(key, value)| Step::Put(key, value)),
        2 => (0..6_u32).prop_map(Step::Remove),
        1 => any::<bool>().prop_map(Step::Away),
        2 => (0..3000_u64).prop_map(Step::Pass),
        1 => Just(Step::Flush),
        4 => (0..6_u32).prop_map(Step::Load),
        2 => (0..6_u32).prop_map(Step::Get),
        1 => Just(Step::Evict),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens on the way, whoever loads gets what was written last, and whoever gets
    /// gets it or nothing.
    #[test]
    fn readers_see_the_last_write(steps in prop::collection::vec(step(), 0..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (source, mut wanted) = (Source::default(), HashMap::new());
            let interval = Duration::from_secs(1);
            let back = source.over(small(), WriteBehindConfig { interval, ..config() });
            for step in steps {
                match step {
                    Step::Put(key, value) => {
                        wanted.insert(key, value);
                        back.put(key, value).await.unwrap();
                    }
                    Step::Remove(key) => {
                        wanted.remove(&key);
                        back.remove(key).await.unwrap();
                    }
                    Step::Away(away) => source.away(away),
                    Step::Pass(millis) => sleep(Duration::from_millis(millis)).await,
                    Step::Flush => {
                        source.away(false);
                        back.flush().await;
                        assert_eq!(*source.rows.lock().unwrap(), wanted);
                    }
                    Step::Get(key) => {
                        let seen = back.get(&key);
                        assert!(seen.is_none() || seen.as_ref() == wanted.get(&key));
                    }
                    Step::Load(key) => {
                        assert_eq!(source.read(&back, key).await.as_ref(), wanted.get(&key));
                    }
                    Step::Evict => back.cache().clear(),
                }
            }
        });
    }
}
