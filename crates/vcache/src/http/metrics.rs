//! What the HTTP cache counts.

#[cfg(not(feature = "metrics"))]
pub(crate) use off::Meters;
#[cfg(feature = "metrics")]
pub(crate) use on::Meters;

#[cfg(feature = "metrics")]
mod on {
    use metrics::{Counter, Unit, counter, describe_counter};
    use vhttp::CacheVerdict;

    use crate::http::purge::{Purge, Purged};

    const REQUESTS: &str = "vcache_http_requests_total";
    const PURGES: &str = "vcache_http_purges_total";
    const PURGED: &str = "vcache_http_purged_responses_total";

    /// The handles of one cache, taken once when it is built.
    pub(crate) struct Meters {
        cache: String,
        requests: [(CacheVerdict, Counter); 6],
    }

    impl Meters {
        pub(crate) fn new(cache: &str) -> Self {
            describe_counter!(REQUESTS, Unit::Count, "Requests to the HTTP cache, by outcome.");
            describe_counter!(PURGES, Unit::Count, "Purges, by what they named.");
            describe_counter!(
                PURGED,
                Unit::Count,
                "Responses that purges removed or marked stale."
            );
            let count = |verdict: CacheVerdict| {
                let cache = cache.to_owned();
                let counter = counter!(REQUESTS, "cache" => cache, "outcome" => verdict.name());
                (verdict, counter)
            };
            Self {
                cache: cache.to_owned(),
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

        /// Seldom, so that its handles are not kept.
        pub(crate) fn purged(&self, purge: &Purge, purged: Purged) {
            let mode = if purge.is_hard() { "hard" } else { "soft" };
            let labels = [("cache", self.cache.clone())];
            let by = [("target", purge.kind().to_owned()), ("mode", mode.to_owned())];
            counter!(PURGES, &[labels.as_slice(), &by].concat()).increment(1);
            counter!(PURGED, &labels)
                .increment(u64::try_from(purged.responses).unwrap_or(u64::MAX));
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

    use crate::http::purge::{Purge, Purged};

    pub(crate) struct Meters;

    impl Meters {
        pub(crate) const fn new(_: &str) -> Self {
            Self
        }

        #[expect(clippy::unused_self, reason = "the twin that counts needs it")]
        pub(crate) const fn purged(&self, _: &Purge, _: Purged) {}

        #[expect(clippy::unused_self, reason = "the twin that counts needs it")]
        pub(crate) const fn count(&self, _: CacheVerdict) {}
    }
}
