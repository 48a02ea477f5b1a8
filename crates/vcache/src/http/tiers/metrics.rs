//! What the tiers below memory count: for the `metrics` facade, and for whoever asks the cache.

use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(feature = "metrics")]
use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

/// What came of looking for a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    Hit,
    Miss,
    /// It was there, and purged.
    Purged,
    /// What was there is no response, or of another version.
    Damaged,
    Error,
    /// The tier was not asked: it has just failed, may hold what was purged elsewhere, or is about
    /// to get something newer.
    Skipped,
}

/// What came of keeping a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    Written,
    Failed,
    /// Too many writes were waiting.
    Dropped,
    TooLarge,
    /// Purged before it was written, or written by another who came later.
    Overtaken,
}

/// Who fetched what the fleet had not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fetched {
    /// This process, for all.
    Led,
    /// Another one.
    Shared,
    /// This process, for itself.
    Alone,
}

const READS: [(Read, &str); 6] = [
    (Read::Hit, "hit"),
    (Read::Miss, "miss"),
    (Read::Purged, "purged"),
    (Read::Damaged, "damaged"),
    (Read::Error, "error"),
    (Read::Skipped, "skipped"),
];
const WRITES: [(Write, &str); 5] = [
    (Write::Written, "written"),
    (Write::Failed, "failed"),
    (Write::Dropped, "dropped"),
    (Write::TooLarge, "too_large"),
    (Write::Overtaken, "overtaken"),
];
const FETCHED: [(Fetched, &str); 3] =
    [(Fetched::Led, "led"), (Fetched::Shared, "shared"), (Fetched::Alone, "alone")];

/// A number that is counted here and in the metrics.
#[derive(Default)]
struct Count {
    value: AtomicU64,
    #[cfg(feature = "metrics")]
    counter: Option<Counter>,
}

impl Count {
    #[cfg(feature = "metrics")]
    const fn with(counter: Counter) -> Self {
        Self { value: AtomicU64::new(0), counter: Some(counter) }
    }

    fn add(&self) {
        self.value.fetch_add(1, Ordering::Relaxed);
        #[cfg(feature = "metrics")]
        if let Some(counter) = &self.counter {
            counter.increment(1);
        }
    }

    fn get(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }
}

/// The figures of one tier.
pub(super) struct Figures {
    reads: [Count; READS.len()],
    writes: [Count; WRITES.len()],
}

impl Figures {
    #[cfg(feature = "metrics")]
    pub(super) fn new(cache: &str, tier: &'static str) -> Self {
        const TIER_READS: &str = "vcache_http_tier_reads_total";
        const TIER_WRITES: &str = "vcache_http_tier_writes_total";
        describe_counter!(TIER_READS, Unit::Count, "Look-ups in a tier below memory.");
        describe_counter!(TIER_WRITES, Unit::Count, "Responses for a tier below memory.");
        let count = |name: &'static str, outcome: &'static str| {
            let labels = [("cache", cache.to_owned()), ("tier", tier.to_owned())];
            let outcome = [("outcome", outcome.to_owned())];
            Count::with(counter!(name, &[labels.as_slice(), &outcome].concat()))
        };
        Self {
            reads: READS.map(|(_, outcome)| count(TIER_READS, outcome)),
            writes: WRITES.map(|(_, outcome)| count(TIER_WRITES, outcome)),
        }
    }

    #[cfg(not(feature = "metrics"))]
    pub(super) fn new(_: &str, _: &'static str) -> Self {
        Self { reads: Default::default(), writes: Default::default() }
    }

    pub(super) fn read(&self, read: Read) {
        let all = READS.iter().zip(&self.reads);
        all.filter(|((of, _), _)| *of == read).for_each(|(_, count)| count.add());
    }

    pub(super) fn write(&self, write: Write) {
        let all = WRITES.iter().zip(&self.writes);
        all.filter(|((of, _), _)| *of == write).for_each(|(_, count)| count.add());
    }

    pub(super) fn reads(&self, read: Read) -> u64 {
        let mut all = READS.iter().zip(&self.reads);
        all.find(|((of, _), _)| *of == read).map_or(0, |(_, count)| count.get())
    }

    pub(super) fn writes(&self, write: Write) -> u64 {
        let mut all = WRITES.iter().zip(&self.writes);
        all.find(|((of, _), _)| *of == write).map_or(0, |(_, count)| count.get())
    }
}

/// The figures of all tiers of a cache together.
pub(super) struct Meters {
    fetched: [Count; FETCHED.len()],
    #[cfg(feature = "metrics")]
    in_touch: Gauge,
    #[cfg(feature = "metrics")]
    waiting: Gauge,
}

impl Meters {
    #[cfg(feature = "metrics")]
    pub(super) fn new(cache: &str) -> Self {
        const FLEET: &str = "vcache_http_fleet_fetches_total";
        const IN_TOUCH: &str = "vcache_http_in_touch";
        const WAITING: &str = "vcache_http_tier_waiting_bytes";
        describe_counter!(FLEET, Unit::Count, "Misses of all gateways, by who fetched.");
        describe_gauge!(IN_TOUCH, Unit::Count, "1 while purges of other gateways are heard of.");
        describe_gauge!(WAITING, Unit::Bytes, "Responses that wait to be written.");
        let fetched = |(_, outcome)| {
            Count::with(counter!(FLEET, "cache" => cache.to_owned(), "outcome" => outcome))
        };
        Self {
            fetched: FETCHED.map(fetched),
            in_touch: gauge!(IN_TOUCH, "cache" => cache.to_owned()),
            waiting: gauge!(WAITING, "cache" => cache.to_owned()),
        }
    }

    #[cfg(not(feature = "metrics"))]
    pub(super) fn new(_: &str) -> Self {
        Self { fetched: Default::default() }
    }

    #[cfg(feature = "redis")]
    pub(super) fn fetched(&self, fetched: Fetched) {
        let all = FETCHED.iter().zip(&self.fetched);
        all.filter(|((of, _), _)| *of == fetched).for_each(|(_, count)| count.add());
    }

    /// Misses that this process fetched for all, took from another, and fetched for itself.
    pub(super) fn fleet(&self) -> [u64; FETCHED.len()] {
        self.fetched.each_ref().map(Count::get)
    }

    #[cfg(feature = "redis")]
    pub(super) fn in_touch(&self, is_in_touch: bool) {
        let _ = is_in_touch;
        #[cfg(feature = "metrics")]
        self.in_touch.set(f64::from(u8::from(is_in_touch)));
    }

    pub(super) fn waiting(&self, bytes: u64) {
        let _ = bytes;
        #[cfg(feature = "metrics")]
        #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
        self.waiting.set(bytes as f64);
    }
}
