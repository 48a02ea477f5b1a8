//! What became of a cache's loads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::nanos;
use crate::error::LoadError;
use crate::metrics::{Load, LoadMeters, Stale};

/// What became of a cache's loads so far: totals since it was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LoadStats {
    /// Loads that brought a value.
    pub loaded: u64,
    /// Loads that failed, those without a value for a key of many included.
    pub failed: u64,
    /// Loads whose loader panicked.
    pub panicked: u64,
    /// Loads that took too long.
    pub timed_out: u64,
    /// Loads that were dropped because nobody waited for them any longer.
    pub cancelled: u64,
    /// How long all loads that brought a value took together.
    pub load_time: Duration,
    /// Refreshes begun.
    pub refreshes: u64,
    /// Refreshes that were due and not begun, because as many as may run did.
    pub skipped_refreshes: u64,
    /// Values returned after their TTL while a refresh ran.
    pub stale_while_revalidate: u64,
    /// Values returned after their TTL because a load failed.
    pub stale_if_error: u64,
    /// Entries found that could not be returned, because their tags had been invalidated or they
    /// are kept only for failing loads; they count as misses.
    pub outdated: u64,
}

/// Counts what becomes of loads, here and in the metrics.
pub(crate) struct Account {
    meters: LoadMeters,
    loaded: AtomicU64,
    failed: AtomicU64,
    panicked: AtomicU64,
    timed_out: AtomicU64,
    cancelled: AtomicU64,
    load_nanos: AtomicU64,
    refreshes: AtomicU64,
    skipped: AtomicU64,
    revalidating: AtomicU64,
    consoled: AtomicU64,
    outdated: AtomicU64,
}

impl Account {
    pub(crate) fn new(cache: &str) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            meters: LoadMeters::new(cache),
            loaded: zero(),
            failed: zero(),
            panicked: zero(),
            timed_out: zero(),
            cancelled: zero(),
            load_nanos: zero(),
            refreshes: zero(),
            skipped: zero(),
            revalidating: zero(),
            consoled: zero(),
            outdated: zero(),
        }
    }

    pub(crate) fn ended(&self, how: Load) {
        count(match how {
            Load::Loaded => &self.loaded,
            Load::Failed => &self.failed,
            Load::Panicked => &self.panicked,
            Load::TimedOut => &self.timed_out,
            Load::Cancelled => &self.cancelled,
        });
        self.meters.ended(how);
    }

    pub(crate) fn took(&self, time: Duration) {
        self.load_nanos.fetch_add(nanos(time), Ordering::Relaxed);
        self.meters.took(time);
    }

    pub(crate) fn refresh(&self, begun: bool) {
        count(if begun { &self.refreshes } else { &self.skipped });
        self.meters.refresh(begun);
    }

    pub(crate) fn stale(&self, why: Stale) {
        count(match why {
            Stale::Revalidating => &self.revalidating,
            Stale::Error => &self.consoled,
        });
        self.meters.stale(why);
    }

    pub(crate) fn outdated(&self) {
        count(&self.outdated);
    }

    pub(crate) fn stats(&self) -> LoadStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LoadStats {
            loaded: read(&self.loaded),
            failed: read(&self.failed),
            panicked: read(&self.panicked),
            timed_out: read(&self.timed_out),
            cancelled: read(&self.cancelled),
            load_time: Duration::from_nanos(read(&self.load_nanos)),
            refreshes: read(&self.refreshes),
            skipped_refreshes: read(&self.skipped),
            stale_while_revalidate: read(&self.revalidating),
            stale_if_error: read(&self.consoled),
            outdated: read(&self.outdated),
        }
    }
}

/// How a load with this result ended.
pub(crate) const fn ending<V>(result: &Result<V, LoadError>) -> Load {
    match result {
        Ok(_) => Load::Loaded,
        Err(LoadError::Panicked) => Load::Panicked,
        Err(LoadError::TimedOut(_)) => Load::TimedOut,
        Err(_) => Load::Failed,
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
