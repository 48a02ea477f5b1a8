//! How often a cache of another size would hit.

use super::buckets::{BUCKETS, bounds};

/// How often an LRU cache of any size would have hit on what this cache was lately asked for,
/// estimated from a sample of the keys.
///
/// Sizes are weights in bytes, as the cache counts them. The estimate knows nothing of expiry and
/// invalidation, and our eviction hits somewhat more often than LRU does: compare its ratios among
/// each other, and the one at the present size with the real one
/// ([`Stats::hit_ratio`](crate::Stats::hit_ratio)).
///
/// Source: Waldspurger, Park, Garthwaite, Ahmad: "Efficient MRC Construction with SHARDS", FAST
/// 2015, of a fixed size (§3.2) and adjusted (§4.4). With some thousand keys it is off by a point or two.
///
/// ```
/// use vcache::Memory;
///
/// let entry = Memory::<u32, u32>::overhead();
/// let cache = Memory::builder().max_weight(50 * entry).curve_keys(1000).build()?;
/// for key in (0..100).cycle().take(1000) {
///     if cache.get(&key).is_none() {
///         cache.insert(key, key);
///     }
/// }
/// // A loop over a hundred keys: with room for all of them, all but the first round hits.
/// let curve = cache.curve().unwrap();
/// assert_eq!(curve.hit_ratio(80 * entry), 0.0);
/// assert!((curve.hit_ratio(120 * entry) - 0.9).abs() < 0.01);
/// # Ok::<(), vcache::BuildError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Look-ups by reuse distance, in buckets.
    pub(super) counts: Vec<f64>,
    pub(super) lookups: f64,
    pub(super) keys: usize,
    pub(super) rate: f64,
    /// Look-ups that were expected in the sample and are not; of hot keys, by all likelihood.
    pub(super) missed: f64,
}

impl Curve {
    /// The part of all look-ups that hits in a cache of so many bytes, from 0 to 1.
    #[must_use]
    pub fn hit_ratio(&self, max_weight: u64) -> f64 {
        let mut hits = self.missed;
        for (bucket, count) in self.counts.iter().enumerate() {
            let (first, last) = bounds(bucket);
            if first > max_weight {
                break;
            }
            hits += count * covered(first, last, max_weight);
        }
        if max_weight == 0 { 0.0 } else { (hits / self.lookups).clamp(0.0, 1.0) }
    }

    /// The part that misses.
    #[must_use]
    pub fn miss_ratio(&self, max_weight: u64) -> f64 {
        1.0 - self.hit_ratio(max_weight)
    }

    /// The sizes at which the ratio changes, ascending, each with its hit ratio; less than a
    /// thousand.
    #[must_use]
    pub fn points(&self) -> Vec<(u64, f64)> {
        let counted = self.counts.iter().enumerate().filter(|(_, count)| **count > 0.0);
        counted
            .map(|(bucket, _)| {
                let (_, last) = bounds(bucket);
                (last, self.hit_ratio(last))
            })
            .collect()
    }

    /// Look-ups that the estimate stands for; older ones count less and less.
    #[must_use]
    pub const fn lookups(&self) -> f64 {
        self.lookups
    }

    /// Keys in the sample.
    #[must_use]
    pub const fn keys(&self) -> usize {
        self.keys
    }

    /// The part of all keys that is in the sample, from 0 to 1.
    #[must_use]
    pub const fn rate(&self) -> f64 {
        self.rate
    }
}

/// The part of a bucket that is not above `most`.
#[expect(clippy::cast_precision_loss, reason = "a part of a bucket")]
fn covered(first: u64, last: u64, most: u64) -> f64 {
    if most >= last {
        return 1.0;
    }
    (most - first + 1) as f64 / (last - first + 1) as f64
}

pub(super) fn empty() -> Vec<f64> {
    vec![0.0; BUCKETS]
}
