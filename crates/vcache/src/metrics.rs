//! What caches report through the `metrics` facade; with the feature off, twins that do nothing.

#[cfg(not(feature = "metrics"))]
pub(crate) use off::{LoadMeters, Meters, StoreMeters};
#[cfg(feature = "metrics")]
pub(crate) use on::{LoadMeters, Meters, StoreMeters};

/// How a load ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Load {
    Loaded,
    Failed,
    Panicked,
    TimedOut,
    Cancelled,
}

/// Why a value was returned after its time.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stale {
    /// It is being refreshed.
    Revalidating,
    /// Loading anew failed.
    Error,
}

/// What came of asking the store behind a cache.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asked {
    Hit,
    Miss,
    Error,
    /// The bytes were not a value.
    Undecodable,
    /// The store had just failed and was not asked.
    Skipped,
}

#[cfg(feature = "metrics")]
mod on {
    use std::time::Duration;

    use metrics::{
        Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge,
        describe_histogram, gauge, histogram,
    };

    use super::{Asked, Load, Stale};
    use crate::cause::Cause;

    const REQUESTS: &str = "vcache_requests_total";
    const EVICTIONS: &str = "vcache_evictions_total";
    const REFUSALS: &str = "vcache_refusals_total";
    const WEIGHT: &str = "vcache_weight_bytes";
    const ENTRIES: &str = "vcache_entries";
    const LOADS: &str = "vcache_loads_total";
    const LOAD_TIME: &str = "vcache_load_seconds";
    const REFRESHES: &str = "vcache_refreshes_total";
    const STALE: &str = "vcache_stale_total";
    const STORE_REQUESTS: &str = "vcache_store_requests_total";
    const STORE_ERRORS: &str = "vcache_store_errors_total";
    const OPENINGS: &str = "vcache_breaker_openings_total";
    const OPEN: &str = "vcache_breaker_open";

    fn outcome(name: &'static str, cache: &str, outcome: &'static str) -> Counter {
        counter!(name, "cache" => cache.to_owned(), "outcome" => outcome)
    }

    /// The handles of one memory cache.
    pub(crate) struct Meters {
        hit: Counter,
        miss: Counter,
        left: [Counter; Cause::ALL.len()],
        refused: Counter,
        weight: Gauge,
        entries: Gauge,
    }

    impl Meters {
        pub(crate) fn new(cache: &str) -> Self {
            describe_counter!(REQUESTS, Unit::Count, "Look-ups, by outcome.");
            describe_counter!(EVICTIONS, Unit::Count, "Entries that left, by cause.");
            describe_counter!(REFUSALS, Unit::Count, "Values too heavy to be stored.");
            describe_gauge!(WEIGHT, Unit::Bytes, "What all entries weigh.");
            describe_gauge!(ENTRIES, Unit::Count, "Entries present.");
            let left = |cause: Cause| counter!(EVICTIONS, "cache" => cache.to_owned(), "cause" => cause.name());
            Self {
                hit: outcome(REQUESTS, cache, "hit"),
                miss: outcome(REQUESTS, cache, "miss"),
                left: Cause::ALL.map(left),
                refused: counter!(REFUSALS, "cache" => cache.to_owned()),
                weight: gauge!(WEIGHT, "cache" => cache.to_owned()),
                entries: gauge!(ENTRIES, "cache" => cache.to_owned()),
            }
        }

        pub(crate) fn looked_up(&self, hit: bool) {
            if hit { &self.hit } else { &self.miss }.increment(1);
        }

        pub(crate) fn inserted(&self, weight: u64) {
            self.weight.increment(gauged(weight));
            self.entries.increment(1.0);
        }

        pub(crate) fn refused(&self) {
            self.refused.increment(1);
        }

        pub(crate) fn left(&self, weight: u64, cause: Cause) {
            self.weight.decrement(gauged(weight));
            self.entries.decrement(1.0);
            if let Some(counter) = self.left.get(cause.number()) {
                counter.increment(1);
            }
        }

        /// The cache is dropped with what it held.
        pub(crate) fn closed(&self, weight: u64, entries: usize) {
            self.weight.decrement(gauged(weight));
            self.entries.decrement(gauged(u64::try_from(entries).unwrap_or(u64::MAX)));
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "exact up to 8 PiB")]
    const fn gauged(weight: u64) -> f64 {
        weight as f64
    }

    /// The handles of one cache's loads.
    pub(crate) struct LoadMeters {
        loaded: Counter,
        failed: Counter,
        panicked: Counter,
        timed_out: Counter,
        cancelled: Counter,
        time: Histogram,
        begun: Counter,
        skipped: Counter,
        revalidating: Counter,
        error: Counter,
    }

    impl LoadMeters {
        pub(crate) fn new(cache: &str) -> Self {
            describe_counter!(LOADS, Unit::Count, "Loads, by outcome.");
            describe_histogram!(LOAD_TIME, Unit::Seconds, "How long successful loads took.");
            describe_counter!(REFRESHES, Unit::Count, "Refreshes that were due, by outcome.");
            describe_counter!(STALE, Unit::Count, "Values returned after their time, by reason.");
            let stale = |why| counter!(STALE, "cache" => cache.to_owned(), "reason" => why);
            Self {
                loaded: outcome(LOADS, cache, "loaded"),
                failed: outcome(LOADS, cache, "failed"),
                panicked: outcome(LOADS, cache, "panicked"),
                timed_out: outcome(LOADS, cache, "timed_out"),
                cancelled: outcome(LOADS, cache, "cancelled"),
                time: histogram!(LOAD_TIME, "cache" => cache.to_owned()),
                begun: outcome(REFRESHES, cache, "begun"),
                skipped: outcome(REFRESHES, cache, "skipped"),
                revalidating: stale("revalidating"),
                error: stale("error"),
            }
        }

        pub(crate) fn took(&self, time: Duration) {
            self.time.record(time);
        }

        pub(crate) fn refresh(&self, begun: bool) {
            if begun { &self.begun } else { &self.skipped }.increment(1);
        }

        pub(crate) fn stale(&self, why: Stale) {
            match why {
                Stale::Revalidating => &self.revalidating,
                Stale::Error => &self.error,
            }
            .increment(1);
        }

        pub(crate) fn ended(&self, load: Load) {
            let counter = match load {
                Load::Loaded => &self.loaded,
                Load::Failed => &self.failed,
                Load::Panicked => &self.panicked,
                Load::TimedOut => &self.timed_out,
                Load::Cancelled => &self.cancelled,
            };
            counter.increment(1);
        }
    }

    /// The handles of the store behind one cache.
    pub(crate) struct StoreMeters {
        hit: Counter,
        miss: Counter,
        error: Counter,
        undecodable: Counter,
        skipped: Counter,
        errors: Counter,
        openings: Counter,
        open: Gauge,
    }

    impl StoreMeters {
        pub(crate) fn new(cache: &str) -> Self {
            describe_counter!(STORE_REQUESTS, Unit::Count, "Reads of the store, by outcome.");
            describe_counter!(STORE_ERRORS, Unit::Count, "Failed calls of the store.");
            describe_counter!(OPENINGS, Unit::Count, "How often a store began to be left alone.");
            describe_gauge!(OPEN, Unit::Count, "1 while a store is left alone.");
            Self {
                hit: outcome(STORE_REQUESTS, cache, "hit"),
                miss: outcome(STORE_REQUESTS, cache, "miss"),
                error: outcome(STORE_REQUESTS, cache, "error"),
                undecodable: outcome(STORE_REQUESTS, cache, "undecodable"),
                skipped: outcome(STORE_REQUESTS, cache, "skipped"),
                errors: counter!(STORE_ERRORS, "cache" => cache.to_owned()),
                openings: counter!(OPENINGS, "cache" => cache.to_owned()),
                open: gauge!(OPEN, "cache" => cache.to_owned()),
            }
        }

        pub(crate) fn asked(&self, asked: Asked) {
            let counter = match asked {
                Asked::Hit => &self.hit,
                Asked::Miss => &self.miss,
                Asked::Error => &self.error,
                Asked::Undecodable => &self.undecodable,
                Asked::Skipped => &self.skipped,
            };
            counter.increment(1);
        }

        pub(crate) fn failed(&self) {
            self.errors.increment(1);
        }

        pub(crate) fn breaker(&self, open: bool) {
            self.open.set(f64::from(u8::from(open)));
            self.openings.increment(u64::from(open));
        }
    }
}

#[cfg(not(feature = "metrics"))]
#[expect(clippy::unused_self, reason = "twins of methods that use it")]
mod off {
    use std::time::Duration;

    use super::{Asked, Load, Stale};
    use crate::cause::Cause;

    pub(crate) struct Meters;

    impl Meters {
        pub(crate) const fn new(_cache: &str) -> Self {
            Self
        }
        pub(crate) const fn looked_up(&self, _hit: bool) {}
        pub(crate) const fn inserted(&self, _weight: u64) {}
        pub(crate) const fn refused(&self) {}
        pub(crate) const fn left(&self, _weight: u64, _cause: Cause) {}
        pub(crate) const fn closed(&self, _weight: u64, _entries: usize) {}
    }

    pub(crate) struct LoadMeters;

    impl LoadMeters {
        pub(crate) const fn new(_cache: &str) -> Self {
            Self
        }
        pub(crate) const fn ended(&self, _load: Load) {}
        pub(crate) const fn took(&self, _time: Duration) {}
        pub(crate) const fn refresh(&self, _begun: bool) {}
        pub(crate) const fn stale(&self, _why: Stale) {}
    }

    pub(crate) struct StoreMeters;

    impl StoreMeters {
        pub(crate) const fn new(_cache: &str) -> Self {
            Self
        }
        pub(crate) const fn asked(&self, _asked: Asked) {}
        pub(crate) const fn failed(&self) {}
        pub(crate) const fn breaker(&self, _open: bool) {}
    }
}
