//! Histograms of fixed buckets: sharded by thread, of constant memory.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::error::ConfigError;

/// Upper bounds in seconds that OpenTelemetry recommends for the duration of HTTP requests
/// (semantic conventions, "HTTP metrics", `ExplicitBucketBoundaries`).
pub(crate) const SECONDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Upper bounds for histograms of bytes: 256 B to 256 MiB, each four times the last.
pub(crate) const BYTES: [f64; 11] = [
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
    268_435_456.0,
];

/// Most bounds of one histogram.
const MAX_BOUNDS: usize = 200;

/// Most shards: beyond this, fewer collisions are not worth the memory.
const MAX_SHARDS: usize = 8;

/// Checked upper bounds of buckets; the one above the last bound is implied.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bounds(Arc<[f64]>);

impl Bounds {
    /// Takes bounds that are finite, ascending, and between 1 and 200 in number.
    pub(crate) fn new(metric: &str, bounds: &[f64]) -> Result<Self, ConfigError> {
        let ascending = bounds.windows(2).all(|pair| match pair {
            [low, high] => low < high,
            _ => true,
        });
        let finite = bounds.iter().all(|bound| bound.is_finite());
        if bounds.is_empty() || bounds.len() > MAX_BOUNDS || !ascending || !finite {
            return Err(ConfigError::Buckets { metric: metric.to_owned() });
        }
        Ok(Self(bounds.into()))
    }

    /// [`BYTES`].
    pub(crate) fn bytes() -> Self {
        Self(BYTES.into())
    }
}

/// One histogram; clones share it.
///
/// Recording touches no lock: it adds one to a bucket and the value to a sum, in the part that
/// belongs to the calling thread. Memory is fixed when the histogram is made: 8 bytes a bucket
/// and shard, rounded up to 128; with the default buckets 128 bytes a shard, at most 8 shards.
#[derive(Clone)]
pub struct Histogram(pub(crate) Arc<Cells>);

impl Histogram {
    /// An empty histogram.
    pub(crate) fn new(bounds: Bounds, shards: usize) -> Self {
        Self(Arc::new(Cells::new(bounds, shards)))
    }

    /// Records one value. Values that are not finite are left out: one of them would spoil the
    /// sum for ever.
    pub fn record(&self, value: f64) {
        self.0.add(value, 1);
    }

    /// What was recorded so far.
    ///
    /// Taken without stopping the writers: values recorded meanwhile may be in the counts and not
    /// yet in the sum, or the other way round.
    #[must_use]
    pub fn snapshot(&self) -> HistogramSnapshot {
        self.0.snapshot()
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = self.snapshot();
        f.debug_struct("Histogram")
            .field("count", &now.count())
            .field("sum", &now.sum())
            .finish_non_exhaustive()
    }
}

/// Slots that share no cache line with another shard (two lines, because the prefetcher of x86
/// loads pairs). With the default buckets a shard is exactly one of these.
#[repr(align(128))]
#[derive(Default)]
struct Line([AtomicU64; SLOTS_PER_LINE]);

/// 128 bytes of atomics.
const SLOTS_PER_LINE: usize = 16;

/// The numbers of one histogram. Slot 0 of a shard is the sum, as the bits of an `f64`; the
/// buckets follow.
pub(crate) struct Cells {
    bounds: Bounds,
    lines: Box<[Line]>,
    lines_per_shard: usize,
    shards: usize,
}

impl Cells {
    fn new(bounds: Bounds, shards: usize) -> Self {
        let slots = bounds.0.len() + 2;
        let lines_per_shard = slots.div_ceil(SLOTS_PER_LINE);
        let shards = shards.max(1);
        let lines = (0..shards * lines_per_shard).map(|_| Line::default());
        Self { bounds, lines: lines.collect(), lines_per_shard, shards }
    }

    /// Records `value` `times` times.
    pub(crate) fn add(&self, value: f64, times: u64) {
        if !value.is_finite() {
            return;
        }
        let bucket = self.bounds.0.partition_point(|bound| *bound < value);
        let shard = thread_number() % self.shards;
        if let Some(count) = self.slot(shard, bucket + 1) {
            count.fetch_add(times, Ordering::Relaxed);
        }
        if let Some(sum) = self.slot(shard, 0) {
            add_f64(sum, value * approximate(times));
        }
    }

    fn slot(&self, shard: usize, slot: usize) -> Option<&AtomicU64> {
        self.lines
            .get(shard * self.lines_per_shard + slot / SLOTS_PER_LINE)?
            .0
            .get(slot % SLOTS_PER_LINE)
    }

    fn snapshot(&self) -> HistogramSnapshot {
        let load =
            |shard, slot| self.slot(shard, slot).map_or(0, |slot| slot.load(Ordering::Relaxed));
        let counts = (0..=self.bounds.0.len())
            .map(|bucket| (0..self.shards).map(|shard| load(shard, bucket + 1)).sum())
            .collect();
        let sum = (0..self.shards).map(|shard| f64::from_bits(load(shard, 0))).sum();
        HistogramSnapshot { bounds: self.bounds.clone(), counts, sum }
    }
}

/// Adds to a float kept as bits.
pub(crate) fn add_f64(bits: &AtomicU64, value: f64) {
    let add = |old| Some((f64::from_bits(old) + value).to_bits());
    // The closure never refuses, so this always succeeds.
    let _ = bits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
}

/// The number of the calling thread, in the order of their first records.
fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    // A thread that is being torn down shares the first shard.
    NUMBER.try_with(|number| *number).unwrap_or(0)
}

/// How many shards suit this machine: one for each thread that can run, at most 8.
pub(crate) fn shards_for_machine() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get).min(MAX_SHARDS)
}

/// A histogram as it was at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramSnapshot {
    bounds: Bounds,
    counts: Vec<u64>,
    sum: f64,
}

impl HistogramSnapshot {
    /// The upper bounds, each included in its bucket.
    #[must_use]
    pub fn bounds(&self) -> &[f64] {
        &self.bounds.0
    }

    /// Values in each bucket, not cumulative; one more than there are bounds.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Values in all buckets.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The sum of the values.
    #[must_use]
    pub const fn sum(&self) -> f64 {
        self.sum
    }

    /// The mean of the values; `None` when there are none.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum / approximate(count))
    }

    /// An estimate of the value below which the share `q` (0 to 1) of the values lies.
    ///
    /// As Prometheus' `histogram_quantile`: values are taken as spread evenly over their bucket,
    /// the first bucket starts at 0 (or at its bound when that is not positive), and what lies
    /// above the last bound counts as that bound. `None` when there are no values or `q` is out
    /// of range.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let total = self.count();
        if total == 0 || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let rank = q * approximate(total);
        let mut below = 0;
        let mut low = self.bounds().first().map_or(0.0, |first| first.min(0.0));
        for (&high, &count) in self.bounds().iter().zip(&self.counts) {
            if count > 0 && approximate(below + count) >= rank {
                let share = (rank - approximate(below)) / approximate(count);
                return Some((high - low).mul_add(share.max(0.0), low));
            }
            below += count;
            low = high;
        }
        Some(low)
    }
}

/// `n` as a float; beyond 2^53 the last digits are lost, which no reader of a mean can see.
#[expect(clippy::cast_precision_loss, reason = "explained above")]
pub(crate) const fn approximate(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests;
