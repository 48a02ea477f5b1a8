//! What to do with the stored response that fits: RFC 9111 §4.2.4, §4.3, §5.2.1; RFC 5861 §3.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{AUTHORIZATION, CACHE_CONTROL, COOKIE, PRAGMA};
use vhttp::CacheControl;

use crate::http::terms::Terms;

/// What a request says about stored answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// Wants an answer from the origin, or one that it confirms: `no-cache`, or `Pragma:
    /// no-cache` where there is no `Cache-Control` (§5.4).
    pub no_cache: bool,
    /// Nothing of this exchange may be stored.
    pub no_store: bool,
    /// Wants no answer from the origin.
    pub only_if_cached: bool,
    /// The greatest age that will do.
    pub max_age: Option<Duration>,
    /// How long the answer should stay fresh.
    pub min_fresh: Option<Duration>,
    /// How stale an answer may be.
    pub max_stale: Option<Duration>,
    /// How stale an answer may be in place of an error (RFC 5861 §4). It stands in place of the
    /// response's own bound: more than that allows, or less.
    pub stale_if_error: Option<Duration>,
    /// Has cookies: answers with an assumed lifetime are not for it, unless they vary with them.
    pub has_cookies: bool,
    /// Has credentials; the same holds.
    pub has_credentials: bool,
}

impl Wish {
    /// Reads a request; its directives only if they are to count.
    #[must_use]
    pub fn new(request: &HeaderMap, directives: bool) -> Self {
        let mut wish = Self {
            has_cookies: request.contains_key(COOKIE),
            has_credentials: request.contains_key(AUTHORIZATION),
            ..Self::default()
        };
        if !directives {
            return wish;
        }
        if !request.contains_key(CACHE_CONTROL) {
            wish.no_cache = vhttp::list::contains(request, &PRAGMA, "no-cache");
            return wish;
        }
        let control = CacheControl::request(request);
        wish.no_cache = control.no_cache.is_some();
        wish.no_store = control.no_store;
        wish.only_if_cached = control.only_if_cached;
        wish.max_age = control.max_age.map(Duration::from_secs);
        wish.min_fresh = control.min_fresh.map(Duration::from_secs);
        wish.max_stale = control.max_stale.map(Duration::from_secs);
        wish.stale_if_error = control.stale_if_error.map(Duration::from_secs);
        wish
    }

    /// Whether an answer with these terms is for such requests at all.
    fn may_see(&self, terms: &Terms) -> bool {
        let unkeyed = |has: bool, name| has && !terms.vary().contains(&name);
        let personal =
            unkeyed(self.has_cookies, COOKIE) || unkeyed(self.has_credentials, AUTHORIZATION);
        !(terms.is_assumed() && personal)
    }

    /// Whether a fresh answer with these terms will do. What does not change while it is fresh is
    /// never too old (RFC 8246 §2.1).
    fn accepts_fresh(&self, terms: &Terms, now: SystemTime) -> bool {
        let freshness = terms.freshness();
        (terms.is_immutable() || self.max_age.is_none_or(|most| freshness.age(now) <= most))
            && self.min_fresh.is_none_or(|least| freshness.remaining(now) >= least)
    }

    /// Whether an answer with these terms may be given in place of an error of the origin: as the
    /// request says, or else the response (RFC 5861 §4). Where every stale answer is forbidden, no
    /// request allows one.
    #[must_use]
    pub fn may_replace_error(&self, terms: &Terms, now: SystemTime) -> bool {
        match self.stale_if_error {
            None => terms.may_replace_error(now),
            Some(most) => {
                let own = !terms.forbids_stale() || terms.may_replace_error(now);
                own && terms.freshness().staleness(now) <= most
            }
        }
    }

    /// The same while the origin cannot be reached at all (RFC 9111 §4.2.4).
    #[must_use]
    pub fn may_replace_silence(&self, terms: &Terms, now: SystemTime) -> bool {
        match self.stale_if_error {
            None => terms.may_replace_silence(now),
            Some(_) => self.may_replace_error(terms, now),
        }
    }

    /// Whether the request itself takes a stale answer: `max-stale` (§5.2.1.2).
    fn accepts_stale(&self, terms: &Terms, now: SystemTime) -> bool {
        let Some(max_stale) = self.max_stale.filter(|_| self.min_fresh.is_none()) else {
            return false;
        };
        let (age, freshness) = (terms.freshness().age(now), terms.freshness());
        freshness.staleness(now) <= max_stale
            && self.max_age.is_none_or(|most| age <= most.saturating_add(max_stale))
    }
}

/// What to do with a request; see [`decide`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// Answer with the stored response, which is fresh.
    Hit,
    /// Answer with the stored response, which is stale; and refresh it behind the answer if so.
    Stale {
        /// Whether to ask the origin meanwhile (RFC 5861 §3).
        refresh: bool,
    },
    /// Ask the origin whether the stored response is still right.
    Validate {
        /// Whether the request wants it, although the response could be used.
        asked: bool,
    },
    /// Ask the origin; nothing stored fits.
    Miss,
    /// Answer 504: the origin is not to be asked (`only-if-cached`, §5.2.1.7).
    GatewayTimeout,
}

/// Decides on a request with the stored response that fits it, if one does.
///
/// Which form the answer takes (304, 206 or 416 in place of the whole) says
/// [`form`](super::form). Nothing is allocated.
#[must_use]
pub fn decide(wish: &Wish, stored: Option<&Terms>, now: SystemTime) -> Decision {
    let asked = |decision| match decision {
        _ if wish.only_if_cached => Decision::GatewayTimeout,
        decision => decision,
    };
    let Some(terms) = stored.filter(|terms| wish.may_see(terms)) else {
        return asked(Decision::Miss);
    };
    if wish.no_cache {
        return asked(Decision::Validate { asked: true });
    }
    if terms.is_fresh(now) {
        return match wish.accepts_fresh(terms, now) {
            true => Decision::Hit,
            false => asked(Decision::Validate { asked: true }),
        };
    }
    if !terms.forbids_stale() && !terms.is_purged() && wish.accepts_stale(terms, now) {
        return Decision::Stale { refresh: false };
    }
    let strict = wish.max_age.is_some() || wish.min_fresh.is_some();
    if terms.may_revalidate_behind(now) && !strict {
        return Decision::Stale { refresh: !wish.only_if_cached };
    }
    asked(Decision::Validate { asked: false })
}
