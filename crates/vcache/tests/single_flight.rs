//! One load per key, whatever happens to those who wait for it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "tests")]

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Notify;
use tokio::task::{JoinSet, yield_now};
use vcache::{Cache, Config, Flight, LoadError, Loading};

type Names = Cache<u32, String>;

fn cache() -> Names {
    Cache::builder().build().unwrap()
}

/// Counts loads and holds them until it is opened.
#[derive(Clone, Default)]
struct Source {
    loads: Arc<AtomicUsize>,
    gate: Arc<Notify>,
}

impl Source {
    fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }

    async fn load(self, name: &'static str) -> Result<String, Infallible> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.gate.notified().await;
        Ok(name.to_owned())
    }

    /// Waits until so many loads have begun.
    async fn began(&self, loads: usize) {
        while self.loads() < loads {
            yield_now().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_tasks_load_once() {
    let (cache, loads) = (cache(), Arc::new(AtomicUsize::new(0)));
    let mut tasks = JoinSet::new();
    for _ in 0..1000 {
        let (cache, loads) = (cache.clone(), Arc::clone(&loads));
        tasks.spawn(async move {
            let load = move || async move {
                loads.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(5)).await;
                Ok::<_, Infallible>("Ada".to_owned())
            };
            cache.get_or_load(7, load).await
        });
    }
    for result in tasks.join_all().await {
        assert_eq!(result.unwrap(), "Ada");
    }
    assert_eq!(loads.load(Ordering::SeqCst), 1);
    println!("1,000 tasks asked for one missing key, and one loaded it");
    assert_eq!((cache.loads(), cache.len()), (0, 1));
}

#[tokio::test]
async fn a_failure_is_shared_and_not_kept() {
    let (cache, source, asked) = (cache(), Source::default(), Arc::new(AtomicUsize::new(0)));
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let (cache, source, asked) = (cache.clone(), source.clone(), Arc::clone(&asked));
        tasks.spawn(async move {
            asked.fetch_add(1, Ordering::SeqCst);
            let load = move || async move {
                let Ok(name) = source.load("away").await;
                Err::<String, _>(io::Error::other(name))
            };
            cache.get_or_load(7, load).await
        });
    }
    // On one thread a task that has asked waits by the time that another one runs.
    while asked.load(Ordering::SeqCst) < 100 {
        yield_now().await;
    }
    source.gate.notify_waiters();
    for result in tasks.join_all().await {
        let error = result.unwrap_err();
        let cause = error.downcast_ref::<io::Error>().unwrap();
        assert_eq!(cause.to_string(), "away");
    }
    assert_eq!(source.loads(), 1);
    assert!(cache.is_empty());
    let next = cache.get_or_load(7, || async { Ok::<_, Infallible>("Ada".to_owned()) });
    assert_eq!(next.await.unwrap(), "Ada");
}

#[tokio::test]
async fn a_panic_is_an_error_for_all_who_wait() {
    let cache = cache();
    let load = || async {
        yield_now().await;
        if std::hint::black_box(true) {
            panic!("the loader's own");
        }
        Ok::<_, Infallible>(String::new())
    };
    let (one, other) = tokio::join!(cache.get_or_load(7, load), cache.get_or_load(7, load));
    assert!(matches!(one, Err(LoadError::Panicked)));
    assert!(matches!(other, Err(LoadError::Panicked)));
    assert_eq!(cache.loads(), 0);
}

#[tokio::test]
async fn a_cancelled_leader_strands_nobody_and_restarts_nothing() {
    let (cache, source) = (cache(), Source::default());
    let start = |name| {
        let (cache, source) = (cache.clone(), source.clone());
        tokio::spawn(async move { cache.get_or_load(7, move || source.load(name)).await })
    };
    let leader = start("leader's");
    source.began(1).await;
    let followers: Vec<_> = (0..10).map(|_| start("follower's")).collect();
    yield_now().await;
    leader.abort();
    assert!(leader.await.unwrap_err().is_cancelled());
    source.gate.notify_one();
    for follower in followers {
        assert_eq!(follower.await.unwrap().unwrap(), "leader's");
    }
    assert_eq!(source.loads(), 1);
}

#[tokio::test]
async fn a_load_that_nobody_waits_for_is_dropped() {
    let loading = Loading {
        #[cfg(feature = "tokio")]
        leader: vcache::Leader::Promoted,
        ..Loading::default()
    };
    let config = Config { loading, ..Config::default() };
    let cache: Names = Cache::builder().config(config).build().unwrap();
    let source = Source::default();
    let alone = tokio::spawn({
        let (cache, source) = (cache.clone(), source.clone());
        async move { cache.get_or_load(7, move || source.load("nobody's")).await }
    });
    source.began(1).await;
    assert_eq!(cache.loads(), 1);
    alone.abort();
    assert!(alone.await.is_err());
    assert_eq!(cache.loads(), 0);
    // One handle is the test's own: the load has let go of its.
    assert_eq!(Arc::strong_count(&source.gate), 1);
    source.gate.notify_one();
    let next = cache.get_or_load(7, move || source.load("the next")).await;
    assert_eq!(next.unwrap(), "the next");
}

/// Begins a load of 7 and drops the one who did; with its source.
#[cfg(feature = "tokio")]
async fn abandoned(cache: &Names) -> Source {
    let source = Source::default();
    let alone = tokio::spawn({
        let (cache, source) = (cache.clone(), source.clone());
        async move { cache.get_or_load(7, move || source.load("nobody's")).await }
    });
    source.began(1).await;
    alone.abort();
    assert!(alone.await.is_err());
    source
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn a_load_that_nobody_waits_for_fills_the_cache() {
    let cache = cache();
    let source = abandoned(&cache).await;
    assert_eq!(cache.loads(), 1);
    // Who asks meanwhile joins it.
    let next = tokio::spawn({
        let (cache, source) = (cache.clone(), source.clone());
        async move { cache.get_or_load(7, move || source.load("the next")).await }
    });
    yield_now().await;
    source.gate.notify_one();
    assert_eq!(next.await.unwrap().unwrap(), "nobody's");
    assert_eq!((cache.get(&7).as_deref(), source.loads()), (Some("nobody's"), 1));
    assert_eq!(cache.loads(), 0);
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn a_load_that_nobody_waits_for_has_an_end() {
    let cache = cache();
    let source = abandoned(&cache).await;
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(cache.loads(), 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(cache.loads(), 0);
    source.gate.notify_one();
    let next = cache.get_or_load(7, move || source.load("the next")).await;
    assert_eq!(next.unwrap(), "the next");
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn an_abandoned_load_ends_with_its_cache() {
    let cache = cache();
    let source = abandoned(&cache).await;
    drop(cache);
    while Arc::strong_count(&source.gate) > 1 {
        yield_now().await;
    }
}

/// Runs `write` while a load is under way; what the waiter got, and the cache.
async fn written_during_a_load(write: impl FnOnce(&Names)) -> (String, Names) {
    let (cache, source) = (cache(), Source::default());
    let waiter = tokio::spawn({
        let (cache, source) = (cache.clone(), source.clone());
        async move { cache.get_or_load(7, move || source.load("old")).await }
    });
    source.began(1).await;
    write(&cache);
    source.gate.notify_one();
    (waiter.await.unwrap().unwrap(), cache)
}

#[tokio::test]
async fn what_began_before_an_invalidation_is_not_stored_after_it() {
    let invalidations: [fn(&Names); 4] = [
        |cache| drop(cache.remove(&7)),
        Cache::clear,
        |cache| cache.retain(|_, _| true),
        |cache| drop(cache.update(7, |_| None)),
    ];
    for invalidate in invalidations {
        let (got, cache) = written_during_a_load(invalidate).await;
        assert_eq!(got, "old");
        assert_eq!(cache.get(&7), None);
    }
}

#[tokio::test]
async fn a_load_does_not_undo_an_insertion() {
    let (got, cache) = written_during_a_load(|cache| {
        cache.insert(7, "new".to_owned());
    })
    .await;
    assert_eq!(got, "old");
    assert_eq!(cache.get(&7).as_deref(), Some("new"));
}

#[tokio::test]
async fn another_keys_write_disturbs_nothing() {
    let (_, cache) = written_during_a_load(|cache| {
        cache.insert(8, "other".to_owned());
        cache.remove(&9);
    })
    .await;
    assert_eq!(cache.get(&7).as_deref(), Some("old"));
}

#[tokio::test]
async fn who_asks_after_an_invalidation_does_not_get_what_began_before() {
    let (cache, source) = (cache(), Source::default());
    let start = |name| {
        let (cache, source) = (cache.clone(), source.clone());
        tokio::spawn(async move { cache.get_or_load(7, move || source.load(name)).await })
    };
    let before = start("old");
    source.began(1).await;
    cache.remove(&7);
    let after = start("new");
    source.began(2).await;
    source.gate.notify_waiters();
    assert_eq!(before.await.unwrap().unwrap(), "old");
    assert_eq!(after.await.unwrap().unwrap(), "new");
    assert_eq!(cache.get(&7).as_deref(), Some("new"));
}

#[tokio::test]
async fn loads_beyond_the_limit_are_refused() {
    let config = Config { max_loads: 2, ..Config::default() };
    let cache: Names = Cache::builder().config(config).build().unwrap();
    let source = Source::default();
    let tasks: Vec<_> = (0..2)
        .map(|key| {
            let (cache, source) = (cache.clone(), source.clone());
            tokio::spawn(
                async move { cache.get_or_load(key, move || source.load("in time")).await },
            )
        })
        .collect();
    source.began(2).await;
    let third = cache.get_or_load(3, || Source::default().load("too late")).await;
    assert!(matches!(third, Err(LoadError::TooMany { max: 2 })));
    source.gate.notify_waiters();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap(), "in time");
    }
    assert_eq!(cache.loads(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_flight_can_be_used_alone() {
    let flight = Flight::<&str, u32>::new(10);
    let slow = || async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(1)
    };
    let fast = || async { Ok(2) };
    let (one, two) =
        tokio::join!(flight.run("a", move |_| slow()), flight.run("a", move |_| fast()));
    assert_eq!((one.unwrap(), two.unwrap()), (1, 1));
    assert_eq!(flight.run("a", move |_| fast()).await.unwrap(), 2);
    assert_eq!(flight.under_way(), 0);
}

#[tokio::test]
async fn a_ttl_may_come_with_the_load() {
    let cache = cache();
    let load = || async { Ok::<_, Infallible>("brief".to_owned()) };
    let wrapped = cache.wrap(7, Duration::from_secs(60), load).await;
    assert_eq!(wrapped.unwrap(), "brief");
    let (_, left) = cache.get_with_ttl(&7).unwrap();
    assert!(left.unwrap() <= Duration::from_secs(60));
    cache.wrap(8, Duration::ZERO, load).await.unwrap();
    assert_eq!(cache.get(&8), None);
}

#[tokio::test]
async fn a_borrowed_key_is_made_an_owned_one_for_a_load_only() {
    let cache = Cache::<String, u32>::builder().build().unwrap();
    let load = || async { Ok::<_, Infallible>(1) };
    assert_eq!(cache.get_or_load_ref("a", load).await.unwrap(), 1);
    assert_eq!(cache.wrap_ref("b", None, load).await.unwrap(), 1);
    let sync = || Ok::<_, Infallible>(1);
    assert_eq!(cache.get_or_load_sync("c", sync).unwrap(), 1);
    assert_eq!(cache.get_or_insert_with("d", || 1), 1);
    let mut keys: Vec<_> = cache.iter().map(|(key, _)| key).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["a", "b", "c", "d"]);
    let ask = || {
        for key in ["a", "b", "c", "d"] {
            assert_eq!(cache.get_or_load_ref(key, load).now_or_never().unwrap().unwrap(), 1);
            assert_eq!(cache.get_or_load_sync(key, sync).unwrap(), 1);
        }
    };
    ask();
    assert_eq!(allocation_counter::measure(ask).count_total, 0);
}
