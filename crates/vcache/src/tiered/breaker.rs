//! The circuit breaker of a tier: after failures the store is left alone, then tried by one call.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::nanos;

/// When a tier leaves its store alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct BreakerConfig {
    /// Failures in a row, of those that time may heal, after which the breaker opens. Default: 3.
    /// Zero: never, so that every miss waits for the store's timeout while it is away.
    pub failures: u32,
    /// How long it stays open the first time; then one call tries the store. Default: 1 second.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub pause: Duration,
    /// The pause doubles each time the try fails, up to this. Default: 10 seconds. It is also how
    /// long a store that is back may go unnoticed.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub max_pause: Duration,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self { failures: 3, pause: Duration::from_secs(1), max_pause: Duration::from_secs(10) }
    }
}

/// What a breaker does with calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BreakerState {
    /// They go through.
    #[default]
    Closed,
    /// One goes through, to see whether the store is back; the others fail at once.
    HalfOpen,
    /// They fail at once.
    Open,
}

/// Counts failures and decides which calls go through. Times are nanoseconds on any one clock.
pub(super) struct Breaker {
    config: BreakerConfig,
    /// Closed and without a failure: nobody need look further.
    quiet: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    state: BreakerState,
    /// Failures in a row while closed.
    failures: u32,
    /// Openings in a row.
    opened: u32,
    until: u64,
}

/// Leave to call; dropped without a result, a try is for the next to make.
pub(super) struct Admission<'a> {
    breaker: &'a Breaker,
    probe: bool,
}

impl Breaker {
    pub(super) fn new(config: BreakerConfig) -> Self {
        Self { config, quiet: AtomicBool::new(true), inner: Mutex::default() }
    }

    /// Leave to call, or `None`; and whether this opened the breaker by half.
    pub(super) fn ask(&self, now: impl FnOnce() -> u64) -> Option<(Admission<'_>, bool)> {
        if self.quiet.load(Ordering::Relaxed) {
            return Some((self.insist(), false));
        }
        let mut inner = self.inner();
        match inner.state {
            BreakerState::Closed => Some((self.insist(), false)),
            BreakerState::Open if now() >= inner.until => {
                inner.state = BreakerState::HalfOpen;
                Some((Admission { breaker: self, probe: true }, true))
            }
            BreakerState::Open | BreakerState::HalfOpen => None,
        }
    }

    /// Leave for a call that has to be tried in any case.
    pub(super) const fn insist(&self) -> Admission<'_> {
        Admission { breaker: self, probe: false }
    }

    pub(super) fn state(&self) -> BreakerState {
        self.inner().state
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing in the critical sections panics.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store has answered; the new state if it changed.
    fn succeeded(&self) -> Option<BreakerState> {
        if self.quiet.load(Ordering::Relaxed) {
            return None;
        }
        let mut inner = self.inner();
        let changed = inner.state != BreakerState::Closed;
        *inner = Inner::default();
        self.quiet.store(true, Ordering::Relaxed);
        changed.then_some(BreakerState::Closed)
    }

    fn failed(&self, probe: bool, now: u64) -> Option<BreakerState> {
        if self.config.failures == 0 {
            return None;
        }
        let mut inner = self.inner();
        self.quiet.store(false, Ordering::Relaxed);
        inner.failures = inner.failures.saturating_add(1);
        let opens = match inner.state {
            BreakerState::Closed => inner.failures >= self.config.failures,
            BreakerState::HalfOpen => probe,
            BreakerState::Open => false,
        };
        if !opens {
            return None;
        }
        let factor = 1_u32.checked_shl(inner.opened).unwrap_or(u32::MAX);
        let pause = self.config.pause.saturating_mul(factor);
        inner.until = now.saturating_add(nanos(pause.min(self.config.max_pause)));
        inner.opened = inner.opened.saturating_add(1);
        inner.state = BreakerState::Open;
        Some(BreakerState::Open)
    }
}

impl Admission<'_> {
    /// The call has ended; the new state if it changed.
    pub(super) fn end(mut self, failed: bool, now: impl FnOnce() -> u64) -> Option<BreakerState> {
        let probe = std::mem::take(&mut self.probe);
        if failed { self.breaker.failed(probe, now()) } else { self.breaker.succeeded() }
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        if self.probe {
            let mut inner = self.breaker.inner();
            if inner.state == BreakerState::HalfOpen {
                inner.state = BreakerState::Open;
                inner.until = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn breaker() -> Breaker {
        Breaker::new(BreakerConfig { failures: 2, ..BreakerConfig::default() })
    }

    fn call(breaker: &Breaker, failed: bool, now: u64) -> Option<Option<BreakerState>> {
        breaker.ask(|| now).map(|(admission, _)| admission.end(failed, || now))
    }

    #[test]
    fn it_opens_after_failures_in_a_row_only() {
        let breaker = breaker();
        for _ in 0..5 {
            assert_eq!(call(&breaker, true, 0), Some(None));
            assert_eq!(call(&breaker, false, 0), Some(None));
        }
        assert_eq!(call(&breaker, true, 0), Some(None));
        assert_eq!(call(&breaker, true, 0), Some(Some(BreakerState::Open)));
        assert_eq!(call(&breaker, true, SECOND - 1), None);
    }

    #[test]
    fn one_call_tries_and_the_pause_doubles() {
        let breaker = breaker();
        for _ in 0..2 {
            let _ = call(&breaker, true, 0);
        }
        let (probe, half) = breaker.ask(|| SECOND).unwrap();
        assert!(half);
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        assert!(breaker.ask(|| SECOND).is_none());
        assert_eq!(probe.end(true, || SECOND), Some(BreakerState::Open));
        assert!(breaker.ask(|| 3 * SECOND - 1).is_none());
        assert_eq!(call(&breaker, false, 3 * SECOND), Some(Some(BreakerState::Closed)));
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn a_try_that_is_dropped_is_for_the_next_to_make() {
        let breaker = breaker();
        for _ in 0..2 {
            let _ = call(&breaker, true, 0);
        }
        drop(breaker.ask(|| SECOND).unwrap());
        assert!(breaker.ask(|| SECOND).is_some());
    }

    #[test]
    fn a_call_that_was_tried_in_any_case_closes_it() {
        let breaker = breaker();
        for _ in 0..2 {
            let _ = call(&breaker, true, 0);
        }
        assert_eq!(breaker.insist().end(false, || 0), Some(BreakerState::Closed));
    }

    #[test]
    fn without_a_number_it_never_opens() {
        let breaker = Breaker::new(BreakerConfig { failures: 0, ..BreakerConfig::default() });
        for _ in 0..100 {
            assert_eq!(call(&breaker, true, 0), Some(None));
        }
    }
}
