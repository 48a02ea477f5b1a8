//! Filling a cache before it is asked.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use vcache::warm::{Fetching, Pattern, Warmer};
use vcache::{Cache, TokioClock};

const SECOND: Duration = Duration::from_secs(1);

fn cache() -> Cache<u32, u32> {
    Cache::builder().clock(TokioClock::new()).build().unwrap()
}

/// Fetches each key in a second and notes it; multiples of ten fail.
fn slow(pattern: Pattern<u32>, seen: &Arc<Mutex<Vec<u32>>>) -> Fetching<u32, u32> {
    let seen = Arc::clone(seen);
    pattern.fetch(move |key| {
        seen.lock().unwrap().push(key);
        async move {
            sleep(SECOND).await;
            if key % 10 == 0 { Err(io::Error::other("away")) } else { Ok(key) }
        }
    })
}

#[tokio::test(start_paused = true)]
async fn the_barrier_opens_when_all_is_warm() {
    let (cache, seen) = (cache(), Arc::default());
    cache.insert(3, 33);
    let later = Pattern::keys("later", [8, 9]);
    let first = Pattern::generated("first", || async { Ok::<_, io::Error>((1..=5).collect()) });
    let warmer = Warmer::builder(cache.clone())
        .pattern(slow(later, &seen))
        .pattern(slow(first.priority(5).ttl(7 * SECOND), &seen))
        .concurrency(2)
        .start();
    let began = Instant::now();
    let progress = warmer.warmed().await;
    assert_eq!(began.elapsed(), 3 * SECOND);
    assert_eq!((progress.keys, progress.loaded, progress.skipped), (7, 6, 1));
    assert_eq!((progress.done(), progress.rounds), (7, 1));
    assert_eq!(*seen.lock().unwrap(), [1, 2, 4, 5, 8, 9]);
    assert_eq!((cache.get(&3), cache.get(&9)), (Some(33), Some(9)));
    assert_eq!(cache.get_with_ttl(&1).unwrap().1, Some(5 * SECOND));
    warmer.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_would_expire_before_the_next_round_is_fetched_in_this_one() {
    let (cache, seen) = (cache(), Arc::default());
    let pattern = slow(Pattern::keys("all", [1]).ttl(15 * SECOND), &seen);
    let warmer = Warmer::builder(cache.clone()).pattern(pattern).interval(10 * SECOND).start();
    warmer.warmed().await;
    for _ in 0..100 {
        assert_eq!(cache.get(&1), Some(1));
        sleep(SECOND).await;
    }
    assert!(seen.lock().unwrap().len() >= 10);
    drop(warmer);
    sleep(20 * SECOND).await;
    assert_eq!(cache.get(&1), None);
}

#[tokio::test(start_paused = true)]
async fn failures_are_counted_and_not_fatal() {
    let (cache, seen) = (cache(), Arc::default());
    let away = Pattern::<u32>::generated("away", || async { Err(io::Error::other("away")) });
    let endless = Pattern::<u32>::generated("endless", || {
        std::future::pending::<Result<Vec<u32>, io::Error>>()
    });
    let panicking = Pattern::keys("panicking", [7]).fetch(|key| async move {
        if std::hint::black_box(true) {
            panic!("the fetcher's own");
        }
        Ok::<_, io::Error>(key)
    });
    let hanging =
        Pattern::keys("hanging", [6]).fetch(|_| std::future::pending::<Result<u32, io::Error>>());
    let warmer = Warmer::builder(cache.clone())
        .pattern(slow(away, &seen))
        .pattern(slow(endless, &seen))
        .pattern(panicking)
        .pattern(hanging)
        .pattern(slow(Pattern::keys("last", [10, 11]), &seen))
        .timeout(5 * SECOND)
        .start();
    let progress = warmer.warmed().await;
    assert_eq!((progress.failed_patterns, progress.failed, progress.loaded), (2, 3, 1));
    assert_eq!((cache.get(&11), cache.loads()), (Some(11), 0));
}

#[tokio::test(start_paused = true)]
async fn progress_can_be_followed_to_the_end() {
    let (cache, seen) = (cache(), Arc::default());
    let pattern = slow(Pattern::keys("all", 1..=5), &seen);
    let warmer = Warmer::builder(cache).pattern(pattern).concurrency(1).start();
    let (mut watch, mut done) = (warmer.watch(), Vec::new());
    while let Some(progress) = watch.next().await {
        done.push(progress.done());
    }
    done.dedup();
    assert_eq!(done, [0, 1, 2, 3, 4, 5]);
    assert_eq!(warmer.progress().rounds, 1);
}

#[tokio::test(start_paused = true)]
async fn readers_wait_for_what_is_being_warmed() {
    let (cache, seen, loads) = (cache(), Arc::default(), Arc::new(AtomicUsize::new(0)));
    let warmer =
        Warmer::builder(cache.clone()).pattern(slow(Pattern::keys("all", [1]), &seen)).start();
    while cache.loads() == 0 {
        tokio::task::yield_now().await;
    }
    let counted = Arc::clone(&loads);
    let load = move || async move {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok::<_, io::Error>(1000)
    };
    assert_eq!(cache.get_or_load(1, load).await.unwrap(), 1);
    assert_eq!(loads.load(Ordering::SeqCst), 0);
    warmer.stop().await;
}
