//! Which requests for a fresh response have it refreshed ahead of its end: XFetch, refresh-ahead.

use std::time::{Duration, SystemTime};

use crate::http::config::Config;
use crate::http::terms::Terms;
use crate::load::early::{reach, recompute_early};

/// When a fresh response is refreshed behind an answer, so that nobody waits at its end.
///
/// A cache may ask the origin at any time (RFC 9111 §4.3); the answers meanwhile are fresh.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use http::{HeaderMap, Method, StatusCode};
/// use vcache::http::policy::{Early, Rules, admit};
///
/// let now = SystemTime::now();
/// let exchange = vcache::http::Exchange { requested: now, received: now };
/// let mut response = HeaderMap::new();
/// response.insert("cache-control", "max-age=10".parse().unwrap());
/// let request = (&Method::GET, &HeaderMap::new());
/// let terms = admit(request, (StatusCode::OK, &response), &Rules::default(), exchange).unwrap();
///
/// let (early, second) = (Early::default(), Duration::from_secs(1));
/// // e⁻² is 0.135: fetched in one second, with two left, one request in seven asks again.
/// assert!(early.is_due(&terms, second, now + 8 * second, 0.13));
/// assert!(!early.is_due(&terms, second, now + 8 * second, 0.14));
/// // In the first half of its time nothing is refreshed.
/// assert!(!early.is_due(&terms, 60 * second, now + 4 * second, 1e-9));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Early {
    /// The factor β of XFetch, in per cent; 0 for never.
    pub percent: u16,
    /// From which percentage of its lifetime on a response is refreshed by whoever asks for it; 0,
    /// and 100 and more, for never.
    pub ahead_percent: u8,
}

/// What decides for one response when it is refreshed early.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ahead {
    /// How long it took to get, as far as it has come.
    pub(crate) took: Duration,
    pub(crate) early: Early,
}

impl Ahead {
    /// From when on a response that was `received` then is refreshed at all.
    pub(crate) fn from(&self, terms: &Terms, received: SystemTime) -> SystemTime {
        let freshness = terms.freshness();
        let fresh = freshness.lifetime().saturating_sub(freshness.initial_age());
        let settled = fresh.saturating_sub(self.early.reach(terms, self.took));
        received.checked_add(settled).unwrap_or(received)
    }

    /// Whether a request at `now` has it refreshed; see [`Early::is_due`].
    pub(crate) fn is_due(&self, terms: &Terms, now: SystemTime, random: f64) -> bool {
        self.early.is_due(terms, self.took, now, random)
    }
}

impl Default for Early {
    /// XFetch as in the paper, and no percentage.
    fn default() -> Self {
        Self { percent: 100, ahead_percent: 0 }
    }
}

impl From<&Config> for Early {
    fn from(config: &Config) -> Self {
        Self { percent: config.early_percent, ahead_percent: config.refresh_ahead_percent }
    }
}

impl Early {
    /// How long before its end a response that took `fetch` to get is refreshed at all; the rest
    /// of its lifetime costs a comparison.
    #[must_use]
    pub fn reach(&self, terms: &Terms, fetch: Duration) -> Duration {
        let lifetime = terms.freshness().lifetime();
        let probable = reach(fetch, self.beta()).min(lifetime / 2);
        self.ahead(lifetime).max(probable)
    }

    /// Whether a request at `now` for a response with these terms, which took `fetch` to get, has
    /// it refreshed. `random` is uniform in (0, 1].
    ///
    /// With probability exp(−left / (`fetch` × β)), but never in the first half of the lifetime:
    /// what takes longer to get than it holds would be asked for without an end. Source: Vattani,
    /// Chierichetti, Lowenstein: "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015.
    #[must_use]
    pub fn is_due(&self, terms: &Terms, fetch: Duration, now: SystemTime, random: f64) -> bool {
        if !terms.is_fresh(now) {
            return false;
        }
        let (lifetime, left) = (terms.freshness().lifetime(), terms.freshness().remaining(now));
        let draw = || recompute_early(Duration::ZERO, left, fetch, self.beta(), random);
        left <= self.ahead(lifetime) || (left <= lifetime / 2 && draw())
    }

    fn beta(&self) -> f64 {
        f64::from(self.percent) / 100.0
    }

    /// The last part of a lifetime, in which whoever asks has it refreshed.
    fn ahead(&self, lifetime: Duration) -> Duration {
        match self.ahead_percent {
            1..100 => (lifetime / 100).saturating_mul(u32::from(100 - self.ahead_percent)),
            _ => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method, StatusCode};
    use proptest::prelude::*;

    use super::*;
    use crate::http::freshness::Exchange;
    use crate::http::policy::{Rules, admit};

    fn terms(seconds: u64, now: SystemTime) -> Terms {
        let exchange = Exchange { requested: now, received: now };
        let mut response = HeaderMap::new();
        response.insert("cache-control", format!("max-age={seconds}").parse().unwrap());
        let response = (StatusCode::OK, &response);
        admit((&Method::GET, &HeaderMap::new()), response, &Rules::default(), exchange).unwrap()
    }

    #[test]
    fn from_a_percentage_on_whoever_asks_has_it_refreshed() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let terms = terms(100, now);
        let at = |percent, seconds| {
            let early = Early { percent: 0, ahead_percent: percent };
            early.is_due(&terms, Duration::ZERO, now + Duration::from_secs(seconds), 1.0)
        };
        assert_eq!([at(80, 79), at(80, 80), at(80, 99), at(80, 100)], [false, true, true, false]);
        assert_eq!([at(0, 99), at(100, 99), at(255, 99)], [false; 3]);
    }

    proptest! {
        /// Before its reach nothing is refreshed, and after its end neither.
        #[test]
        fn nothing_is_refreshed_out_of_reach(
            lifetime in 1_u64..10_000, age in 0_u64..12_000, fetch in 0_u64..100_000,
            percent in 0_u16..1000, ahead_percent in 0_u8..=255, random in 1e-16..=1.0_f64,
        ) {
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
            let (terms, fetch) = (terms(lifetime, now), Duration::from_millis(fetch));
            let early = Early { percent, ahead_percent };
            let reach = early.reach(&terms, fetch);
            prop_assert!(reach <= terms.freshness().lifetime());
            let left = Duration::from_secs(lifetime.saturating_sub(age));
            if early.is_due(&terms, fetch, now + Duration::from_secs(age), random) {
                prop_assert!(!left.is_zero() && left <= reach);
            }
        }
    }
}
