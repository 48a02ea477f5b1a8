//! What the HTTP cache counts.

#[cfg(not(feature = "metrics"))]
pub(crate) use off::Meters;
#[cfg(feature = "metrics")]
pub(crate) use on::Meters;

#[cfg(feature = "metrics")]
mod on {
    use metrics::{Counter, Unit, counter, describe_counter};
    use vhttp::CacheVerdict;

    use crate::http::hold_off::Outcome;
    use crate::http::purge::{Purge, Purged};

    const REQUESTS: &str = "vcache_http_requests_total";
    const EARLY: &str = "vcache_http_early_refreshes_total";
    const REFRESHES: &str = "vcache_http_refreshes_total";
    const PURGES: &str = "vcache_http_purges_total";
    const PURGED: &str = "vcache_http_purged_responses_total";

    /// The handles of one cache, taken once when it is built.
    pub(crate) struct Meters {
        cache: String,
        requests: [(CacheVerdict, Counter); 6],
        early: Counter,
        refreshes: [(Outcome, Counter); 3],
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
            describe_counter!(EARLY, Unit::Count, "Refreshes begun before the end of a lifetime.");
            describe_counter!(REFRESHES, Unit::Count, "Refreshes behind answers, by outcome.");
            let refreshed = |(outcome, name): (Outcome, &'static str)| {
                let counter = counter!(REFRESHES, "cache" => cache.to_owned(), "outcome" => name);
                (outcome, counter)
            };
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
                early: counter!(EARLY, "cache" => cache.to_owned()),
                refreshes: [
                    (Outcome::Stored, "stored"),
                    (Outcome::Refused, "refused"),
                    (Outcome::Failed, "failed"),
                ]
                .map(refreshed),
            }
        }

        pub(crate) fn refreshed_early(&self) {
            self.early.increment(1);
        }

        pub(crate) fn refreshed(&self, outcome: Outcome) {
            if let Some((_, counter)) = self.refreshes.iter().find(|(o, _)| *o == outcome) {
                counter.increment(1);
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

    use crate::http::hold_off::Outcome;
    use crate::http::purge::{Purge, Purged};

    pub(crate) struct Meters;

    impl Meters {
        pub(crate) const fn new(_: &str) -> Self {
            Self
        }

        #[expect(clippy::unused_self, reason = "the twin that counts needs it")]
        pub(crate) const fn purged(&self, _: &Purge, _: Purged) {}

        #[expect(clippy::unused_self, reason = "the twin that counts needs it")]
        pub(crate) const fn refreshed_early(&self) {}

        #[expect(clippy::unused_self, reason = "the twin that counts needs it")]
        pub(crate) const fn refreshed(&self, _: Outcome) {}

        #[expect(clippy::unused_self, reason = "the twin that counts needs it")]
        pub(crate) const fn count(&self, _: CacheVerdict) {}
    }
}
