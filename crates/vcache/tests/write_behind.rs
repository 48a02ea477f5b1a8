//! Writing behind: batches, order, failures, bounds and the end, on a paused clock.
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
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::{Instant, sleep, timeout};
use vcache::{
    Change, DeadLetter, WhenFull, WriteBehind, WriteBehindBuildError, WriteBehindConfig, WriteError,
};

type Batch = Vec<(u32, Change<u32>)>;

/// A source that notes what it gets, and can be away.
#[derive(Clone, Default)]
struct Source {
    batches: Arc<Mutex<Vec<Batch>>>,
    away: Arc<AtomicBool>,
    /// Milliseconds that it takes for a batch.
    slow: Arc<AtomicU64>,
    attempts: Arc<Mutex<Vec<Instant>>>,
}

impl Source {
    fn writer(&self, config: WriteBehindConfig) -> WriteBehind<u32, u32> {
        let source = self.clone();
        WriteBehind::builder(move |batch| source.clone().take(batch))
            .config(config)
            .build()
            .unwrap()
    }

    async fn take(self, batch: Batch) -> Result<(), io::Error> {
        self.attempts.lock().unwrap().push(Instant::now());
        if self.away.load(Ordering::Relaxed) {
            return Err(io::Error::other("away"));
        }
        sleep(Duration::from_millis(self.slow.load(Ordering::Relaxed))).await;
        self.batches.lock().unwrap().push(batch);
        Ok(())
    }

    fn away(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }

    fn slow(&self, millis: u64) {
        self.slow.store(millis, Ordering::Relaxed);
    }

    fn batches(&self) -> Vec<Batch> {
        self.batches.lock().unwrap().clone()
    }

    fn state(&self) -> HashMap<u32, Change<u32>> {
        self.batches().into_iter().flatten().collect()
    }
}

fn config() -> WriteBehindConfig {
    WriteBehindConfig { batch: 3, interval: Duration::from_secs(1), ..WriteBehindConfig::default() }
}

const LONG: Duration = Duration::from_secs(3600);

/// Whether it is still waiting when nothing else happens.
async fn waits(future: impl Future) -> bool {
    timeout(Duration::from_millis(1), future).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn a_batch_goes_when_it_is_full_or_its_time_has_come() {
    let source = Source::default();
    let writer = source.writer(config());
    writer.put(1, 10).await.unwrap();
    writer.remove(2).await.unwrap();
    sleep(Duration::from_millis(999)).await;
    assert_eq!(source.batches().len(), 0);
    sleep(Duration::from_millis(2)).await;
    assert_eq!(source.batches(), [vec![(1, Change::Put(10)), (2, Change::Remove)]]);
    for key in 3..6 {
        writer.put(key, 0).await.unwrap();
    }
    sleep(Duration::from_millis(1)).await;
    assert_eq!(source.batches()[1].len(), 3);
    assert_eq!(writer.stats().pending, 0);
}

#[tokio::test(start_paused = true)]
async fn the_source_sees_the_last_write_of_a_key_only() {
    let source = Source::default();
    let writer = source.writer(config());
    for value in 0..100 {
        writer.put(1, value).await.unwrap();
    }
    assert_eq!(writer.pending(&1), Some(Change::Put(99)));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(source.batches(), [vec![(1, Change::Put(99))]]);
    let stats = writer.stats();
    assert_eq!((stats.written, stats.coalesced, stats.batches), (1, 99, 1));
    assert_eq!(writer.pending(&1), None);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_away_gets_everything_later_and_is_not_hammered() {
    let source = Source::default();
    let writer = source.writer(config());
    source.away(true);
    for key in 0..10 {
        writer.put(key, 1).await.unwrap();
    }
    sleep(Duration::from_secs(120)).await;
    writer.put(0, 2).await.unwrap();
    let stats = writer.stats();
    assert_eq!((stats.pending, stats.written), (10, 0));
    assert_eq!(stats.last_error.as_deref(), Some("away"));
    // With full jitter waits are random; their ceilings double from 100 ms to 30 s.
    assert!(stats.failures > 3 && stats.failures < 100, "{stats:?}");
    source.away(false);
    writer.flush().await;
    assert_eq!(writer.stats().last_error, None);
    let state = source.state();
    assert_eq!(state.len(), 10);
    assert_eq!(state[&0], Change::Put(2));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_or_never_answers_is_one_that_failed() {
    let turn = Arc::new(Mutex::new(0));
    let turns = Arc::clone(&turn);
    let writer = WriteBehind::<u32, u32>::builder(move |_| {
        let turn = {
            let mut turn = turns.lock().unwrap();
            *turn += 1;
            *turn
        };
        async move {
            match turn {
                1 => panic!("on purpose"),
                2 => std::future::pending().await,
                _ => Ok::<_, io::Error>(()),
            }
        }
    })
    .config(config())
    .build()
    .unwrap();
    writer.put(1, 1).await.unwrap();
    writer.flush().await;
    assert_eq!(*turn.lock().unwrap(), 3);
    assert_eq!(writer.stats().failures, 2);
}

#[tokio::test(start_paused = true)]
async fn one_more_key_waits_for_room_and_a_pending_one_does_not() {
    let source = Source::default();
    let writer = source.writer(WriteBehindConfig { max_pending: 4, ..config() });
    source.away(true);
    for key in 0..4 {
        writer.put(key, 0).await.unwrap();
    }
    assert!(waits(writer.put(4, 0)).await);
    writer.put(3, 1).await.unwrap();
    let late = writer.clone();
    let late = tokio::spawn(async move { late.put(4, 0).await });
    source.away(false);
    late.await.unwrap().unwrap();
    writer.flush().await;
    assert_eq!(source.state().len(), 5);
    // All the room is there again.
    source.away(true);
    for key in 10..14 {
        assert!(!waits(writer.put(key, 0)).await, "{key}");
    }
    assert!(waits(writer.put(14, 0)).await);
}

#[tokio::test(start_paused = true)]
async fn one_more_key_is_refused_if_that_is_wanted() {
    let source = Source::default();
    let when_full = WhenFull::Reject;
    let writer = source.writer(WriteBehindConfig { max_pending: 1, when_full, ..config() });
    writer.put(1, 1).await.unwrap();
    assert!(matches!(writer.put(2, 1).await, Err(WriteError::Full { max: 1 })));
    writer.put(1, 2).await.unwrap();
    writer.flush().await;
    writer.put(2, 1).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn closing_writes_what_is_pending_and_takes_no_more() {
    let source = Source::default();
    let writer = source.writer(WriteBehindConfig { interval: LONG, ..config() });
    for key in 0..2 {
        writer.put(key, 1).await.unwrap();
    }
    let other = writer.clone();
    let report = writer.close(Duration::from_secs(1)).await;
    assert_eq!((report.written, report.left), (2, 0));
    assert!(matches!(other.put(9, 1).await, Err(WriteError::Closed)));
    let again = other.close(Duration::from_secs(1)).await;
    assert_eq!((again.written, again.left), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn closing_keeps_to_its_deadline_and_tells_what_is_left() {
    let source = Source::default();
    let writer = source.writer(WriteBehindConfig { max_pending: 5, ..config() });
    source.away(true);
    for key in 0..5 {
        writer.put(key, 1).await.unwrap();
    }
    let waiting = writer.clone();
    let waiting = tokio::spawn(async move { waiting.put(9, 1).await });
    tokio::task::yield_now().await;
    let before = Instant::now();
    let report = writer.close(Duration::from_secs(3)).await;
    assert_eq!(before.elapsed(), Duration::from_secs(3));
    assert_eq!((report.written, report.left), (0, 5));
    assert!(matches!(waiting.await.unwrap(), Err(WriteError::Closed)));
    // The task has gone: nobody knocks any longer.
    let attempts = source.attempts.lock().unwrap().len();
    sleep(LONG).await;
    assert_eq!(source.attempts.lock().unwrap().len(), attempts);
}

#[tokio::test(start_paused = true)]
async fn a_flush_does_not_wait_for_what_comes_later() {
    let source = Source::default();
    let writer = source.writer(WriteBehindConfig { interval: LONG, ..config() });
    writer.put(1, 1).await.unwrap();
    let flush = writer.clone();
    let flush = tokio::spawn(async move { flush.flush().await });
    tokio::task::yield_now().await;
    writer.put(2, 1).await.unwrap();
    flush.await.unwrap();
    assert_eq!(writer.pending(&1), None);
}

#[tokio::test(start_paused = true)]
async fn a_flush_waits_for_what_came_while_an_older_write_of_its_key_was_on_its_way() {
    let source = Source::default();
    let writer = source.writer(WriteBehindConfig { interval: LONG, ..config() });
    source.slow(10);
    writer.put(1, 1).await.unwrap();
    let first = writer.clone();
    let first = tokio::spawn(async move { first.flush().await });
    sleep(Duration::from_millis(5)).await;
    writer.put(1, 2).await.unwrap();
    writer.flush().await;
    assert_eq!(source.state()[&1], Change::Put(2));
    first.await.unwrap();
}

/// Waits after failures that no test lives to see the end of.
fn patient() -> WriteBehindConfig {
    let days = Duration::from_secs(1_000_000);
    WriteBehindConfig { backoff: days, max_backoff: days, ..config() }
}

#[tokio::test(start_paused = true)]
async fn closing_tries_at_once_whatever_has_failed_before() {
    let source = Source::default();
    let writer = source.writer(patient());
    source.away(true);
    writer.put(1, 1).await.unwrap();
    sleep(Duration::from_secs(2)).await;
    assert_eq!(writer.stats().failures, 1);
    source.away(false);
    let report = writer.close(Duration::from_secs(1)).await;
    assert_eq!((report.written, report.left), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_flush_tries_at_once_whatever_has_failed_before() {
    let source = Source::default();
    let writer = source.writer(patient());
    source.away(true);
    writer.put(1, 1).await.unwrap();
    sleep(Duration::from_secs(2)).await;
    source.away(false);
    timeout(Duration::from_secs(1), writer.flush()).await.unwrap();
}

/// A writer to a source that never takes the keys from 100 on, in whatever company, and what was
/// given up.
fn picky(source: &Source, config: WriteBehindConfig) -> (WriteBehind<u32, u32>, Given) {
    let (source, given) = (source.clone(), Given::default());
    let into = Arc::clone(&given);
    let write = move |batch: Batch| {
        let (bad, source) = (batch.iter().any(|(key, _)| *key >= 100), source.clone());
        async move {
            let taken = source.take(batch).await;
            if bad { Err(io::Error::other("bad")) } else { taken }
        }
    };
    let writer = WriteBehind::builder(write)
        .config(config)
        .dead_letters(move |letter| {
            into.lock().unwrap().push(letter);
            std::future::ready(())
        })
        .build()
        .unwrap();
    (writer, given)
}

type Given = Arc<Mutex<Vec<DeadLetter<u32, u32>>>>;

#[tokio::test(start_paused = true)]
async fn a_write_that_is_never_taken_does_not_stand_in_the_way_of_others() {
    let source = Source::default();
    let (writer, given) = picky(&source, WriteBehindConfig { batch: 64, ..config() });
    for key in 0..32 {
        writer.put(key, 1).await.unwrap();
        writer.put(100 + key, 1).await.unwrap();
    }
    sleep(Duration::from_secs(60)).await;
    let stats = writer.stats();
    assert_eq!((stats.pending, stats.written), (32, 32));
    // Nor of later ones; a flush waits for it.
    writer.put(1, 2).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(writer.pending(&1), None);
    assert!(timeout(LONG, writer.flush()).await.is_err());
    assert_eq!(given.lock().unwrap().len(), 0);
    assert_eq!(writer.close(Duration::from_secs(1)).await.left, 32);
}

#[tokio::test(start_paused = true)]
async fn a_write_is_given_up_when_it_was_tried_often_enough() {
    let source = Source::default();
    let config = WriteBehindConfig { max_attempts: Some(3), max_pending: 4, ..config() };
    let (writer, given) = picky(&source, config);
    for key in [1, 100, 2, 101] {
        writer.put(key, 7).await.unwrap();
    }
    writer.flush().await;
    let stats = writer.stats();
    assert_eq!((stats.pending, stats.pending_size, stats.written, stats.dead), (0, 0, 2, 2));
    let letters = std::mem::take(&mut *given.lock().unwrap());
    let mut keys: Vec<_> = letters.iter().map(|letter| letter.key).collect();
    keys.sort_unstable();
    assert_eq!(keys, [100, 101]);
    assert!(letters.iter().all(|it| it.attempts == 3 && it.change == Change::Put(7)));
    assert!(letters.iter().all(|it| it.error == "bad"));
    // Their room is there again.
    source.away(true);
    for key in 10..14 {
        assert!(!waits(writer.put(key, 0)).await, "{key}");
    }
    assert!(waits(writer.put(14, 0)).await);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_nobody_took_is_tried_again() {
    let turns = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&turns);
    let write = |_| std::future::ready(Err(io::Error::other("bad")));
    let writer = WriteBehind::<u32, u32>::builder(write)
        .config(WriteBehindConfig { max_attempts: Some(1), ..config() })
        .dead_letters(move |_| {
            let turn = counted.fetch_add(1, Ordering::Relaxed);
            async move {
                match turn {
                    0 => panic!("on purpose"),
                    1 => std::future::pending().await,
                    _ => {}
                }
            }
        })
        .build()
        .unwrap();
    writer.put(1, 1).await.unwrap();
    writer.flush().await;
    let stats = writer.stats();
    assert_eq!((turns.load(Ordering::Relaxed), stats.failures, stats.dead), (3, 3, 1));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_given_up_without_somebody_to_take_it() {
    let write = |_: Batch| std::future::ready(Ok::<_, io::Error>(()));
    let config = WriteBehindConfig { max_attempts: Some(1), ..config() };
    let built = WriteBehind::builder(write).config(config).build();
    assert!(matches!(built, Err(WriteBehindBuildError::NoDeadLetters)));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_takes_small_batches_only_gets_small_ones() {
    let source = Source::default();
    let own = source.clone();
    let write = move |batch: Batch| {
        let (large, source) = (batch.len() > 10, own.clone());
        async move { if large { Err(io::Error::other("large")) } else { source.take(batch).await } }
    };
    let config = WriteBehindConfig { batch: 64, ..config() };
    let writer = WriteBehind::builder(write).config(config).build().unwrap();
    for key in 0..64 {
        writer.put(key, 1).await.unwrap();
    }
    writer.flush().await;
    assert_eq!(source.state().len(), 64);
    // 64, 32, 16, and once more each time that it tries twice as many.
    assert!(writer.stats().failures < 16, "{:?}", writer.stats());
}

/// A writer whose writes weigh as much as their values say, and what all weigh beside.
fn weighed(source: &Source, config: WriteBehindConfig) -> WriteBehind<u32, u32> {
    let own = source.clone();
    WriteBehind::builder(move |batch| own.clone().take(batch))
        .config(config)
        .weigher(|_, value| value.copied().unwrap_or(0).into())
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn bytes_are_bounded_as_keys_are() {
    let source = Source::default();
    let writer = weighed(&source, WriteBehindConfig { max_pending_size: 10_000, ..config() });
    source.away(true);
    writer.put(1, 6000).await.unwrap();
    assert!(waits(writer.put(2, 6000)).await);
    writer.put(2, 1000).await.unwrap();
    // In place of a heavier one there is room, and what is saved is room for others.
    writer.put(1, 5000).await.unwrap();
    writer.put(1, 5500).await.unwrap();
    assert!(waits(writer.put(1, 9500)).await);
    let stats = writer.stats();
    assert!((6500..7000).contains(&stats.pending_size), "{stats:?}");
    writer.put(3, 2000).await.unwrap();
    let late = writer.clone();
    let late = tokio::spawn(async move { late.put(4, 1_000_000).await });
    source.away(false);
    // Heavier than all the room: it takes all of it.
    late.await.unwrap().unwrap();
    assert_eq!(writer.stats().pending, 1);
    writer.flush().await;
    assert_eq!(writer.stats().pending_size, 0);
    source.away(true);
    assert!(!waits(writer.put(5, 9000)).await);
    assert!(waits(writer.put(6, 9000)).await);
}

#[tokio::test(start_paused = true)]
async fn bytes_too_many_are_refused_if_that_is_wanted() {
    let when_full = WhenFull::Reject;
    let config = WriteBehindConfig { max_pending_size: 1000, when_full, ..config() };
    let source = Source::default();
    let writer = weighed(&source, config);
    source.away(true);
    writer.put(1, 500).await.unwrap();
    assert!(matches!(writer.put(2, 500).await, Err(WriteError::FullSize { max: 1000 })));
    // What is heavier than all the room takes all of it.
    writer.put(1, 5000).await.unwrap();
    assert!(matches!(writer.remove(2).await, Err(WriteError::FullSize { max: 1000 })));
    writer.put(1, 400).await.unwrap();
    writer.remove(2).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_bounded_in_bytes_and_begun_by_them() {
    let source = Source::default();
    let interval = LONG;
    let writer =
        weighed(&source, WriteBehindConfig { batch: 100, batch_size: 4000, interval, ..config() });
    writer.put(1, 3000).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert!(source.batches().is_empty());
    writer.put(2, 3000).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(source.batches(), [[(1, Change::Put(3000))]]);
    writer.flush().await;
    assert_eq!(source.batches()[1], [(2, Change::Put(3000))]);
}

#[derive(Debug, Clone)]
enum Step {
    Put(u32, u32),
    Remove(u32),
    Away(bool),
    Slow(u64),
    Pass(u64),
    Flush,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..12_u32, any::<u32>()).prop_map(|(key, value)| Step::Put(key, value)),
        2 => (0..12_u32).prop_map(Step::Remove),
        1 => any::<bool>().prop_map(Step::Away),
        1 => (0..1500_u64).prop_map(Step::Slow),
        2 => (0..3000_u64).prop_map(Step::Pass),
        1 => Just(Step::Flush),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens on the way, what was taken last is what the source has in the end; and a
    /// flush leaves nothing behind.
    #[test]
    fn the_source_ends_as_the_callers_wanted(steps in prop::collection::vec(step(), 0..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (source, mut wanted) = (Source::default(), HashMap::new());
            let writer = source.writer(config());
            for step in steps {
                match step {
                    Step::Put(key, value) => {
                        wanted.insert(key, Change::Put(value));
                        writer.put(key, value).await.unwrap();
                    }
                    Step::Remove(key) => {
                        wanted.insert(key, Change::Remove);
                        writer.remove(key).await.unwrap();
                    }
                    Step::Away(away) => source.away(away),
                    Step::Slow(millis) => source.slow(millis),
                    Step::Pass(millis) => sleep(Duration::from_millis(millis)).await,
                    Step::Flush => {
                        source.away(false);
                        writer.flush().await;
                        assert_eq!(source.state(), wanted);
                    }
                }
            }
            source.away(false);
            let report = writer.close(LONG).await;
            assert_eq!(report.left, 0);
            assert_eq!(source.state(), wanted);
            assert!(source.batches().iter().all(|batch| batch.len() <= 3));
        });
    }
}
