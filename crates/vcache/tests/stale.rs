//! Refreshing before and after the end of a value's time, and failures that are kept.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::task::{JoinSet, yield_now};
use tokio::time::{advance, sleep};
use vcache::{Cache, Config, Keep, LoadError, Loaded, Loading, ManualClock, Op, TokioClock};

type Numbers = Cache<u8, u32>;

const SECOND: Duration = Duration::from_secs(1);

fn cache(loading: Loading) -> Numbers {
    let config = Config { ttl: Some(10 * SECOND), loading, ..Config::default() };
    Cache::builder().config(config).clock(TokioClock::new()).build().unwrap()
}

/// Gives 1, 2, 3 … after a second each, or fails.
#[derive(Clone, Default)]
struct Source {
    loads: Arc<AtomicU32>,
    fails: Arc<AtomicU32>,
}

impl Source {
    fn loads(&self) -> u32 {
        self.loads.load(Ordering::SeqCst)
    }

    fn fail(&self, fails: bool) {
        self.fails.store(u32::from(fails), Ordering::SeqCst);
    }

    async fn load(self) -> Result<u32, io::Error> {
        let number = self.loads.fetch_add(1, Ordering::SeqCst) + 1;
        sleep(SECOND).await;
        if self.fails.load(Ordering::SeqCst) == 1 {
            return Err(io::Error::other("away"));
        }
        Ok(number)
    }

    async fn get(&self, cache: &Numbers) -> Result<u32, LoadError> {
        let source = self.clone();
        cache.get_or_load(7, || source.load()).await
    }
}

/// Lets refreshes begin, or end.
async fn settle() {
    for _ in 0..10 {
        yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stale_value_is_returned_while_exactly_one_refresh_runs() {
    let stale_while_revalidate = 5 * SECOND;
    let cache = cache(Loading { stale_while_revalidate, ..Loading::default() });
    let source = Source::default();
    assert_eq!(source.get(&cache).await.unwrap(), 1);
    advance(10 * SECOND).await;
    let mut tasks = JoinSet::new();
    for _ in 0..1000 {
        let (cache, source) = (cache.clone(), source.clone());
        tasks.spawn(async move { source.get(&cache).await.unwrap() });
    }
    assert!(tasks.join_all().await.into_iter().all(|number| number == 1));
    assert_eq!(source.loads(), 2);
    assert_eq!(cache.get(&7), None, "a look that loads nothing returns nothing stale");
    sleep(SECOND).await;
    settle().await;
    assert_eq!(cache.get(&7), Some(2));
    assert_eq!(source.get(&cache).await.unwrap(), 2);
    let stats = cache.load_stats();
    assert_eq!((stats.refreshes, stats.stale_while_revalidate), (1, 1000));
}

#[tokio::test(start_paused = true)]
async fn the_window_ends_to_the_nanosecond() {
    let stale_while_revalidate = 5 * SECOND;
    let cache = cache(Loading { stale_while_revalidate, ..Loading::default() });
    let source = Source::default();
    for (past, expected) in [(Duration::from_nanos(1), 2), (Duration::ZERO, 3)] {
        let now = tokio::time::Instant::now();
        cache.insert(7, 1);
        advance(15 * SECOND - past).await;
        let got = source.get(&cache).await.unwrap();
        assert_eq!(got, if past.is_zero() { expected - 1 } else { 1 });
        let waited = now.elapsed() - (15 * SECOND - past);
        assert_eq!(waited >= SECOND, past.is_zero());
        sleep(2 * SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_refresh_is_tried_again_after_a_pause() {
    let stale_while_revalidate = 100 * SECOND;
    let cache = cache(Loading { stale_while_revalidate, ..Loading::default() });
    let source = Source::default();
    source.get(&cache).await.unwrap();
    source.fail(true);
    advance(10 * SECOND).await;
    assert_eq!(source.get(&cache).await.unwrap(), 1);
    sleep(SECOND).await;
    settle().await;
    assert_eq!(source.loads(), 2);
    for _ in 0..10 {
        assert_eq!(source.get(&cache).await.unwrap(), 1);
    }
    settle().await;
    assert_eq!(source.loads(), 2, "not once a hit");
    source.fail(false);
    advance(SECOND).await;
    assert_eq!(source.get(&cache).await.unwrap(), 1);
    sleep(SECOND).await;
    settle().await;
    assert_eq!((cache.get(&7), source.loads()), (Some(3), 3));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_never_ends_is_ended() {
    let loading = Loading {
        stale_while_revalidate: 1000 * SECOND,
        refresh_timeout: 30 * SECOND,
        ..Loading::default()
    };
    let cache = cache(loading);
    cache.insert(7, 1);
    advance(10 * SECOND).await;
    let endless = || std::future::pending::<Result<u32, io::Error>>();
    assert_eq!(cache.get_or_load(7, endless).await.unwrap(), 1);
    settle().await;
    assert_eq!(cache.loads(), 1);
    sleep(31 * SECOND).await;
    assert_eq!((cache.loads(), cache.load_stats().timed_out), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn refreshes_are_bounded_and_end_with_the_cache() {
    let loading = Loading { stale_while_revalidate: 1000 * SECOND, ..Loading::default() };
    let config = Config { ttl: Some(SECOND), max_refreshes: 2, loading, ..Config::default() };
    let clock = TokioClock::new();
    let cache = Numbers::builder().config(config).clock(clock).build().unwrap();
    let held = Arc::new(());
    for key in 0..5 {
        cache.insert(key, 1);
    }
    advance(SECOND).await;
    for key in 0..5 {
        let own = Arc::clone(&held);
        let endless = move || async move {
            let () = std::future::pending().await;
            drop(own);
            Ok::<_, io::Error>(0)
        };
        assert_eq!(cache.get_or_load(key, endless).await.unwrap(), 1);
    }
    let stats = cache.load_stats();
    assert_eq!((stats.refreshes, stats.skipped_refreshes), (2, 3));
    settle().await;
    assert_eq!(Arc::strong_count(&held), 3);
    drop(cache);
    settle().await;
    assert_eq!(Arc::strong_count(&held), 1);
}

#[tokio::test(start_paused = true)]
async fn who_allows_no_background_waits_alone() {
    let loading = Loading { stale_while_revalidate: 5 * SECOND, ..Loading::default() };
    let config = Config { ttl: Some(10 * SECOND), max_refreshes: 0, loading, ..Config::default() };
    let cache = Cache::builder().config(config).clock(TokioClock::new()).build().unwrap();
    let source = Source::default();
    cache.insert(7, 10);
    advance(10 * SECOND).await;
    let first = source.get(&cache);
    let others = async {
        yield_now().await;
        let began = tokio::time::Instant::now();
        assert_eq!(source.get(&cache).await.unwrap(), 10);
        began.elapsed()
    };
    let (_, waited) = tokio::join!(first, others);
    assert_eq!(waited, Duration::ZERO);
    assert_eq!((cache.get(&7), source.loads()), (Some(1), 1));
}

#[tokio::test(start_paused = true)]
async fn a_value_stands_in_for_a_failing_load() {
    let cache = cache(Loading { stale_if_error: 60 * SECOND, ..Loading::default() });
    let source = Source::default();
    source.get(&cache).await.unwrap();
    source.fail(true);
    advance(20 * SECOND).await;
    assert_eq!(cache.get(&7), None);
    assert_eq!(source.get(&cache).await.unwrap(), 1);
    assert_eq!((source.loads(), cache.load_stats().stale_if_error), (2, 1));
    advance(50 * SECOND).await;
    assert!(matches!(source.get(&cache).await, Err(LoadError::Failed(_))));
}

#[tokio::test(start_paused = true)]
async fn no_value_stands_in_after_its_removal() {
    let cache = cache(Loading { stale_if_error: 60 * SECOND, ..Loading::default() });
    let source = Source::default();
    cache.insert(7, 1);
    source.fail(true);
    advance(20 * SECOND).await;
    let (got, ()) = tokio::join!(source.get(&cache), async {
        yield_now().await;
        cache.remove(&7);
    });
    assert!(got.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_value_may_say_itself_how_long_it_is_good_for() {
    let cache = cache(Loading::default());
    let load = || async {
        let loaded = Loaded::new(1).ttl(SECOND).stale_while_revalidate(SECOND);
        Ok::<_, io::Error>(loaded.stale_if_error(10 * SECOND))
    };
    cache.get_or_load_with(7, &Loading::default(), load).await.unwrap();
    let (_, left) = cache.get_with_ttl(&7).unwrap();
    assert_eq!(left, Some(SECOND));
    let source = Source::default();
    source.fail(true);
    advance(3 * SECOND).await;
    assert_eq!((source.get(&cache).await.unwrap(), source.loads()), (1, 1));
    advance(10 * SECOND).await;
    assert!(source.get(&cache).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_is_in_demand_is_refreshed_ahead() {
    let cache = cache(Loading { refresh_ahead_percent: 80, ..Loading::default() });
    let source = Source::default();
    cache.insert(7, 10);
    advance(8 * SECOND - Duration::from_nanos(1)).await;
    assert_eq!((source.get(&cache).await.unwrap(), cache.loads()), (10, 0));
    advance(Duration::from_nanos(1)).await;
    assert_eq!(source.get(&cache).await.unwrap(), 10);
    assert_eq!(source.get(&cache).await.unwrap(), 10);
    sleep(SECOND).await;
    settle().await;
    assert_eq!((cache.get(&7), source.loads()), (Some(1), 1));
    advance(5 * SECOND).await;
    assert_eq!(cache.get(&7), Some(1), "fresh for ten seconds from its refresh on");
}

#[tokio::test(start_paused = true)]
async fn early_refreshes_follow_the_load_time() {
    // 500 caches, as 500 processes: with a load of one second and one second left, a look
    // refreshes with probability 1/e.
    let (mut early, mut late) = (0, 0);
    for _ in 0..500 {
        let cache = cache(Loading { early_percent: 100, ..Loading::default() });
        let source = Source::default();
        source.get(&cache).await.unwrap();
        advance(9 * SECOND).await;
        assert_eq!(source.get(&cache).await.unwrap(), 1);
        if cache.load_stats().refreshes == 1 { early += 1 } else { late += 1 }
    }
    // 184 expected; five standard deviations.
    assert!((130..238).contains(&early), "{early} early and {late} late");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_kept_for_its_time() {
    let negative_ttl = Some(5 * SECOND);
    let cache = cache(Loading { negative_ttl, ..Loading::default() });
    let source = Source::default();
    source.fail(true);
    for _ in 0..10 {
        assert!(matches!(source.get(&cache).await, Err(LoadError::Failed(_))));
    }
    assert_eq!(source.loads(), 1);
    source.fail(false);
    advance(5 * SECOND).await;
    assert_eq!(source.get(&cache).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_kept_failure_goes_with_its_key() {
    let negative_ttl = Some(500 * SECOND);
    let forget: [fn(&Numbers); 4] = [
        |cache| assert_eq!(cache.remove(&7), None),
        Cache::clear,
        |cache| cache.retain(|_, _| true),
        |cache| assert_eq!(cache.update(7, |_| None), None),
    ];
    for forget in forget {
        let cache = cache(Loading { negative_ttl, ..Loading::default() });
        let source = Source::default();
        source.fail(true);
        assert!(source.get(&cache).await.is_err());
        source.fail(false);
        forget(&cache);
        assert_eq!(source.get(&cache).await.unwrap(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_loader_that_never_returns_is_given_up() {
    let timeout = Some(3 * SECOND);
    let cache = cache(Loading { timeout, ..Loading::default() });
    let endless = || std::future::pending::<Result<u32, io::Error>>();
    let (one, other) = tokio::join!(cache.get_or_load(7, endless), cache.get_or_load(7, endless));
    for ended in [one, other] {
        assert!(matches!(ended, Err(LoadError::TimedOut(limit)) if limit == 3 * SECOND));
    }
    assert_eq!((cache.loads(), cache.load_stats().timed_out), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn loaders_take_turns() {
    let config = Config { concurrent_loads: 2, ..Config::default() };
    let cache = Cache::<u8, u32>::builder().config(config).build().unwrap();
    let (running, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let mut tasks = JoinSet::new();
    for key in 0..10 {
        let (cache, running, most) = (cache.clone(), Arc::clone(&running), Arc::clone(&most));
        tasks.spawn(async move {
            let load = move || async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                sleep(SECOND).await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, io::Error>(0)
            };
            cache.get_or_load(key, load).await
        });
    }
    let began = tokio::time::Instant::now();
    assert!(tasks.join_all().await.iter().all(Result::is_ok));
    assert_eq!((most.load(Ordering::SeqCst), began.elapsed()), (2, 5 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_jittered_ttl_is_shorter_and_never_longer() {
    let config = Config { ttl: Some(100 * SECOND), ttl_jitter_percent: 20, ..Config::default() };
    let cache = Cache::<u32, u32>::builder().config(config).build().unwrap();
    let mut lives = Vec::new();
    for key in 0..1000 {
        cache.insert(key, 0);
        lives.push(cache.get_with_ttl(&key).unwrap().1.unwrap());
    }
    assert!(lives.iter().all(|life| (79 * SECOND..=100 * SECOND).contains(life)));
    let (shortest, longest) = (lives.iter().min().unwrap(), lives.iter().max().unwrap());
    assert!(*shortest < 82 * SECOND && *longest > 98 * SECOND, "{shortest:?} to {longest:?}");
}

#[tokio::test(start_paused = true)]
async fn a_loader_may_use_the_cache_itself() {
    let loading = Loading { stale_while_revalidate: 5 * SECOND, ..Loading::default() };
    let cache = cache(loading);
    let load = |cache: Numbers| {
        move || async move {
            cache.insert(8, 8);
            cache.invalidate_tag("any");
            let inner = cache.get_or_load(9, || async { Ok::<_, io::Error>(9) }).await?;
            Ok::<_, LoadError>(inner + cache.get(&8).unwrap_or_default())
        }
    };
    assert_eq!(cache.get_or_load(7, load(cache.clone())).await.unwrap(), 17);
    advance(10 * SECOND).await;
    assert_eq!(cache.get_or_load(7, load(cache.clone())).await.unwrap(), 17);
    settle().await;
    assert_eq!(cache.get(&7), Some(17));
}

/// How many of 64 failures are kept whose keys and texts are so long.
async fn kept_failures(key: usize, text: usize) -> usize {
    let negative_ttl = Some(500 * SECOND);
    let config =
        Config { loading: Loading { negative_ttl, ..Loading::default() }, ..Config::default() };
    let cache = Cache::<String, u32>::builder().config(config).build().unwrap();
    let (mut kept, padding) = (0, "x".repeat(key));
    for _ in 0..2 {
        kept = 64;
        for number in 0..64 {
            let loads = Arc::new(AtomicU32::new(0));
            let counted = Arc::clone(&loads);
            let load = move || async move {
                counted.fetch_add(1, Ordering::Relaxed);
                Err(io::Error::other("x".repeat(text)))
            };
            cache.get_or_load(format!("{number}{padding}"), load).await.unwrap_err();
            kept -= usize::try_from(loads.load(Ordering::Relaxed)).unwrap();
        }
    }
    kept
}

#[tokio::test]
async fn failures_are_kept_as_long_as_their_keys_and_texts_fit_a_mebibyte() {
    assert_eq!(kept_failures(10, 10).await, 64);
    let large = kept_failures(100 << 10, 10).await;
    assert!(large <= 10, "{large}");
    let wordy = kept_failures(10, 100 << 10).await;
    assert!(wordy <= 10, "{wordy}");
    assert_eq!(kept_failures(2 << 20, 10).await, 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_step_has_stored_ages_as_what_was_inserted() {
    let steps: [fn(&Numbers); 4] = [
        |cache| assert_eq!(cache.upsert(7, |_| 100), 100),
        |cache| assert_eq!(cache.update(7, |_| Some(100)), Some(100)),
        |cache| assert_eq!(cache.compute(7, |_| Op::Put(100)).into_old(), Some(1)),
        |cache| assert_eq!(cache.replace_if(7, 100, |_| true), Ok(1)),
    ];
    for step in steps {
        let cache = cache(Loading {
            stale_while_revalidate: 5 * SECOND,
            stale_if_error: 60 * SECOND,
            ..Loading::default()
        });
        let source = Source::default();
        cache.insert_loaded(7, Loaded::new(1).tags(["tag"]).pinned());
        step(&cache);
        advance(12 * SECOND).await;
        assert_eq!(cache.get(&7), None);
        assert_eq!(source.get(&cache).await.unwrap(), 100);
        settle().await;
        source.fail(true);
        advance(20 * SECOND).await;
        settle().await;
        assert_eq!(source.get(&cache).await.unwrap(), 100);
        // It has its tags.
        cache.invalidate_tag("tag");
        assert!(source.get(&cache).await.is_err());
    }
}

#[test]
fn what_a_step_has_stored_stays_pinned_and_has_times_of_its_own() {
    let config = Config { ttl: Some(10 * SECOND), max_size: 4096, ..Config::default() };
    let clock = ManualClock::new();
    let cache = Cache::builder().config(config).clock(clock.clone()).build().unwrap();
    cache.insert_loaded(7, Loaded::new(1).pinned());
    cache.upsert(7, |_| 2);
    cache.compute(8, |_| Op::PutWith(3, Keep::new().ttl(100 * SECOND)));
    for other in 100..1000 {
        cache.insert(other, 0);
    }
    assert_eq!(cache.get(&7), Some(2));
    cache.compute(8, |_| Op::PutWith(3, Keep::new().ttl(100 * SECOND)));
    clock.advance(11 * SECOND);
    assert_eq!((cache.get(&7), cache.get(&8)), (None, Some(3)));
}
