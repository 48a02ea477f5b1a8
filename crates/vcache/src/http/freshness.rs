//! Ages and lifetimes: RFC 9111 §4.2.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use http::header::{AGE, DATE, EXPIRES};
use vhttp::CacheControl;

/// The largest number of seconds that counts; larger ones are taken as this (RFC 9111 §1.2.2).
const MAX_SECONDS: u64 = 1 << 31;

/// When a request was sent to the origin and when the head of its answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// When the request was sent: `request_time`.
    pub requested: SystemTime,
    /// When the answer's head came: `response_time`.
    pub received: SystemTime,
}

/// How old a response was on receipt, and how long it may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    received: SystemTime,
    initial_age: Duration,
    lifetime: Duration,
}

impl Freshness {
    /// Reads `Date` and `Age` of a response that may be used for `lifetime` (RFC 9111 §4.2.3).
    #[must_use]
    pub fn new(headers: &HeaderMap, lifetime: Duration, exchange: Exchange) -> Self {
        Self { received: exchange.received, initial_age: initial_age(headers, exchange), lifetime }
    }

    /// What was read before.
    pub(crate) const fn of(
        received: SystemTime,
        initial_age: Duration,
        lifetime: Duration,
    ) -> Self {
        Self { received, initial_age, lifetime }
    }

    /// When the response was received.
    pub(crate) const fn received(&self) -> SystemTime {
        self.received
    }

    /// `freshness_lifetime`.
    #[must_use]
    pub const fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// `corrected_initial_age`: how old the response was on receipt.
    #[must_use]
    pub const fn initial_age(&self) -> Duration {
        self.initial_age
    }

    /// `current_age`; a clock that went back does not make the response younger than on receipt.
    #[must_use]
    pub fn age(&self, now: SystemTime) -> Duration {
        let resident = now.duration_since(self.received).unwrap_or_default();
        self.initial_age.saturating_add(resident)
    }

    /// The same with a lifetime that ends at `now`, unless it ended before.
    #[must_use]
    pub fn expired(mut self, now: SystemTime) -> Self {
        self.lifetime = self.lifetime.min(self.age(now));
        self
    }

    /// Whether the lifetime is longer than the age.
    #[must_use]
    pub fn is_fresh(&self, now: SystemTime) -> bool {
        self.lifetime > self.age(now)
    }

    /// How long the response stays fresh; zero when it is stale.
    #[must_use]
    pub fn remaining(&self, now: SystemTime) -> Duration {
        self.lifetime.saturating_sub(self.age(now))
    }

    /// How long the response has been stale; zero when it is fresh, and at the very end.
    #[must_use]
    pub fn staleness(&self, now: SystemTime) -> Duration {
        self.age(now).saturating_sub(self.lifetime)
    }

    /// The remaining lifetime in whole seconds, negative when stale (`ttl` of RFC 9211 §2.3).
    #[must_use]
    pub fn ttl(&self, now: SystemTime) -> i64 {
        let seconds = |d: Duration| i64::try_from(d.as_secs()).unwrap_or(i64::MAX);
        seconds(self.lifetime).saturating_sub(seconds(self.age(now)))
    }
}

/// The lifetime that the origin set: `s-maxage`, else `max-age`, else `Expires` less `Date`
/// (RFC 9111 §4.2.1); `None` when it set none.
#[must_use]
pub fn explicit_lifetime(
    headers: &HeaderMap,
    control: &CacheControl,
    received: SystemTime,
) -> Option<Duration> {
    let expires = || expires(headers, received).unwrap_or_default();
    set_lifetime(control).or_else(|| headers.contains_key(EXPIRES).then(expires))
}

/// The lifetime that the directives set.
pub(crate) fn set_lifetime(control: &CacheControl) -> Option<Duration> {
    let seconds = control.s_maxage.or(control.max_age)?;
    Some(Duration::from_secs(seconds.min(MAX_SECONDS)))
}

/// `Expires` less `Date`; `None` for what is no date or is there twice: already expired
/// (RFC 9111 §5.3).
fn expires(headers: &HeaderMap, received: SystemTime) -> Option<Duration> {
    let mut lines = headers.get_all(EXPIRES).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return None;
    };
    let end = vhttp::date::parse_at(line.to_str().ok()?, received)?;
    let lifetime = end.duration_since(date(headers, received).unwrap_or(received)).ok()?;
    Some(lifetime.min(Duration::from_secs(MAX_SECONDS)))
}

/// `date_value`; `None` when missing or no date.
fn date(headers: &HeaderMap, received: SystemTime) -> Option<SystemTime> {
    vhttp::date::parse_at(headers.get(DATE)?.to_str().ok()?, received)
}

/// `corrected_initial_age` (RFC 9111 §4.2.3).
fn initial_age(headers: &HeaderMap, exchange: Exchange) -> Duration {
    let delay = exchange.received.duration_since(exchange.requested).unwrap_or_default();
    let corrected = Duration::from_secs(age_value(headers)).saturating_add(delay);
    apparent_age(headers, exchange.received).max(corrected)
}

/// `apparent_age`, in whole seconds, because `Date` has no finer ones.
fn apparent_age(headers: &HeaderMap, received: SystemTime) -> Duration {
    let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    date(headers, received).map_or(Duration::ZERO, |date| {
        Duration::from_secs(seconds(received).saturating_sub(seconds(date)).min(MAX_SECONDS))
    })
}

/// `age_value`: the first number of the first line (RFC 9111 §5.1); 0 for what is no number.
fn age_value(headers: &HeaderMap) -> u64 {
    headers
        .get(AGE)
        .and_then(|line| line.to_str().ok())
        .and_then(|line| line.split(',').next())
        .and_then(|first| seconds(first.trim_matches([' ', '\t'])))
        .unwrap_or(0)
}

/// Digits as seconds; however many there are, the number stops at [`MAX_SECONDS`].
fn seconds(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().map_or(MAX_SECONDS, |n: u64| n.min(MAX_SECONDS)))
}
