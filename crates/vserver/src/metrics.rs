//! Names and handles of the metrics; without the feature `metrics` the same calls do nothing.

#[cfg(feature = "metrics")]
pub(crate) use on::Meters;

#[cfg(not(feature = "metrics"))]
pub(crate) use off::Meters;

#[cfg(feature = "metrics")]
mod on {
    use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

    use crate::fault::Fault;
    use crate::tls::Protocol;
    use crate::trouble::Trouble;

    const OPEN: &str = "vserver_connections_open";
    const ACCEPTED: &str = "vserver_connections_accepted_total";
    const REFUSED: &str = "vserver_connections_refused_total";
    const PROTOCOLS: &str = "vserver_connections_negotiated_total";
    const ERRORS: &str = "vserver_connection_errors_total";
    const ACCEPT_ERRORS: &str = "vserver_accept_errors_total";
    const HANDSHAKES: &str = "vserver_tls_handshake_failures_total";

    /// The handles of one listener, taken once when it is bound.
    pub(crate) struct Meters {
        open: Gauge,
        accepted: Counter,
        refused: Counter,
        http1: Counter,
        http2: Counter,
        handshakes: Counter,
        errors: Vec<(Fault, Counter)>,
        troubles: Vec<(Trouble, Counter)>,
    }

    impl Meters {
        pub(crate) fn new(listener: &str) -> Self {
            describe();
            let name = || listener.to_owned();
            let protocol =
                |protocol| counter!(PROTOCOLS, "listener" => name(), "protocol" => protocol);
            let error =
                |kind: Fault| (kind, counter!(ERRORS, "listener" => name(), "kind" => kind.name()));
            let trouble = |kind: Trouble| {
                (kind, counter!(ACCEPT_ERRORS, "listener" => name(), "kind" => kind.name()))
            };
            Self {
                open: gauge!(OPEN, "listener" => name()),
                accepted: counter!(ACCEPTED, "listener" => name()),
                refused: counter!(REFUSED, "listener" => name(), "reason" => "max_connections"),
                http1: protocol("http1"),
                http2: protocol("http2"),
                handshakes: counter!(HANDSHAKES, "listener" => name()),
                errors: Fault::ALL.into_iter().map(error).collect(),
                troubles: Trouble::ALL.into_iter().map(trouble).collect(),
            }
        }

        pub(crate) fn opened(&self) {
            self.accepted.increment(1);
            self.open.increment(1.0);
        }

        pub(crate) fn closed(&self) {
            self.open.decrement(1.0);
        }

        pub(crate) fn refused(&self) {
            self.refused.increment(1);
        }

        pub(crate) fn negotiated(&self, protocol: Protocol) {
            match protocol {
                Protocol::Http1 => self.http1.increment(1),
                Protocol::Http2 => self.http2.increment(1),
            }
        }

        pub(crate) fn handshake_failed(&self) {
            self.handshakes.increment(1);
        }

        pub(crate) fn failed(&self, fault: Fault) {
            add(&self.errors, &fault);
        }

        pub(crate) fn accept_failed(&self, trouble: Trouble) {
            add(&self.troubles, &trouble);
        }
    }

    fn add<K: PartialEq>(counters: &[(K, Counter)], key: &K) {
        if let Some((_, counter)) = counters.iter().find(|(kind, _)| kind == key) {
            counter.increment(1);
        }
    }

    fn describe() {
        describe_gauge!(OPEN, Unit::Count, "Connections that are open.");
        describe_counter!(ACCEPTED, Unit::Count, "Connections taken on.");
        describe_counter!(REFUSED, Unit::Count, "Connections closed at once, by reason.");
        describe_counter!(
            PROTOCOLS,
            Unit::Count,
            "Connections that began to speak HTTP, by version."
        );
        describe_counter!(ERRORS, Unit::Count, "Connections that did not end in peace, by kind.");
        describe_counter!(ACCEPT_ERRORS, Unit::Count, "Failures to accept a connection, by kind.");
        describe_counter!(HANDSHAKES, Unit::Count, "TLS handshakes that failed or took too long.");
    }
}

#[cfg(not(feature = "metrics"))]
mod off {
    use crate::fault::Fault;
    use crate::tls::Protocol;
    use crate::trouble::Trouble;

    /// Counts nothing.
    pub(crate) struct Meters;

    impl Meters {
        pub(crate) const fn new(_: &str) -> Self {
            Self
        }

        pub(crate) const fn opened(&self) {}

        pub(crate) const fn closed(&self) {}

        pub(crate) const fn refused(&self) {}

        pub(crate) const fn negotiated(&self, _: Protocol) {}

        pub(crate) const fn handshake_failed(&self) {}

        pub(crate) const fn failed(&self, _: Fault) {}

        pub(crate) const fn accept_failed(&self, _: Trouble) {}
    }
}
