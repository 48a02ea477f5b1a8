//! How long to wait before trying again: exponential, with full jitter.

use std::time::Duration;

use crate::random::Random;

/// Waits that grow with each failure: a random part of `base`, `2 × base`, `4 × base`… up to a cap.
///
/// Full jitter spreads those who failed together best (M. Brooker, "Exponential Backoff and
/// Jitter", AWS Architecture Blog, 2015). Pure: it counts and draws, the caller sleeps.
///
/// ```
/// use std::time::Duration;
/// use vtask::Backoff;
///
/// let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
/// assert!(backoff.next_wait() < Duration::from_millis(100));
/// assert!(backoff.next_wait() < Duration::from_millis(200));
/// backoff.reset();
/// assert!(backoff.next_wait() < Duration::from_millis(100));
/// ```
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    attempts: u32,
    random: Random,
}

impl Backoff {
    /// The first wait is below `base`, every wait is below `cap`.
    #[must_use]
    pub fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap, attempts: 0, random: Random::new() }
    }

    /// Draws the same waits each time, for tests and simulations.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { random: Random::with_seed(seed), ..self }
    }

    /// Counts one failure and draws the wait before the next attempt: uniform between zero and
    /// [`ceiling`](Self::ceiling).
    pub fn next_wait(&mut self) -> Duration {
        let ceiling = self.ceiling();
        self.attempts = self.attempts.saturating_add(1);
        ceiling.mul_f64(self.random.unit())
    }

    /// What the next wait stays below.
    #[must_use]
    pub fn ceiling(&self) -> Duration {
        let factor = 1u32.checked_shl(self.attempts).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.cap)
    }

    /// How many failures were counted since the start or the last success.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Begins again, after a success.
    pub const fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ceiling_doubles_up_to_the_cap() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10));
        let ceilings = [1, 2, 4, 8, 10, 10].map(Duration::from_secs);
        for ceiling in ceilings {
            assert_eq!(backoff.ceiling(), ceiling);
            backoff.next_wait();
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_waits() {
        let draw = || {
            let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10));
            let mut backoff = backoff.with_seed(7);
            [(); 5].map(|()| backoff.next_wait())
        };
        assert_eq!(draw(), draw());
    }

    proptest! {
        #[test]
        fn no_wait_reaches_the_cap(base: Duration, cap: Duration, failures in 0usize..100) {
            let mut backoff = Backoff::new(base, cap);
            for _ in 0..failures {
                prop_assert!(backoff.next_wait() <= cap);
            }
            prop_assert!(backoff.ceiling() <= cap);
        }
    }
}
