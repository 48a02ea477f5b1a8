//! The clock of a cache: time since an origin, injectable so that tests need not wait.
#![expect(
    clippy::disallowed_types,
    reason = "the engine runs without a runtime; whoever wants a pausable clock takes `TokioClock`"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::coarse;

/// Tells a cache what time it is.
///
/// Only differences count, so any origin will do, but it must not move, and the time must never
/// go backwards. Called at most twice for each look-up and insertion, not at all in caches without a
/// TTL or TTI, and twice for each load.
pub trait Clock: Send + Sync + 'static {
    /// The time since the clock's origin.
    fn now(&self) -> Duration;

    /// Whether this is the machine's own clock, which cannot be moved from outside.
    #[doc(hidden)]
    fn is_system(&self) -> bool {
        false
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Duration {
        (**self).now()
    }

    fn is_system(&self) -> bool {
        (**self).is_system()
    }
}

/// The machine's monotonic clock. The default; needs no runtime.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock whose origin is now.
    #[must_use]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    fn is_system(&self) -> bool {
        true
    }
}

/// The machine's coarse clock: it costs a tenth of the exact one and moves in steps of 1 to 10
/// milliseconds, so that an entry may live, and idle, so much longer than it should. For caches
/// with a TTI, whose every hit asks for the time. Elsewhere than on Linux it is the exact clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct CoarseClock {
    exact: SystemClock,
}

impl CoarseClock {
    /// The clock; its origin is some time before now.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Clock for CoarseClock {
    fn now(&self) -> Duration {
        coarse::now().map_or_else(|| self.exact.now(), Duration::from_nanos)
    }
}

/// Tokio's clock: the machine's, or the paused one of a test. Works outside a runtime too.
#[cfg(feature = "tokio")]
#[derive(Debug, Clone, Copy)]
pub struct TokioClock {
    origin: tokio::time::Instant,
}

#[cfg(feature = "tokio")]
impl TokioClock {
    /// A clock whose origin is now.
    #[must_use]
    pub fn new() -> Self {
        Self { origin: tokio::time::Instant::now() }
    }
}

#[cfg(feature = "tokio")]
impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "tokio")]
impl Clock for TokioClock {
    fn now(&self) -> Duration {
        self.origin.elapsed()
    }
}

/// A clock that moves only when it is told to; clones share the time.
#[derive(Debug, Clone, Default)]
pub struct ManualClock {
    nanos: Arc<AtomicU64>,
}

impl ManualClock {
    /// A clock that stands at its origin.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the clock on; it stops at 584 years.
    pub fn advance(&self, by: Duration) {
        let by = nanos(by);
        // Relaxed: the number itself is all that is shared.
        let _ = self
            .nanos
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| Some(now.saturating_add(by)));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::Relaxed))
    }
}

/// Whole nanoseconds, saturating at 584 years.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coarse_clock_does_not_go_back() {
        let clock = CoarseClock::new();
        let times: Vec<_> = (0..1000).map(|_| clock.now()).collect();
        assert!(times.is_sorted());
    }

    #[test]
    fn centuries_saturate() {
        assert_eq!(nanos(Duration::MAX), u64::MAX);
        let clock = ManualClock::new();
        clock.advance(Duration::MAX);
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.now(), Duration::from_nanos(u64::MAX));
    }
}
