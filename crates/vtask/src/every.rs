//! A periodic loop with jitter and an owner.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::caught::Caught;
use crate::random::Random;
use crate::task::Task;

/// The shortest period; a shorter one is a busy loop by mistake.
const SHORTEST: Duration = Duration::from_millis(1);

/// Runs `tick` again and again, one `period` after the last time it began.
///
/// Each period is drawn anew between `period × (1 − jitter)` and `period × (1 + jitter)`, so that
/// loops that began together drift apart; `jitter` is taken as 0 to 1. The first tick comes after
/// one period. A tick that takes longer than a period delays the next; none is made up for. A tick
/// that panics is reported by the panic hook and the loop goes on. Periods under a millisecond
/// count as one millisecond.
///
/// Stopping waits for the tick under way; dropping the task aborts it.
///
/// # Panics
///
/// Panics outside of a tokio runtime.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
/// # runtime.block_on(async {
/// use std::time::Duration;
///
/// let task = vtask::every(Duration::from_secs(60), 0.1, || async {
///     // Look for connections that are too old.
/// });
/// task.stop().await;
/// # });
/// ```
pub fn every<F, Fut>(period: Duration, jitter: f64, mut tick: F) -> Task
where
    F: FnMut() -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let mut periods = Periods::new(period, jitter);
    Task::cooperative(|stop| async move {
        let mut began = Instant::now();
        while stop.or(wait(began, periods.next())).await.is_some() {
            began = Instant::now();
            let future = async { tick().await };
            Caught { future }.await;
        }
    })
}

/// Waits until `period` after `began`, for ever when no clock reaches as far.
async fn wait(began: Instant, period: Duration) {
    match began.checked_add(period) {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

struct Periods {
    shortest: Duration,
    spread: Duration,
    random: Random,
}

impl Periods {
    fn new(period: Duration, jitter: f64) -> Self {
        let jitter = if jitter.is_nan() { 0.0 } else { jitter.clamp(0.0, 1.0) };
        // Half of the range overflows for no period that anyone lives to see.
        let period = period.clamp(SHORTEST, Duration::MAX / 4);
        let half = period.mul_f64(jitter);
        Self {
            shortest: period.saturating_sub(half),
            spread: half.saturating_mul(2),
            random: Random::new(),
        }
    }

    fn next(&mut self) -> Duration {
        let drawn = self.shortest + self.spread.mul_f64(self.random.unit());
        drawn.max(SHORTEST)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use proptest::prelude::*;
    use tokio::time::sleep;

    use super::*;

    const PERIOD: Duration = Duration::from_secs(10);

    fn counter() -> (Arc<AtomicUsize>, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        (count.clone(), count)
    }

    #[tokio::test(start_paused = true)]
    async fn ticks_come_once_a_period() {
        let (count, inside) = counter();
        let _task = every(PERIOD, 0.0, move || {
            inside.fetch_add(1, Ordering::Relaxed);
            async {}
        });
        sleep(PERIOD * 3 + PERIOD / 2).await;
        assert_eq!(count.load(Ordering::Relaxed), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_tick_is_not_made_up_for() {
        let (count, inside) = counter();
        let _task = every(PERIOD, 0.0, move || {
            let first = inside.fetch_add(1, Ordering::Relaxed) == 0;
            async move { sleep(if first { PERIOD * 3 } else { Duration::ZERO }).await }
        });
        // Begins at 10 s and lasts until 40 s; the second follows at once, the third at 50 s.
        sleep(PERIOD * 5 + PERIOD / 2).await;
        assert_eq!(count.load(Ordering::Relaxed), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_does_not_end_the_loop() {
        let (count, inside) = counter();
        let _task = every(PERIOD, 0.0, move || {
            let before = inside.fetch_add(1, Ordering::Relaxed);
            async move { assert!(before > 0, "on purpose") }
        });
        sleep(PERIOD * 2 + PERIOD / 2).await;
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn stopping_waits_for_the_tick_under_way() {
        let (count, inside) = counter();
        let task = every(PERIOD, 0.0, move || {
            let inside = inside.clone();
            async move {
                sleep(PERIOD).await;
                inside.fetch_add(1, Ordering::Relaxed);
            }
        });
        sleep(PERIOD + PERIOD / 2).await;
        assert_eq!(task.stop().await, Some(()));
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }

    proptest! {
        #[test]
        fn periods_stay_within_the_jitter(millis in 1u64..100_000, jitter in 0.0..=1.0) {
            let period = Duration::from_millis(millis);
            let mut periods = Periods::new(period, jitter);
            for _ in 0..20 {
                let drawn = periods.next();
                prop_assert!(drawn >= SHORTEST && drawn <= period * 2);
                prop_assert!(drawn.as_secs_f64() >= period.as_secs_f64() * (1.0 - jitter) - 1e-6);
                prop_assert!(drawn.as_secs_f64() <= period.as_secs_f64() * (1.0 + jitter) + 1e-3);
            }
        }

        #[test]
        fn no_setting_panics(period: Duration, jitter: f64) {
            let _ = Periods::new(period, jitter).next();
        }
    }
}
