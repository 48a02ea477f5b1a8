//! What coherence reports through the `metrics` facade; with the feature off, a twin that does
//! nothing.

#[cfg(not(feature = "metrics"))]
pub(super) use off::CoherenceMeters;
#[cfg(feature = "metrics")]
pub(super) use on::CoherenceMeters;

#[cfg(feature = "metrics")]
mod on {
    use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

    const CONNECTED: &str = "vcache_coherence_connected";
    const INVALIDATIONS: &str = "vcache_coherence_invalidations_total";
    const LOSSES: &str = "vcache_coherence_losses_total";

    /// The handles of one cache.
    pub(in crate::coherence) struct CoherenceMeters {
        connected: Gauge,
        invalidations: Counter,
        losses: Counter,
    }

    impl CoherenceMeters {
        pub(in crate::coherence) fn new(cache: &str) -> Self {
            describe_gauge!(CONNECTED, Unit::Count, "1 while changes of others are heard of.");
            describe_counter!(INVALIDATIONS, Unit::Count, "Changes that were heard of.");
            describe_counter!(LOSSES, Unit::Count, "How often touch was lost.");
            Self {
                connected: gauge!(CONNECTED, "cache" => cache.to_owned()),
                invalidations: counter!(INVALIDATIONS, "cache" => cache.to_owned()),
                losses: counter!(LOSSES, "cache" => cache.to_owned()),
            }
        }

        pub(in crate::coherence) fn connected(&self, connected: bool) {
            self.connected.set(f64::from(u8::from(connected)));
            self.losses.increment(u64::from(!connected));
        }

        pub(in crate::coherence) fn invalidated(&self) {
            self.invalidations.increment(1);
        }
    }
}

#[cfg(not(feature = "metrics"))]
#[expect(clippy::unused_self, reason = "twins of methods that use it")]
mod off {
    pub(in crate::coherence) struct CoherenceMeters;

    impl CoherenceMeters {
        pub(in crate::coherence) const fn new(_cache: &str) -> Self {
            Self
        }
        pub(in crate::coherence) const fn connected(&self, _connected: bool) {}
        pub(in crate::coherence) const fn invalidated(&self) {}
    }
}
