//! What a cache has done so far.

use crate::cause::Cause;

/// A cache's figures at one moment: totals since it was built, and its present size.
///
/// The parts are read one after the other, so under load they may be a few operations apart. They
/// are kept shard by shard beside what each call touches anyway; a hit is counted by the lock.
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
    /// reasonable time because other threads were filling it or all that is there is pinned.
    pub refusals: u64,
    /// Entries removed for room, or because the cache was made smaller.
    pub evictions: u64,
    /// Entries removed because their time to live or to idle was over.
    pub expirations: u64,
    /// Entries removed by a caller, in whatever way, or replaced.
    pub removals: u64,
    /// What the entries weigh now, in bytes, their own overhead included.
    pub weight: u64,
    /// The bound on `weight`.
    pub max_weight: u64,
    /// Entries present, those included that have expired and were not met yet.
    pub entries: u64,
    /// Calls of the listener that panicked.
    pub listener_panics: u64,
    /// Entries that the listener was not told of, because it ran inside of itself too deep.
    pub listener_unheard: u64,
    /// Entries that left, by cause.
    pub(super) left: [u64; Cause::ALL.len()],
}

impl Stats {
    /// How many entries left for this cause.
    #[must_use]
    pub fn left(&self, cause: Cause) -> u64 {
        self.left.get(cause.number()).copied().unwrap_or(0)
    }

    /// Hits among all look-ups, from 0 to 1; `None` before the first.
    #[must_use]
    pub fn hit_ratio(&self) -> Option<f64> {
        let all = self.hits.saturating_add(self.misses);
        #[expect(clippy::cast_precision_loss, reason = "a ratio needs no more")]
        let ratio = self.hits as f64 / all as f64;
        (all > 0).then_some(ratio)
    }
}

/// One shard's totals of what writers do, under its lock. Hits are counted by the lock itself.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) inserts: u64,
    pub(super) refusals: u64,
    left: [u64; Cause::ALL.len()],
}

impl Counts {
    #[inline]
    pub(super) fn left(&mut self, cause: Cause) {
        if let Some(count) = self.left.get_mut(cause.number()) {
            *count += 1;
        }
    }

    pub(super) fn add_to(&self, stats: &mut Stats) {
        stats.inserts += self.inserts;
        stats.refusals += self.refusals;
        for (cause, count) in Cause::ALL.into_iter().zip(self.left) {
            if let Some(sum) = stats.left.get_mut(cause.number()) {
                *sum += count;
            }
            if cause.is_eviction() {
                stats.evictions += count;
            } else if cause.is_expiration() {
                stats.expirations += count;
            } else {
                stats.removals += count;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_add_up_to_their_kinds() {
        let (mut counts, mut stats) = (Counts::default(), Stats::default());
        for cause in Cause::ALL {
            counts.left(cause);
        }
        counts.add_to(&mut stats);
        counts.add_to(&mut stats);
        assert_eq!((stats.evictions, stats.expirations, stats.removals), (4, 4, 14));
        assert_eq!((stats.left(Cause::Tag), stats.hit_ratio()), (2, None));
        let stats = Stats { hits: 3, misses: 1, ..stats };
        assert_eq!(stats.hit_ratio(), Some(0.75));
    }
}
