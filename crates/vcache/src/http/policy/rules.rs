//! What the operator decides where the RFC leaves it to the cache.

use std::time::{Duration, SystemTime};

use http::header::{AUTHORIZATION, COOKIE, DATE, HeaderName, LAST_MODIFIED, SET_COOKIE};
use http::{HeaderMap, StatusCode};
use vhttp::CacheControl;

use crate::http::config::{Config, SetCookie};
use crate::http::policy::early::Early;
use crate::http::vary::Normalise;

/// What the operator decides where the RFC leaves it to the cache; see [`Config`], which has a
/// setting for each.
///
/// The default is what the RFCs allow at most: cookies are stored with an explicit lifetime, and
/// lifetimes are estimated from `Last-Modified`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// What becomes of responses with `Set-Cookie` and an explicit lifetime.
    pub set_cookie: SetCookie,
    /// The lifetime of responses that bring none; it goes before the heuristic.
    pub default_ttl: Option<Duration>,
    /// The lifetime of responses that bring none but say when they last changed (RFC 9111 §4.2.2).
    pub heuristic: Option<Heuristic>,
    /// The targeted fields that stand in place of `Cache-Control` and `Expires`, the first of them
    /// first (RFC 9213 §2.2).
    pub targets: Vec<HeaderName>,
    /// Whether `stale-while-revalidate` and `stale-if-error` count beside `s-maxage`, against
    /// RFC 9111 §5.2.2.10.
    pub stale_beside_s_maxage: bool,
    /// How long past its lifetime a response may be used while the origin cannot be reached
    /// (RFC 9111 §4.2.4), where nothing forbids it.
    pub stale_if_unreachable: Duration,
    /// How early fresh responses are refreshed.
    pub early: Early,
    /// Which request fields are compared by what they mean.
    pub normalise: Normalise,
}

impl Default for Rules {
    fn default() -> Self {
        Self::from(&Config::default())
    }
}

impl From<&Config> for Rules {
    /// Names in `targets` that are no field names are left out; [`Config::check`] finds them.
    fn from(config: &Config) -> Self {
        let heuristic = Heuristic { percent: config.heuristic_percent, max: config.heuristic_max };
        let targets = config.targets.iter();
        Self {
            set_cookie: config.set_cookie.unwrap_or(SetCookie::Store),
            default_ttl: config.default_ttl,
            heuristic: (heuristic.percent > 0).then_some(heuristic),
            targets: targets.filter_map(|n| HeaderName::from_bytes(n.as_bytes()).ok()).collect(),
            stale_beside_s_maxage: config.stale_beside_s_maxage,
            stale_if_unreachable: config.stale_if_unreachable,
            early: Early::from(config),
            normalise: Normalise {
                accept_encoding: config.normalise_accept_encoding,
                accept_language: config.normalise_accept_language,
            },
        }
    }
}

impl Rules {
    /// The directives that count for a response, and whether they are of a targeted field
    /// (RFC 9213 §2.2), so that `Expires` does not count.
    #[must_use]
    pub fn control(&self, response: &HeaderMap) -> (CacheControl, bool) {
        let targeted = self.targets.iter().find_map(|name| CacheControl::targeted(response, name));
        match targeted {
            Some(control) => (control, true),
            None => (CacheControl::response(response), false),
        }
    }

    /// A lifetime for a response that brings none: the operator's, else an estimate. Not where
    /// something about the exchange hints at a single client (§4.2.2, §7).
    ///
    /// `Cookie` and `Authorization` are no hint where `vary` names them.
    pub(crate) fn assumed(
        &self,
        request: &HeaderMap,
        (status, headers): (StatusCode, &HeaderMap),
        (control, vary): (&CacheControl, &[HeaderName]),
        received: SystemTime,
    ) -> Option<Duration> {
        let unkeyed = |name: HeaderName| request.contains_key(&name) && !vary.contains(&name);
        let personal = unkeyed(COOKIE)
            || unkeyed(AUTHORIZATION)
            || headers.contains_key(SET_COOKIE)
            || control.private.is_some()
            || control.no_cache.is_some()
            || control.no_store;
        let known = control.public || HEURISTIC.contains(&status.as_u16());
        if personal || !known {
            return None;
        }
        let heuristic = || self.heuristic?.lifetime(headers, received);
        self.default_ttl.or_else(heuristic)
    }
}

/// Statuses that may have an assumed lifetime (RFC 9110 §15.1).
pub(crate) const HEURISTIC: [u16; 12] =
    [200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501];

/// An estimate of a lifetime from the time since the last change (RFC 9111 §4.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heuristic {
    /// How much of that time, in per cent.
    pub percent: u32,
    /// The most that is assumed.
    pub max: Duration,
}

impl Heuristic {
    /// The estimate; `None` without a `Last-Modified` before the `Date`.
    #[must_use]
    pub fn lifetime(self, headers: &HeaderMap, received: SystemTime) -> Option<Duration> {
        let read = |name| {
            let line: &http::HeaderValue = headers.get(name)?;
            vhttp::date::parse_at(line.to_str().ok()?, received)
        };
        let date = read(DATE).unwrap_or(received);
        let unchanged = date.duration_since(read(LAST_MODIFIED)?).ok()?;
        let share = unchanged.checked_mul(self.percent).map_or(self.max, |all| all / 100);
        Some(share.min(self.max)).filter(|lifetime| !lifetime.is_zero())
    }
}
