//! Counters and gauges through the `metrics` facade; without the feature the same methods do
//! nothing.

#[cfg(not(feature = "metrics"))]
pub(crate) use off::{EndpointMeters, UpstreamMeters};
#[cfg(feature = "metrics")]
pub(crate) use on::{EndpointMeters, UpstreamMeters};

/// How a request at an endpoint ended, as the label `outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Success,
    BadAnswer,
    Unreachable,
    Abandoned,
}

#[cfg(feature = "metrics")]
mod on {
    use std::fmt;

    use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

    use super::Ended;

    const REQUESTS: &str = "vbalance_requests_total";
    const EJECTIONS: &str = "vbalance_ejections_total";
    const REFUSED: &str = "vbalance_ejections_refused_total";
    const HEALTHY: &str = "vbalance_endpoint_healthy";
    const IN_FLIGHT: &str = "vbalance_in_flight";
    const PANIC: &str = "vbalance_panic";
    const PANICS: &str = "vbalance_panics_total";
    #[cfg(feature = "proxy")]
    const RETRIES: &str = "vbalance_retries_total";
    #[cfg(feature = "proxy")]
    const TUNNELS: &str = "vbalance_tunnels";

    fn describe() {
        describe_counter!(REQUESTS, Unit::Count, "Requests to an endpoint, by outcome.");
        describe_counter!(EJECTIONS, Unit::Count, "Ejections of an endpoint.");
        describe_counter!(REFUSED, Unit::Count, "Ejections that the limits refused.");
        describe_gauge!(HEALTHY, Unit::Count, "1 when an endpoint is eligible, else 0.");
        describe_gauge!(IN_FLIGHT, Unit::Count, "Requests in flight on an endpoint.");
        describe_gauge!(PANIC, Unit::Count, "1 while no endpoint is eligible, else 0.");
        describe_counter!(PANICS, Unit::Count, "Times that no endpoint was left.");
        #[cfg(feature = "proxy")]
        describe_counter!(RETRIES, Unit::Count, "Tries after the first one.");
        #[cfg(feature = "proxy")]
        describe_gauge!(TUNNELS, Unit::Count, "Upgraded connections that are open.");
    }

    /// The handles of one endpoint.
    pub(crate) struct EndpointMeters {
        success: Counter,
        bad_answer: Counter,
        unreachable: Counter,
        abandoned: Counter,
        ejections: Counter,
        healthy: Gauge,
        in_flight: Gauge,
    }

    impl EndpointMeters {
        pub(crate) fn new(upstream: &str, endpoint: &str) -> Self {
            let labels = [("upstream", upstream.to_owned()), ("endpoint", endpoint.to_owned())];
            let ended = |outcome: &'static str| {
                let (upstream, endpoint) = (upstream.to_owned(), endpoint.to_owned());
                counter!(REQUESTS, "upstream" => upstream, "endpoint" => endpoint, "outcome" => outcome)
            };
            Self {
                success: ended("success"),
                bad_answer: ended("bad_answer"),
                unreachable: ended("unreachable"),
                abandoned: ended("abandoned"),
                ejections: counter!(EJECTIONS, &labels),
                healthy: gauge!(HEALTHY, &labels),
                in_flight: gauge!(IN_FLIGHT, &labels),
            }
        }

        pub(crate) fn entered(&self) {
            self.in_flight.increment(1.0);
        }

        pub(crate) fn left(&self, ended: Ended) {
            self.in_flight.decrement(1.0);
            match ended {
                Ended::Success => self.success.increment(1),
                Ended::BadAnswer => self.bad_answer.increment(1),
                Ended::Unreachable => self.unreachable.increment(1),
                Ended::Abandoned => self.abandoned.increment(1),
            }
        }

        pub(crate) fn ejected(&self) {
            self.ejections.increment(1);
        }

        pub(crate) fn healthy(&self, healthy: bool) {
            self.healthy.set(if healthy { 1.0 } else { 0.0 });
        }
    }

    impl fmt::Debug for EndpointMeters {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("EndpointMeters")
        }
    }

    /// The handles of one upstream.
    pub(crate) struct UpstreamMeters {
        refused: Counter,
        panic: Gauge,
        panics: Counter,
        #[cfg(feature = "proxy")]
        retries: Counter,
        #[cfg(feature = "proxy")]
        tunnels: Gauge,
    }

    impl UpstreamMeters {
        pub(crate) fn new(upstream: &str) -> Self {
            describe();
            let labels = [("upstream", upstream.to_owned())];
            Self {
                refused: counter!(REFUSED, &labels),
                panic: gauge!(PANIC, &labels),
                panics: counter!(PANICS, &labels),
                #[cfg(feature = "proxy")]
                retries: counter!(RETRIES, &labels),
                #[cfg(feature = "proxy")]
                tunnels: gauge!(TUNNELS, &labels),
            }
        }

        pub(crate) fn refused(&self) {
            self.refused.increment(1);
        }

        pub(crate) fn panic(&self, entered: bool) {
            self.panic.set(if entered { 1.0 } else { 0.0 });
            if entered {
                self.panics.increment(1);
            }
        }

        #[cfg(feature = "proxy")]
        pub(crate) fn retried(&self) {
            self.retries.increment(1);
        }

        #[cfg(feature = "proxy")]
        pub(crate) fn tunnel_opened(&self) {
            self.tunnels.increment(1.0);
        }

        #[cfg(feature = "proxy")]
        pub(crate) fn tunnel_closed(&self) {
            self.tunnels.decrement(1.0);
        }
    }

    impl fmt::Debug for UpstreamMeters {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("UpstreamMeters")
        }
    }
}

#[cfg(not(feature = "metrics"))]
#[allow(clippy::unused_self, reason = "the methods are those of the twin, which uses it")]
mod off {
    use super::Ended;

    #[derive(Debug)]
    pub(crate) struct EndpointMeters;

    impl EndpointMeters {
        pub(crate) const fn new(_upstream: &str, _endpoint: &str) -> Self {
            Self
        }

        pub(crate) const fn entered(&self) {}

        pub(crate) const fn left(&self, _ended: Ended) {}

        pub(crate) const fn ejected(&self) {}

        pub(crate) const fn healthy(&self, _healthy: bool) {}
    }

    #[derive(Debug)]
    pub(crate) struct UpstreamMeters;

    impl UpstreamMeters {
        pub(crate) const fn new(_upstream: &str) -> Self {
            Self
        }

        pub(crate) const fn refused(&self) {}

        pub(crate) const fn panic(&self, _entered: bool) {}

        #[cfg(feature = "proxy")]
        pub(crate) const fn retried(&self) {}

        #[cfg(feature = "proxy")]
        pub(crate) const fn tunnel_opened(&self) {}

        #[cfg(feature = "proxy")]
        pub(crate) const fn tunnel_closed(&self) {}
    }
}
