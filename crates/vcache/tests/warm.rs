//! Filling a cache before it is asked.
#![cfg(feature = "tokio")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::{Instant, sleep};
use vcache::warm::{Job, Pattern, Warmed, Warmer};
use vcache::{Cache, Loaded, MemoryStore, Raw, Tiered, TokioClock};

const SECOND: Duration = Duration::from_secs(1);

fn cache() -> Cache<u32, u32> {
    Cache::builder().clock(TokioClock::new()).build().unwrap()
}

/// Fetches each key in a second and notes it; multiples of ten fail.
fn slow(pattern: Pattern<u32>, cache: &Cache<u32, u32>, seen: &Arc<Mutex<Vec<u32>>>) -> Job {
    let seen = Arc::clone(seen);
    pattern.fill(cache, move |key| {
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
    let warmer = Warmer::builder()
        .pattern(slow(later, &cache, &seen))
        .pattern(slow(first.priority(5).ttl(7 * SECOND), &cache, &seen))
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
    let pattern = slow(Pattern::keys("all", [1]).ttl(15 * SECOND), &cache, &seen);
    let warmer = Warmer::builder().pattern(pattern).interval(10 * SECOND).start();
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
    let panicking = Pattern::keys("panicking", [7]).fill(&cache, |key| async move {
        if std::hint::black_box(true) {
            panic!("the fetcher's own");
        }
        Ok::<_, io::Error>(key)
    });
    let hanging = Pattern::keys("hanging", [6])
        .fill(&cache, |_| std::future::pending::<Result<u32, io::Error>>());
    let warmer = Warmer::builder()
        .pattern(slow(away, &cache, &seen))
        .pattern(slow(endless, &cache, &seen))
        .pattern(panicking)
        .pattern(hanging)
        .pattern(slow(Pattern::keys("last", [10, 11]), &cache, &seen))
        .timeout(5 * SECOND)
        .start();
    let progress = warmer.warmed().await;
    assert_eq!((progress.failed_patterns, progress.failed, progress.loaded), (2, 3, 1));
    assert_eq!((cache.get(&11), cache.loads()), (Some(11), 0));
    let figures = warmer.patterns();
    let figures: Vec<_> = figures
        .iter()
        .map(|of| (&*of.name, of.loaded, of.failed, of.failed_rounds, of.last_error.as_deref()))
        .collect();
    let expected = [
        ("away", 0, 0, 1, Some("away")),
        ("endless", 0, 0, 1, Some("it took longer than 5s")),
        ("panicking", 0, 1, 0, Some("the loader panicked")),
        ("hanging", 0, 1, 0, Some("it took longer than 5s")),
        ("last", 1, 1, 0, Some("the load failed: away")),
    ];
    assert_eq!(figures, expected);
}

#[tokio::test(start_paused = true)]
async fn progress_can_be_followed_to_the_end() {
    let (cache, seen) = (cache(), Arc::default());
    let pattern = slow(Pattern::keys("all", 1..=5), &cache, &seen);
    let warmer = Warmer::builder().pattern(pattern).concurrency(1).start();
    let (mut watch, mut done) = (warmer.watch(), Vec::new());
    while let Some(progress) = watch.next().await {
        done.push(progress.done());
    }
    done.dedup();
    assert_eq!(done, [0, 1, 2, 3, 4, 5]);
    assert_eq!(warmer.progress().rounds, 1);
}

#[tokio::test(start_paused = true)]
async fn progress_is_a_stream_that_ends_and_stays_ended() {
    let (cache, seen) = (cache(), Arc::default());
    let pattern = slow(Pattern::keys("all", [1, 2]), &cache, &seen);
    let warmer = Warmer::builder().pattern(pattern).start();
    let last = warmer.watch().map(|progress| progress.done()).collect::<Vec<_>>().await;
    assert_eq!(last.last(), Some(&2));
    let mut watch = warmer.watch();
    assert_eq!(watch.by_ref().count().await, 1);
    assert_eq!(watch.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn patterns_have_intervals_of_their_own() {
    let (cache, often, once) = (cache(), Arc::default(), Arc::default());
    let fast = Pattern::keys("fast", [1]).interval(10 * SECOND).ttl(5 * SECOND);
    let slowly = Pattern::keys("slow", [2]).ttl(SECOND);
    let warmer = Warmer::builder()
        .pattern(slow(fast, &cache, &often))
        .pattern(slow(slowly, &cache, &once))
        .interval(60 * SECOND)
        .start();
    sleep(65 * SECOND).await;
    assert_eq!((often.lock().unwrap().len(), once.lock().unwrap().len()), (7, 2));
    let rounds: Vec<_> = warmer.patterns().iter().map(|of| of.rounds).collect();
    assert_eq!((rounds, warmer.progress().rounds), (vec![7, 2], 7));
}

#[tokio::test]
async fn what_a_store_has_is_brought_near_and_not_fetched() {
    let store = MemoryStore::new(MemoryStore::sized(1 << 20).build().unwrap());
    let memory = || Tiered::<String, _, _>::builder(store.clone(), Raw).build().unwrap();
    let fetched = Arc::new(AtomicUsize::new(0));
    for (round, fetches) in [(1, 2), (2, 2)] {
        let (cache, counted) = (memory(), Arc::clone(&fetched));
        let keys = Pattern::keys("pages", ["a", "b"]).ttl(600 * SECOND);
        let job = keys.fill(&cache, move |key| {
            counted.fetch_add(1, Ordering::SeqCst);
            async move { Ok::<_, io::Error>(format!("page {key}")) }
        });
        let warmer = Warmer::builder().pattern(job).start();
        let progress = warmer.warmed().await;
        assert_eq!(progress.loaded, if round == 1 { 2 } else { 0 });
        assert_eq!(progress.skipped, if round == 1 { 0 } else { 2 });
        assert_eq!(fetched.load(Ordering::SeqCst), fetches);
        assert_eq!(cache.get_near("b").as_deref(), Some("page b"));
    }
    // Less than it is to stay: fetched by one, though the store has it.
    let (cache, counted) = (memory(), Arc::clone(&fetched));
    let keys = Pattern::keys("pages", ["a", "b"]).interval(3600 * SECOND);
    let warmer = Warmer::builder()
        .pattern(keys.fill(&cache, move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            async move { Ok::<_, io::Error>("new".to_owned()) }
        }))
        .start();
    assert_eq!(warmer.warmed().await.loaded, 2);
    assert_eq!(memory().get("a").await.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_reload_replaces_what_is_in_memory_and_in_the_store() {
    let store = MemoryStore::new(MemoryStore::sized(1 << 20).build().unwrap());
    let memory = || Tiered::<String, _, _>::builder(store.clone(), Raw).build().unwrap();
    let cache = memory();
    cache.insert("a", "old".to_owned(), None).await.unwrap();
    let load = || async { Ok::<_, io::Error>(Loaded::new("new".to_owned())) };
    assert_eq!(cache.reload("a", load).await.unwrap(), "new");
    let away = || async { Err::<Loaded<String>, _>(io::Error::other("away")) };
    assert!(cache.reload("a", away).await.is_err());
    assert_eq!(cache.get_near("a").as_deref(), Some("new"));
    assert_eq!(memory().get("a").await.as_deref(), Some("new"));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_cache_is_visited() {
    let stays = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&stays);
    let visit = Pattern::keys("pages", ["/a", "/b", "/c"]).visit(move |page, stay| {
        noted.lock().unwrap().push(stay);
        assert_ne!(page, "/c", "on purpose");
        let done = if page == "/a" { Warmed::Loaded } else { Warmed::Skipped };
        async move { Ok::<_, io::Error>(done) }
    });
    let warmer = Warmer::builder().name("pages").pattern(visit).interval(9 * SECOND).start();
    let progress = warmer.warmed().await;
    assert_eq!((progress.loaded, progress.skipped, progress.failed), (1, 1, 1));
    assert_eq!(warmer.patterns()[0].last_error.as_deref(), Some("it panicked"));
    assert_eq!(*stays.lock().unwrap(), [9 * SECOND; 3]);
}

#[tokio::test(start_paused = true)]
async fn readers_wait_for_what_is_being_warmed() {
    let (cache, seen, loads) = (cache(), Arc::default(), Arc::new(AtomicUsize::new(0)));
    let warmer = Warmer::builder().pattern(slow(Pattern::keys("all", [1]), &cache, &seen)).start();
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
