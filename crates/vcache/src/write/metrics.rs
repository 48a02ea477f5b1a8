//! What writing behind reports through the `metrics` facade; with the feature off, a twin that
//! does nothing.

#[cfg(not(feature = "metrics"))]
pub(super) use off::WriteMeters;
#[cfg(feature = "metrics")]
pub(super) use on::WriteMeters;

#[cfg(feature = "metrics")]
mod on {
    use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

    const WRITES: &str = "vcache_writes_total";
    const FAILURES: &str = "vcache_write_failures_total";
    const PENDING: &str = "vcache_writes_pending";
    const PENDING_BYTES: &str = "vcache_writes_pending_bytes";

    /// The handles of one writer.
    pub(crate) struct WriteMeters {
        written: Counter,
        coalesced: Counter,
        refused: Counter,
        failures: Counter,
        dead: Counter,
        pending: Gauge,
        pending_bytes: Gauge,
    }

    impl WriteMeters {
        pub(crate) fn new(cache: &str) -> Self {
            describe_counter!(
                WRITES,
                Unit::Count,
                "Writes that were to be made later, by outcome."
            );
            describe_counter!(FAILURES, Unit::Count, "Batches that the source did not take.");
            describe_gauge!(PENDING, Unit::Count, "Keys that are still to be written.");
            let bytes = "What the writes weigh that are still to be made.";
            describe_gauge!(PENDING_BYTES, Unit::Bytes, bytes);
            let writes =
                |outcome| counter!(WRITES, "cache" => cache.to_owned(), "outcome" => outcome);
            Self {
                written: writes("written"),
                coalesced: writes("coalesced"),
                refused: writes("refused"),
                failures: counter!(FAILURES, "cache" => cache.to_owned()),
                dead: writes("dead"),
                pending: gauge!(PENDING, "cache" => cache.to_owned()),
                pending_bytes: gauge!(PENDING_BYTES, "cache" => cache.to_owned()),
            }
        }

        pub(crate) fn written(&self, writes: u64) {
            self.written.increment(writes);
        }

        pub(crate) fn coalesced(&self) {
            self.coalesced.increment(1);
        }

        pub(crate) fn refused(&self) {
            self.refused.increment(1);
        }

        pub(crate) fn failed(&self) {
            self.failures.increment(1);
        }

        pub(crate) fn dead(&self) {
            self.dead.increment(1);
        }

        pub(crate) fn pending(&self, keys: usize, bytes: u64) {
            self.pending.set(f64::from(u32::try_from(keys).unwrap_or(u32::MAX)));
            #[expect(clippy::cast_precision_loss, reason = "exact up to 8 PiB")]
            self.pending_bytes.set(bytes as f64);
        }
    }
}

#[cfg(not(feature = "metrics"))]
#[expect(clippy::unused_self, reason = "twins of methods that use it")]
mod off {
    pub(crate) struct WriteMeters;

    impl WriteMeters {
        pub(crate) const fn new(_cache: &str) -> Self {
            Self
        }
        pub(crate) const fn written(&self, _writes: u64) {}
        pub(crate) const fn coalesced(&self) {}
        pub(crate) const fn refused(&self) {}
        pub(crate) const fn failed(&self) {}
        pub(crate) const fn dead(&self) {}
        pub(crate) const fn pending(&self, _keys: usize, _bytes: u64) {}
    }
}
