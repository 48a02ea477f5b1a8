//! What a cache has done so far.

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

/// One shard's totals of what writers do, under its lock. Hits are counted by the lock itself.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) inserts: u64,
    pub(super) refusals: u64,
    evictions: u64,
    expirations: u64,
    removals: u64,
}

impl Counts {
    pub(super) const fn left(&mut self, cause: Left) {
        match cause {
            Left::Room => self.evictions += 1,
            Left::Expired => self.expirations += 1,
            Left::Removed => self.removals += 1,
        }
    }

    pub(super) const fn add_to(&self, stats: &mut Stats) {
        stats.inserts += self.inserts;
        stats.refusals += self.refusals;
        stats.evictions += self.evictions;
        stats.expirations += self.expirations;
        stats.removals += self.removals;
    }
}
