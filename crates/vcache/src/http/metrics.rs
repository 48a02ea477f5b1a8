//! What the HTTP cache counts.

#[cfg(not(feature = "metrics"))]
pub(crate) use off::Meters;
#[cfg(feature = "metrics")]
pub(crate) use on::Meters;

#[cfg(feature = "metrics")]
mod on {
    use metrics::{Counter, Unit, counter, describe_counter};
    use vhttp::CacheVerdict;

    const REQUESTS: &str = "vcache_http_requests_total";

    /// The handles of one cache, taken once when it is built.
    pub(crate) struct Meters {
        requests: [(CacheVerdict, Counter); 6],
    }

    impl Meters {
        pub(crate) fn new(cache: &str) -> Self {
            describe_counter!(REQUESTS, Unit::Count, "Requests to the HTTP cache, by outcome.");
            let count = |verdict: CacheVerdict| {
                let cache = cache.to_owned();
                let counter = counter!(REQUESTS, "cache" => cache, "outcome" => verdict.name());
                (verdict, counter)
            };
            Self {
                requests: [
                    CacheVerdict::Hit,
                    CacheVerdict::Stale,
                    CacheVerdict::Revalidated,
                    CacheVerdict::Collapsed,
                    CacheVerdict::Miss,
                    CacheVerdict::Bypass,
                ]
                .map(count),
            }
        }

        pub(crate) fn count(&self, verdict: CacheVerdict) {
            if let Some((_, counter)) = self.requests.iter().find(|(v, _)| *v == verdict) {
                counter.increment(1);
            }
        }
    }
}

#[cfg(not(feature = "metrics"))]
mod off {
    use vhttp::CacheVerdict;

    pub(crate) struct Meters;

    impl Meters {
        pub(crate) const fn new(_: &str) -> Self {
            Self
        }

        #[expect(clippy::unused_self, reason = "the twin that counts needs it")]
        pub(crate) const fn count(&self, _: CacheVerdict) {}
    }
}
