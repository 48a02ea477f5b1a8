//! Times to idle: a column of its own beside the wheel, only where something has one.

use std::sync::atomic::{AtomicU64, Ordering};

use super::keep::NEVER;
use crate::cause::Cause;

/// Bytes of one in its column.
pub(super) const WEIGHT: u64 = size_of::<Idle>() as u64;

/// One entry's time to idle. Times are nanoseconds.
#[derive(Debug)]
pub(super) struct Idle {
    /// When it expires, however much it is used.
    pub(super) end: u64,
    /// How long it may stay unused; [`NEVER`] for an entry without.
    tti: u64,
    /// When it was last used.
    used: AtomicU64,
}

impl Idle {
    pub(super) const fn none() -> Self {
        Self::new(NEVER, NEVER, 0)
    }

    pub(super) const fn new(end: u64, tti: u64, now: u64) -> Self {
        Self { end, tti, used: AtomicU64::new(now) }
    }

    pub(super) const fn is_none(&self) -> bool {
        self.tti == NEVER
    }

    /// When it expires if nobody uses it.
    #[inline]
    pub(super) fn deadline(&self) -> u64 {
        self.used.load(Ordering::Relaxed).saturating_add(self.tti).min(self.end)
    }

    #[cfg(feature = "snapshot")]
    pub(super) const fn tti(&self) -> u64 {
        self.tti
    }

    /// Counts a use at `now`. Of several at once the latest stays, in whatever order they come.
    #[inline]
    pub(super) fn touch(&self, now: u64) {
        if self.used.load(Ordering::Relaxed) < now {
            self.used.fetch_max(now, Ordering::Relaxed);
        }
    }

    /// Which of its times was over first.
    pub(super) fn cause(&self) -> Cause {
        if self.deadline() < self.end { Cause::Idle } else { Cause::Expired }
    }
}
