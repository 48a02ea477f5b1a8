//! What a Redis store counts, for its figures and through the `metrics` facade.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::envelope::Fault;

/// The figures of a [`RedisStore`](crate::RedisStore) since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RedisStats {
    /// Reads that met bytes that nothing of ours wrote. They count as absent, as do the next two.
    pub foreign: u64,
    /// Reads that met an entry of another version of this crate.
    pub other_version: u64,
    /// Reads that met an entry that is not what was written.
    pub damaged: u64,
    /// How often the breaker opened; in a Cluster for each part of the slots.
    pub openings: u64,
    /// Probes that were sent while it was open.
    pub probes: u64,
    /// Whether it is open, for some of the keys at least: their calls fail at once.
    pub open: bool,
}

/// The counters, and their twins outside.
pub(super) struct RedisMeters {
    name: String,
    foreign: AtomicU64,
    other_version: AtomicU64,
    damaged: AtomicU64,
    openings: AtomicU64,
    probes: AtomicU64,
    open: AtomicBool,
    outside: Outside,
}

impl RedisMeters {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            foreign: AtomicU64::new(0),
            other_version: AtomicU64::new(0),
            damaged: AtomicU64::new(0),
            openings: AtomicU64::new(0),
            probes: AtomicU64::new(0),
            open: AtomicBool::new(false),
            outside: Outside::new(name),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn stats(&self) -> RedisStats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        RedisStats {
            foreign: load(&self.foreign),
            other_version: load(&self.other_version),
            damaged: load(&self.damaged),
            openings: load(&self.openings),
            probes: load(&self.probes),
            open: self.open.load(Ordering::Relaxed),
        }
    }

    /// Bytes that are no entry.
    pub(super) fn refused(&self, fault: Fault) {
        let counter = match fault {
            Fault::Foreign => &self.foreign,
            Fault::Version => &self.other_version,
            Fault::Damaged => &self.damaged,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.outside.refused(fault);
    }

    pub(super) fn opened(&self) {
        self.openings.fetch_add(1, Ordering::Relaxed);
        self.open.store(true, Ordering::Relaxed);
        self.outside.opened();
    }

    /// Some keys may be asked for again; all of them or not.
    pub(super) fn closed(&self, all: bool) {
        if all {
            self.open.store(false, Ordering::Relaxed);
        }
        self.outside.closed(all);
    }

    pub(super) fn probed(&self) {
        self.probes.fetch_add(1, Ordering::Relaxed);
        self.outside.probed();
    }
}

#[cfg(not(feature = "metrics"))]
use off::Outside;
#[cfg(feature = "metrics")]
use on::Outside;

#[cfg(feature = "metrics")]
mod on {
    use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

    use super::Fault;

    const REFUSED: &str = "vcache_redis_refused_total";
    const OPEN: &str = "vcache_redis_breaker_open";
    const CHANGES: &str = "vcache_redis_breaker_changes_total";

    /// The handles of one store.
    pub(super) struct Outside {
        foreign: Counter,
        version: Counter,
        damaged: Counter,
        open: Gauge,
        opened: Counter,
        half_open: Counter,
        closed: Counter,
    }

    impl Outside {
        pub(super) fn new(store: &str) -> Self {
            describe_counter!(REFUSED, Unit::Count, "Entries read that were none, by reason.");
            describe_gauge!(
                OPEN,
                Unit::Count,
                "1 while calls fail at once, for some keys at least."
            );
            describe_counter!(CHANGES, Unit::Count, "Changes of the breaker, by its new state.");
            let refused = |why| counter!(REFUSED, "store" => store.to_owned(), "reason" => why);
            let to = |state| counter!(CHANGES, "store" => store.to_owned(), "to" => state);
            Self {
                foreign: refused("foreign"),
                version: refused("version"),
                damaged: refused("damaged"),
                open: gauge!(OPEN, "store" => store.to_owned()),
                opened: to("open"),
                half_open: to("half_open"),
                closed: to("closed"),
            }
        }

        pub(super) fn refused(&self, fault: Fault) {
            let counter = match fault {
                Fault::Foreign => &self.foreign,
                Fault::Version => &self.version,
                Fault::Damaged => &self.damaged,
            };
            counter.increment(1);
        }

        pub(super) fn opened(&self) {
            self.opened.increment(1);
            self.open.set(1.0);
        }

        pub(super) fn closed(&self, all: bool) {
            self.closed.increment(1);
            if all {
                self.open.set(0.0);
            }
        }

        pub(super) fn probed(&self) {
            self.half_open.increment(1);
        }
    }
}

#[cfg(not(feature = "metrics"))]
#[expect(clippy::unused_self, reason = "twins of methods that use it")]
mod off {
    use super::Fault;

    pub(super) struct Outside;

    impl Outside {
        pub(super) const fn new(_store: &str) -> Self {
            Self
        }
        pub(super) const fn refused(&self, _fault: Fault) {}
        pub(super) const fn opened(&self) {}
        pub(super) const fn closed(&self, _all: bool) {}
        pub(super) const fn probed(&self) {}
    }
}
