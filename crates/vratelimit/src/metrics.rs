//! Metrics of limiters: names, descriptions and handles.

#[cfg(not(feature = "metrics"))]
pub(crate) use off::{InFlightMeters, Meters};
#[cfg(feature = "metrics")]
pub(crate) use on::{InFlightMeters, Meters};

#[cfg(feature = "metrics")]
mod on {
    use std::sync::Arc;

    use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

    const DECISIONS: &str = "vratelimit_decisions_total";
    const EVICTIONS: &str = "vratelimit_evictions_total";
    const KEYS: &str = "vratelimit_keys";
    const IN_FLIGHT: &str = "vratelimit_in_flight";
    const QUEUE: &str = "vratelimit_queue";

    fn outcome(limiter: &Arc<str>, outcome: &'static str) -> Counter {
        counter!(DECISIONS, "limiter" => Arc::clone(limiter), "outcome" => outcome)
    }

    fn describe_decisions() {
        describe_counter!(DECISIONS, Unit::Count, "Requests decided, by outcome.");
    }

    /// The handles of one limiter, taken once when it is built.
    pub(crate) struct Meters {
        allowed: Counter,
        denied: Counter,
        evictions: Counter,
        keys: Gauge,
    }

    impl Meters {
        pub(crate) fn new(limiter: &Arc<str>) -> Self {
            describe_decisions();
            describe_counter!(EVICTIONS, Unit::Count, "Keys forgotten for want of room.");
            describe_gauge!(KEYS, Unit::Count, "Keys held.");
            Self {
                allowed: outcome(limiter, "allowed"),
                denied: outcome(limiter, "denied"),
                evictions: counter!(EVICTIONS, "limiter" => Arc::clone(limiter)),
                keys: gauge!(KEYS, "limiter" => Arc::clone(limiter)),
            }
        }

        pub(crate) fn decided(&self, allowed: bool) {
            let counter = if allowed { &self.allowed } else { &self.denied };
            counter.increment(1);
        }

        #[expect(
            clippy::cast_precision_loss,
            reason = "a gauge is a float, exact for every number of keys that fits memory"
        )]
        pub(crate) fn held(&self, keys: usize, evicted: bool) {
            self.keys.set(keys as f64);
            if evicted {
                self.evictions.increment(1);
            }
        }
    }

    /// The handles of one concurrency limit.
    pub(crate) struct InFlightMeters {
        admitted: Counter,
        shed: Counter,
        in_flight: Gauge,
        queue: Gauge,
    }

    impl InFlightMeters {
        pub(crate) fn new(limiter: &Arc<str>) -> Self {
            describe_decisions();
            describe_gauge!(IN_FLIGHT, Unit::Count, "Requests in flight.");
            describe_gauge!(QUEUE, Unit::Count, "Requests that wait for a place.");
            Self {
                admitted: outcome(limiter, "admitted"),
                shed: outcome(limiter, "shed"),
                in_flight: gauge!(IN_FLIGHT, "limiter" => Arc::clone(limiter)),
                queue: gauge!(QUEUE, "limiter" => Arc::clone(limiter)),
            }
        }

        pub(crate) fn started(&self) {
            self.admitted.increment(1);
            self.in_flight.increment(1.0);
        }

        pub(crate) fn ended(&self) {
            self.in_flight.decrement(1.0);
        }

        pub(crate) fn queued(&self) {
            self.queue.increment(1.0);
        }

        pub(crate) fn left_queue(&self) {
            self.queue.decrement(1.0);
        }

        pub(crate) fn shed(&self) {
            self.shed.increment(1);
        }
    }
}

#[cfg(not(feature = "metrics"))]
mod off {
    use std::sync::Arc;

    /// Silent.
    pub(crate) struct Meters;

    #[expect(clippy::unused_self, reason = "the same methods as its twin")]
    impl Meters {
        pub(crate) const fn new(_: &Arc<str>) -> Self {
            Self
        }

        pub(crate) const fn decided(&self, _: bool) {}

        pub(crate) const fn held(&self, _: usize, _: bool) {}
    }

    /// Silent.
    pub(crate) struct InFlightMeters;

    #[expect(clippy::unused_self, reason = "the same methods as its twin")]
    impl InFlightMeters {
        pub(crate) const fn new(_: &Arc<str>) -> Self {
            Self
        }

        pub(crate) const fn started(&self) {}

        pub(crate) const fn ended(&self) {}

        pub(crate) const fn queued(&self) {}

        pub(crate) const fn left_queue(&self) {}

        pub(crate) const fn shed(&self) {}
    }
}
