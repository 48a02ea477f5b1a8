//! What a store on disk counts, for its figures and through the `metrics` facade.

use std::sync::atomic::{AtomicU64, Ordering};

/// The figures of a [`DiskStore`](crate::DiskStore) since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DiskStats {
    /// Bytes of the file that hold something, after the last commit.
    pub used: u64,
    /// Entries that made room.
    pub evicted: u64,
    /// Entries that were swept after their time.
    pub expired: u64,
    /// Values that were not kept because they are larger than half of the bound.
    pub refused: u64,
    /// Entries whose checksum was wrong; they were dropped, and count as absent.
    pub damaged: u64,
    /// Writes that failed.
    pub write_errors: u64,
    /// Reads that failed.
    pub read_errors: u64,
}

/// The counters, and their twins outside.
pub(super) struct DiskMeters {
    used: AtomicU64,
    evicted: AtomicU64,
    expired: AtomicU64,
    refused: AtomicU64,
    damaged: AtomicU64,
    write_errors: AtomicU64,
    read_errors: AtomicU64,
    outside: Outside,
}

impl DiskMeters {
    pub(super) fn new(name: &str) -> Self {
        Self {
            used: AtomicU64::new(0),
            evicted: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            damaged: AtomicU64::new(0),
            write_errors: AtomicU64::new(0),
            read_errors: AtomicU64::new(0),
            outside: Outside::new(name),
        }
    }

    pub(super) fn stats(&self) -> DiskStats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        DiskStats {
            used: load(&self.used),
            evicted: load(&self.evicted),
            expired: load(&self.expired),
            refused: load(&self.refused),
            damaged: load(&self.damaged),
            write_errors: load(&self.write_errors),
            read_errors: load(&self.read_errors),
        }
    }

    pub(super) fn used(&self, bytes: u64) {
        self.used.store(bytes, Ordering::Relaxed);
        self.outside.used(bytes);
    }

    pub(super) fn evicted(&self, entries: u64) {
        self.evicted.fetch_add(entries, Ordering::Relaxed);
        self.outside.evicted(entries);
    }

    pub(super) fn expired(&self, entries: u64) {
        self.expired.fetch_add(entries, Ordering::Relaxed);
        self.outside.expired(entries);
    }

    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.outside.refused();
    }

    pub(super) fn damaged(&self) {
        self.damaged.fetch_add(1, Ordering::Relaxed);
        self.outside.damaged();
    }

    pub(super) fn write_failed(&self) {
        self.write_errors.fetch_add(1, Ordering::Relaxed);
        self.outside.write_failed();
    }

    pub(super) fn read_failed(&self) {
        self.read_errors.fetch_add(1, Ordering::Relaxed);
        self.outside.read_failed();
    }
}

#[cfg(not(feature = "metrics"))]
use off::Outside;
#[cfg(feature = "metrics")]
use on::Outside;

#[cfg(feature = "metrics")]
mod on {
    use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

    const USED: &str = "vcache_disk_used_bytes";
    const EVICTIONS: &str = "vcache_disk_evictions_total";
    const ERRORS: &str = "vcache_disk_errors_total";

    /// The handles of one store.
    pub(super) struct Outside {
        used: Gauge,
        room: Counter,
        expired: Counter,
        refused: Counter,
        damaged: Counter,
        write: Counter,
        read: Counter,
    }

    impl Outside {
        pub(super) fn new(cache: &str) -> Self {
            describe_gauge!(USED, Unit::Bytes, "Bytes of the file that hold something.");
            describe_counter!(EVICTIONS, Unit::Count, "Entries that left the disk, by cause.");
            describe_counter!(ERRORS, Unit::Count, "What failed on disk, by kind.");
            let left = |cause| counter!(EVICTIONS, "cache" => cache.to_owned(), "cause" => cause);
            let failed = |kind| counter!(ERRORS, "cache" => cache.to_owned(), "kind" => kind);
            Self {
                used: gauge!(USED, "cache" => cache.to_owned()),
                room: left("room"),
                expired: left("expired"),
                refused: failed("refused"),
                damaged: failed("damaged"),
                write: failed("write"),
                read: failed("read"),
            }
        }

        #[expect(clippy::cast_precision_loss, reason = "exact up to 8 PiB")]
        pub(super) fn used(&self, bytes: u64) {
            self.used.set(bytes as f64);
        }

        pub(super) fn evicted(&self, entries: u64) {
            self.room.increment(entries);
        }

        pub(super) fn expired(&self, entries: u64) {
            self.expired.increment(entries);
        }

        pub(super) fn refused(&self) {
            self.refused.increment(1);
        }

        pub(super) fn damaged(&self) {
            self.damaged.increment(1);
        }

        pub(super) fn write_failed(&self) {
            self.write.increment(1);
        }

        pub(super) fn read_failed(&self) {
            self.read.increment(1);
        }
    }
}

#[cfg(not(feature = "metrics"))]
#[expect(clippy::unused_self, reason = "twins of methods that use it")]
mod off {
    pub(super) struct Outside;

    impl Outside {
        pub(super) const fn new(_cache: &str) -> Self {
            Self
        }
        pub(super) const fn used(&self, _bytes: u64) {}
        pub(super) const fn evicted(&self, _entries: u64) {}
        pub(super) const fn expired(&self, _entries: u64) {}
        pub(super) const fn refused(&self) {}
        pub(super) const fn damaged(&self) {}
        pub(super) const fn write_failed(&self) {}
        pub(super) const fn read_failed(&self) {}
    }
}
