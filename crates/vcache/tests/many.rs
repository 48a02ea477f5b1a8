//! Many keys with one load.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use tokio::sync::Notify;
use tokio::task::yield_now;
use vcache::{Cache, Config, LoadError, Loaded, Loading, ManualClock};

type Squares = Cache<u32, u32>;

fn cache() -> Squares {
    Cache::builder().build().unwrap()
}

/// Remembers what it was asked for; knows the squares of even numbers.
#[derive(Clone, Default)]
struct Source {
    asked: Arc<Mutex<Vec<Vec<u32>>>>,
}

impl Source {
    fn asked(&self) -> Vec<Vec<u32>> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.iter_mut().for_each(|keys| keys.sort_unstable());
        asked
    }

    async fn load(self, keys: Vec<u32>) -> Result<HashMap<u32, u32>, Infallible> {
        self.asked.lock().unwrap().push(keys.clone());
        yield_now().await;
        Ok(keys.into_iter().filter(|key| key % 2 == 0).map(|key| (key, key * key)).collect())
    }
}

#[tokio::test]
async fn one_load_brings_all_that_is_missing() {
    let (cache, source) = (cache(), Source::default());
    cache.insert(2, 4);
    let own = source.clone();
    let found = cache.get_many_or_load([2, 3, 4, 4, 6], move |keys| own.load(keys)).await.unwrap();
    assert_eq!(found, HashMap::from([(2, 4), (4, 16), (6, 36)]));
    assert_eq!(source.asked(), [[3, 4, 6]]);
    let own = source.clone();
    cache.get_many_or_load([2, 4, 6], move |keys| own.load(keys)).await.unwrap();
    assert!(source.asked().is_empty());
    assert_eq!(cache.get_many([2, 3, 6]), HashMap::from([(2, 4), (6, 36)]));
    assert_eq!(cache.loads(), 0);
}

#[tokio::test]
async fn concurrent_bulk_loads_share_keys() {
    let (cache, source) = (cache(), Source::default());
    let (one, other) = (source.clone(), source.clone());
    let (one, other) = tokio::join!(
        cache.get_many_or_load([2, 4], move |keys| one.load(keys)),
        cache.get_many_or_load([4, 6], move |keys| other.load(keys)),
    );
    assert_eq!(one.unwrap(), HashMap::from([(2, 4), (4, 16)]));
    assert_eq!(other.unwrap(), HashMap::from([(4, 16), (6, 36)]));
    assert_eq!(source.asked(), [vec![2, 4], vec![6]]);
}

#[tokio::test]
async fn single_loads_and_bulk_loads_wait_for_each_other() {
    let (cache, source) = (cache(), Source::default());
    let single = || async {
        yield_now().await;
        Ok::<_, Infallible>(1000)
    };
    let (own, gate) = (source.clone(), Arc::new(Notify::new()));
    let opened = Arc::clone(&gate);
    let load = move |keys| async move {
        opened.notified().await;
        own.load(keys).await
    };
    let (before, many, after, absent, ()) = tokio::join!(
        cache.get_or_load(2, single),
        cache.get_many_or_load([2, 3, 4], load),
        cache.get_or_load(4, single),
        cache.get_or_load(3, single),
        async { gate.notify_one() },
    );
    assert_eq!((before.unwrap(), after.unwrap()), (1000, 16));
    assert_eq!(many.unwrap(), HashMap::from([(2, 1000), (4, 16)]));
    assert!(matches!(absent, Err(LoadError::Absent)));
    assert_eq!(source.asked(), [[3, 4]]);
}

#[tokio::test]
async fn a_bulk_load_goes_on_for_others_when_its_caller_leaves() {
    let (cache, gate) = (cache(), Arc::new(Notify::new()));
    let caller = tokio::spawn({
        let (cache, gate) = (cache.clone(), Arc::clone(&gate));
        async move {
            let load = |keys: Vec<u32>| async move {
                gate.notified().await;
                Ok::<_, Infallible>(keys.into_iter().map(|key| (key, key)).collect())
            };
            cache.get_many_or_load([1, 2], load).await
        }
    });
    while cache.loads() < 2 {
        yield_now().await;
    }
    let waiter = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_load(2, || async { Ok::<_, Infallible>(1000) }).await }
    });
    yield_now().await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    gate.notify_one();
    assert_eq!(waiter.await.unwrap().unwrap(), 2);
    assert_eq!((cache.get(&1), cache.get(&2), cache.loads()), (Some(1), Some(2), 0));
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn a_bulk_load_that_nobody_waits_for_fills_the_cache() {
    let (cache, gate) = (cache(), Arc::new(Notify::new()));
    let caller = tokio::spawn({
        let (cache, gate) = (cache.clone(), Arc::clone(&gate));
        async move {
            let load = |keys: Vec<u32>| async move {
                gate.notified().await;
                Ok::<_, Infallible>(keys.into_iter().map(|key| (key, key)).collect())
            };
            cache.get_many_or_load([1, 2], load).await
        }
    });
    while cache.loads() < 2 {
        yield_now().await;
    }
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    gate.notify_one();
    while cache.loads() > 0 {
        yield_now().await;
    }
    assert_eq!((cache.get(&1), cache.get(&2)), (Some(1), Some(2)));
}

#[tokio::test]
async fn each_value_of_a_bulk_load_has_its_own_lifetime() {
    let clock = ManualClock::new();
    let cache = Cache::<u32, u32>::builder().clock(clock.clone()).build().unwrap();
    let load = |keys: Vec<u32>| async move {
        let loaded = |key: u32| {
            let ttl = Duration::from_secs(key.into());
            (
                key,
                Loaded::new(key).ttl(ttl).tags([if key.is_multiple_of(2) {
                    "even"
                } else {
                    "odd"
                }]),
            )
        };
        Ok::<_, Infallible>(keys.into_iter().map(loaded).collect())
    };
    let loading = Loading::default();
    let found = cache.get_many_or_load_with([1, 2, 3, 4], &loading, load).await.unwrap();
    assert_eq!(found.len(), 4);
    clock.advance(Duration::from_secs(2));
    cache.invalidate_tag("even");
    let left: Vec<_> = (1..5).filter(|key| cache.contains(key)).collect();
    assert_eq!(left, [3]);
}

#[tokio::test]
async fn a_removed_key_is_not_filled_and_its_neighbours_are() {
    let cache = cache();
    let own = cache.clone();
    let load = |keys: Vec<u32>| async move {
        own.remove(&1);
        Ok::<_, Infallible>(keys.into_iter().map(|key| (key, key)).collect())
    };
    assert_eq!(cache.get_many_or_load([1, 2], load).await.unwrap().len(), 2);
    assert_eq!((cache.get(&1), cache.get(&2)), (None, Some(2)));
}

#[tokio::test]
async fn failures_panics_and_too_many_keys_are_errors() {
    let cache = cache();
    let fail = |_| async { Err::<HashMap<u32, u32>, _>(io::Error::other("away")) };
    let failed = cache.get_many_or_load([1, 2], fail).await.unwrap_err();
    assert!(failed.downcast_ref::<io::Error>().is_some());
    let panic = |_| async {
        if std::hint::black_box(true) {
            panic!("the loader's own");
        }
        Ok::<_, Infallible>(HashMap::new())
    };
    let panicked = cache.get_many_or_load([1, 2], panic).await;
    assert!(matches!(panicked, Err(LoadError::Panicked)));
    let config = Config { max_loads: 2, ..Config::default() };
    let small = Squares::builder().config(config).build().unwrap();
    let source = Source::default();
    let own = source.clone();
    let refused = small.get_many_or_load([1, 2, 3], move |keys| own.load(keys)).await;
    assert!(matches!(refused, Err(LoadError::TooMany { max: 2 })));
    assert_eq!((source.asked(), small.loads()), (Vec::<Vec<u32>>::new(), 0));
}

proptest! {
    /// However keys overlap, each is loaded once, and everybody gets what there is.
    #[test]
    fn no_key_is_loaded_twice(calls in vec(vec(0..12_u32, 0..8), 1..6)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (cache, source) = (cache(), Source::default());
        let tasks: Vec<_> = calls
            .into_iter()
            .map(|keys| {
                let (cache, source) = (cache.clone(), source.clone());
                let wanted = keys.clone();
                runtime.spawn(async move {
                    let found = cache.get_many_or_load(keys, |keys| source.load(keys)).await;
                    (wanted, found.unwrap())
                })
            })
            .collect();
        for task in tasks {
            let (wanted, found) = runtime.block_on(task).unwrap();
            let expected = wanted.into_iter().filter(|key| key % 2 == 0);
            prop_assert_eq!(found, expected.map(|key| (key, key * key)).collect());
        }
        let mut even: Vec<_> = source.asked().concat();
        even.retain(|key| key % 2 == 0);
        let all = even.len();
        even.sort_unstable();
        even.dedup();
        prop_assert_eq!(even.len(), all);
    }
}

fn remembering() -> (Squares, ManualClock) {
    let clock = ManualClock::new();
    let loading = Loading { negative_ttl: Some(Duration::from_secs(60)), ..Loading::default() };
    let config = Config { loading, ..Config::default() };
    (Cache::builder().config(config).clock(clock.clone()).build().unwrap(), clock)
}

#[tokio::test]
async fn a_failure_that_is_kept_holds_for_many_as_for_one() {
    let (cache, clock) = remembering();
    let fail = || async { Err::<u32, _>(io::Error::other("no")) };
    cache.get_or_load(2, fail).await.unwrap_err();
    let source = Source::default();
    let own = source.clone();
    let failed = cache.get_many_or_load([2, 4], move |keys| own.load(keys)).await;
    assert!(matches!(failed, Err(LoadError::Failed(_))), "{failed:?}");
    // What was not known to fail was loaded.
    assert_eq!(source.asked(), [[4]]);
    assert_eq!(cache.get(&4), Some(16));
    clock.advance(Duration::from_secs(60));
    let own = source.clone();
    let found = cache.get_many_or_load([2, 4], move |keys| own.load(keys)).await.unwrap();
    assert_eq!(found, HashMap::from([(2, 4), (4, 16)]));
}

#[tokio::test]
async fn a_failure_of_many_is_kept_for_each_and_for_nobody_else() {
    let (cache, _clock) = remembering();
    let fail = |_| async { Err(io::Error::other("no")) };
    cache.get_many_or_load([2, 4], fail).await.unwrap_err();
    let source = Source::default();
    let own = source.clone();
    let (many, other) = tokio::join!(
        cache.get_many_or_load([2, 6], move |keys| own.load(keys)),
        cache.get_or_load(6, || async { Ok::<_, Infallible>(1000) }),
    );
    assert!(many.is_err());
    assert_eq!(other.unwrap(), 36);
    assert_eq!(source.asked(), [[6]]);
}

/// A load of key 2 that is under way while `tag` is invalidated, and brings 1000 with the tag `t`;
/// then one of 2 and 4, and what that gave and asked for.
async fn across_an_invalidation(tag: &str) -> (HashMap<u32, u32>, Vec<Vec<u32>>) {
    let (cache, source, gate) = (cache(), Source::default(), Arc::new(Notify::new()));
    let (own, opened) = (cache.clone(), Arc::clone(&gate));
    let before = tokio::spawn(async move {
        let load = || async move {
            opened.notified().await;
            Ok::<_, Infallible>(Loaded::new(1000).tags(["t"]))
        };
        own.get_or_load_with(2, &Loading::default(), load).await
    });
    while cache.loads() == 0 {
        yield_now().await;
    }
    cache.invalidate_tag(tag);
    let own = source.clone();
    let many = cache.get_many_or_load([2, 4], move |keys| own.load(keys));
    let (many, ()) = tokio::join!(many, async {
        yield_now().await;
        gate.notify_one();
    });
    assert_eq!(before.await.unwrap().unwrap(), 1000);
    (many.unwrap(), source.asked())
}

#[tokio::test]
async fn nobody_gets_what_began_before_an_invalidation_that_came_before_the_question() {
    let (found, asked) = across_an_invalidation("t").await;
    assert_eq!((found, asked), (HashMap::from([(2, 4), (4, 16)]), vec![vec![2, 4]]));
    // Of another tag: the load is shared.
    let (found, asked) = across_an_invalidation("other").await;
    assert_eq!((found, asked), (HashMap::from([(2, 1000), (4, 16)]), vec![vec![4]]));
}

fn aging(loading: Loading) -> (Squares, ManualClock) {
    let clock = ManualClock::new();
    let config = Config { ttl: Some(Duration::from_secs(10)), loading, ..Config::default() };
    (Cache::builder().config(config).clock(clock.clone()).build().unwrap(), clock)
}

#[tokio::test]
async fn what_is_due_is_returned_at_once_and_refreshed_in_one_call() {
    let stale_while_revalidate = Duration::from_secs(5);
    let (cache, clock) = aging(Loading { stale_while_revalidate, ..Loading::default() });
    cache.insert(2, 1);
    cache.insert(4, 1);
    clock.advance(Duration::from_secs(12));
    let (source, gate) = (Source::default(), Arc::new(Notify::new()));
    let (own, opened) = (source.clone(), Arc::clone(&gate));
    let load = move |keys| async move {
        opened.notified().await;
        own.load(keys).await
    };
    let found = cache.get_many_or_load([2, 4], load).await.unwrap();
    assert_eq!(found, HashMap::from([(2, 1), (4, 1)]));
    gate.notify_one();
    while cache.get_many([2, 4]) != HashMap::from([(2, 4), (4, 16)]) {
        yield_now().await;
    }
    assert_eq!(source.asked(), [[2, 4]]);
    assert_eq!(cache.load_stats().refreshes, 1);
}

#[tokio::test]
async fn what_is_due_is_loaded_with_what_is_missing() {
    let stale_while_revalidate = Duration::from_secs(5);
    let (cache, clock) = aging(Loading { stale_while_revalidate, ..Loading::default() });
    cache.insert(2, 1);
    cache.insert(3, 1);
    clock.advance(Duration::from_secs(12));
    cache.insert(6, 1);
    let source = Source::default();
    let own = source.clone();
    let found = cache.get_many_or_load([2, 3, 4, 6], move |keys| own.load(keys)).await.unwrap();
    // The source has nothing for 3 any more, but what it had may still be returned.
    assert_eq!(found, HashMap::from([(2, 4), (3, 1), (4, 16), (6, 1)]));
    assert_eq!(source.asked(), [[2, 3, 4]]);
}

#[tokio::test]
async fn stale_values_stand_in_for_a_bulk_load_that_fails() {
    let stale_if_error = Duration::from_secs(60);
    let (cache, clock) = aging(Loading { stale_if_error, ..Loading::default() });
    cache.insert(2, 1);
    cache.insert(4, 1);
    clock.advance(Duration::from_secs(12));
    let fail = |_| async { Err(io::Error::other("no")) };
    let found = cache.get_many_or_load([2, 4], fail).await.unwrap();
    assert_eq!(found, HashMap::from([(2, 1), (4, 1)]));
    assert_eq!(cache.load_stats().stale_if_error, 2);
    assert!(cache.get_many_or_load([2, 6], fail).await.is_err());
    clock.advance(Duration::from_secs(60));
    assert!(cache.get_many_or_load([2, 4], fail).await.is_err());
}
