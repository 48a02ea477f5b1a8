//! What idempotent replay counts.

#[cfg(not(feature = "metrics"))]
pub(crate) use off::Meters;
#[cfg(feature = "metrics")]
pub(crate) use on::Meters;

#[cfg(feature = "metrics")]
mod on {
    use metrics::{Counter, Unit, counter, describe_counter};
    use vhttp::ReplayVerdict;

    const REQUESTS: &str = "vcache_idempotency_requests_total";
    const ERRORS: &str = "vcache_idempotency_store_errors_total";

    /// The handles of one instance, taken once when it is built.
    pub(crate) struct Meters {
        requests: [(ReplayVerdict, Counter); ReplayVerdict::ALL.len()],
        errors: Counter,
    }

    impl Meters {
        pub(crate) fn new(name: &str) -> Self {
            describe_counter!(
                REQUESTS,
                Unit::Count,
                "Requests to be carried out once, by outcome."
            );
            describe_counter!(ERRORS, Unit::Count, "Calls that the store of answers failed.");
            let requests = |verdict: ReplayVerdict| {
                let name = name.to_owned();
                (verdict, counter!(REQUESTS, "name" => name, "outcome" => verdict.name()))
            };
            Self {
                requests: ReplayVerdict::ALL.map(requests),
                errors: counter!(ERRORS, "name" => name.to_owned()),
            }
        }

        pub(crate) fn count(&self, verdict: ReplayVerdict) {
            if let Some((_, counter)) = self.requests.iter().find(|(v, _)| *v == verdict) {
                counter.increment(1);
            }
        }

        pub(crate) fn store_failed(&self) {
            self.errors.increment(1);
        }
    }
}

#[cfg(not(feature = "metrics"))]
mod off {
    use vhttp::ReplayVerdict;

    pub(crate) struct Meters;

    #[expect(clippy::unused_self, reason = "the twin that counts needs it")]
    impl Meters {
        pub(crate) const fn new(_: &str) -> Self {
            Self
        }

        pub(crate) const fn count(&self, _: ReplayVerdict) {}

        pub(crate) const fn store_failed(&self) {}
    }
}
