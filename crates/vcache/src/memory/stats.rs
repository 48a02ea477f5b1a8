//! What a cache has done so far.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::metrics::Left;

/// A cache's figures at one moment: totals since it was built, and its present size.
///
/// The parts are read one after the other, so under load they may be a few operations apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Look-ups that found a live entry.
    pub hits: u64,
    /// Look-ups that found none.
    pub misses: u64,
    /// Values stored, replacements included.
    pub inserts: u64,
    /// Values that were not stored: heavier than the whole bound, or no room could be made in
    /// reasonable time because other threads were filling it.
    pub refusals: u64,
    /// Entries removed for room.
    pub evictions: u64,
    /// Entries removed because their time was over.
    pub expirations: u64,
    /// Entries removed by a caller, or replaced.
    pub removals: u64,
    /// What the entries weigh now, in bytes, their own overhead included.
    pub weight: u64,
    /// The bound on `weight`.
    pub max_weight: u64,
    /// Entries present, those included that have expired and were not met yet.
    pub entries: u64,
}

/// One shard's totals, beside its lock, whose cache line a look-up writes anyway.
#[derive(Debug, Default)]
pub(super) struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    inserts: AtomicU64,
    refusals: AtomicU64,
    evictions: AtomicU64,
    expirations: AtomicU64,
    removals: AtomicU64,
}

impl Counters {
    pub(super) fn looked_up(&self, hit: bool) {
        count(if hit { &self.hits } else { &self.misses });
    }

    pub(super) fn inserted(&self) {
        count(&self.inserts);
    }

    pub(super) fn refused(&self) {
        count(&self.refusals);
    }

    pub(super) fn left(&self, cause: Left) {
        count(match cause {
            Left::Room => &self.evictions,
            Left::Expired => &self.expirations,
            Left::Removed => &self.removals,
        });
    }

    pub(super) fn add_to(&self, stats: &mut Stats) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        stats.hits += read(&self.hits);
        stats.misses += read(&self.misses);
        stats.inserts += read(&self.inserts);
        stats.refusals += read(&self.refusals);
        stats.evictions += read(&self.evictions);
        stats.expirations += read(&self.expirations);
        stats.removals += read(&self.removals);
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
