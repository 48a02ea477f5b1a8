//! Under which terms a stored response may be used, read once when it is stored.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName};

use crate::http::freshness::Freshness;
use crate::http::vary::{Normalise, VaryKey};

const MOMENT: Duration = Duration::from_millis(1);

/// What a response's fields say about its reuse; made by [`admit`](super::policy::admit).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    pub(crate) freshness: Freshness,
    pub(crate) stale_while_revalidate: Duration,
    pub(crate) stale_if_error: Duration,
    pub(crate) stale_if_unreachable: Duration,
    pub(crate) forbids_stale: bool,
    /// Whether `stale-while-revalidate` and `stale-if-error` do not count.
    pub(crate) forbids_windows: bool,
    pub(crate) always_validate: bool,
    pub(crate) immutable: bool,
    /// Whether somebody has said that it is out of date.
    pub(crate) purged: bool,
    pub(crate) assumed: bool,
    pub(crate) normalise: Normalise,
    /// The only language of the content, where requests are compared by it.
    pub(crate) content_language: Option<Box<str>>,
    pub(crate) vary: Vec<HeaderName>,
    pub(crate) omit: Vec<HeaderName>,
}

impl Terms {
    /// Age and lifetime.
    #[must_use]
    pub const fn freshness(&self) -> &Freshness {
        &self.freshness
    }

    /// The same terms, stale from `now` on: what a soft purge leaves. The response may be
    /// validated, and stand in for an error within its window; it is no stale answer while the
    /// origin can be asked.
    #[must_use]
    pub fn expired(&self, now: SystemTime) -> Self {
        Self { freshness: self.freshness.expired(now), purged: true, ..self.clone() }
    }

    /// Whether a purge has made the response stale.
    #[must_use]
    pub const fn is_purged(&self) -> bool {
        self.purged
    }

    /// The same terms when something may have been purged that nobody told of: the origin is asked
    /// before the next use, whatever happens.
    #[cfg(any(feature = "disk", feature = "redis"))]
    pub(crate) fn doubted(&self, now: SystemTime) -> Self {
        Self { forbids_stale: true, forbids_windows: true, ..self.expired(now) }
    }

    /// Whether the response may be used without asking the origin.
    #[must_use]
    pub fn is_fresh(&self, now: SystemTime) -> bool {
        !self.always_validate && self.freshness.is_fresh(now)
    }

    /// Whether every stale answer is forbidden: `must-revalidate`, `proxy-revalidate`,
    /// `s-maxage` (RFC 9111 §5.2.2) or `no-cache`. Beside `s-maxage` alone the rules may let the
    /// origin's own windows count all the same.
    #[must_use]
    pub const fn forbids_stale(&self) -> bool {
        self.forbids_stale || self.always_validate
    }

    /// Whether the origin must be asked before every use: `no-cache` (RFC 9111 §5.2.2.4).
    #[must_use]
    pub const fn always_validate(&self) -> bool {
        self.always_validate
    }

    /// Whether the response does not change while it is fresh (RFC 8246).
    #[must_use]
    pub const fn is_immutable(&self) -> bool {
        self.immutable
    }

    /// Whether the lifetime is the operator's or an estimate, and not the origin's.
    #[must_use]
    pub const fn is_assumed(&self) -> bool {
        self.assumed
    }

    /// Whether a stale answer may be given now while the origin is asked (RFC 5861 §3).
    #[must_use]
    pub fn may_revalidate_behind(&self, now: SystemTime) -> bool {
        !self.purged && self.is_within(self.allowed(self.stale_while_revalidate), now)
    }

    /// Whether a stale answer may be given now in place of an error (RFC 5861 §4).
    #[must_use]
    pub fn may_replace_error(&self, now: SystemTime) -> bool {
        self.is_within(self.allowed(self.stale_if_error), now)
    }

    /// Whether a stale answer may be given now because the origin cannot be reached (RFC 9111
    /// §4.2.4).
    #[must_use]
    pub fn may_replace_silence(&self, now: SystemTime) -> bool {
        self.may_replace_error(now) || self.is_within(self.cut_off(), now)
    }

    /// The request's fields that choose the variant, to be stored with it and found by
    /// [`select`](super::policy::select).
    #[must_use]
    pub fn variant(&self, request: &HeaderMap) -> VaryKey {
        let key = VaryKey::normalised(&self.vary, request, self.normalise);
        key.of_language(self.content_language.clone())
    }

    /// The request fields that choose the variant, sorted.
    #[must_use]
    pub fn vary(&self) -> &[HeaderName] {
        &self.vary
    }

    /// Response fields that must not be stored.
    #[must_use]
    pub fn omit(&self) -> &[HeaderName] {
        &self.omit
    }

    /// How long the response is of use at all; `keep` is how long validators are kept.
    pub(crate) fn retention(&self, has_validator: bool, keep: Duration) -> Duration {
        let past = self.windows().max(self.cut_off());
        let past = if has_validator { past.max(keep) } else { past };
        // The last moment of a window belongs to it.
        let past = if past.is_zero() { past } else { past.saturating_add(MOMENT) };
        let lifetime = self.freshness.lifetime().saturating_add(past);
        lifetime.saturating_sub(self.freshness.initial_age())
    }

    /// How long past its lifetime the origin lets the response be used.
    pub(crate) fn windows(&self) -> Duration {
        self.allowed(self.stale_while_revalidate.max(self.stale_if_error))
    }

    fn allowed(&self, window: Duration) -> Duration {
        if self.forbids_windows || self.always_validate { Duration::ZERO } else { window }
    }

    fn cut_off(&self) -> Duration {
        if self.forbids_stale() { Duration::ZERO } else { self.stale_if_unreachable }
    }

    fn is_within(&self, window: Duration, now: SystemTime) -> bool {
        !window.is_zero() && self.freshness.staleness(now) <= window
    }
}
