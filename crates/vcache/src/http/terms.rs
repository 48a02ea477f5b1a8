//! Under which terms a stored response may be used, read once when it is stored.

use std::time::{Duration, SystemTime};

use http::HeaderName;

use crate::http::freshness::Freshness;

/// What a response's fields say about its reuse; made by [`admit`](super::policy::admit).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    pub(crate) freshness: Freshness,
    pub(crate) stale_while_revalidate: Duration,
    pub(crate) stale_if_error: Duration,
    pub(crate) forbids_stale: bool,
    pub(crate) always_validate: bool,
    pub(crate) assumed: bool,
    pub(crate) vary: Vec<HeaderName>,
    pub(crate) omit: Vec<HeaderName>,
}

impl Terms {
    /// Age and lifetime.
    #[must_use]
    pub const fn freshness(&self) -> &Freshness {
        &self.freshness
    }

    /// The same terms, stale from `now` on: what a soft purge leaves.
    #[must_use]
    pub fn expired(&self, now: SystemTime) -> Self {
        Self { freshness: self.freshness.expired(now), ..self.clone() }
    }

    /// Whether the response may be used without asking the origin.
    #[must_use]
    pub fn is_fresh(&self, now: SystemTime) -> bool {
        !self.always_validate && self.freshness.is_fresh(now)
    }

    /// Whether every stale answer is forbidden: `must-revalidate`, `proxy-revalidate`,
    /// `s-maxage` (RFC 9111 §5.2.2) or `no-cache`.
    #[must_use]
    pub const fn forbids_stale(&self) -> bool {
        self.forbids_stale || self.always_validate
    }

    /// Whether the origin must be asked before every use: `no-cache` (RFC 9111 §5.2.2.4).
    #[must_use]
    pub const fn always_validate(&self) -> bool {
        self.always_validate
    }

    /// Whether the lifetime is the operator's and not the origin's.
    #[must_use]
    pub const fn is_assumed(&self) -> bool {
        self.assumed
    }

    /// Whether a stale answer may be given now while the origin is asked (RFC 5861 §3).
    #[must_use]
    pub fn may_revalidate_behind(&self, now: SystemTime) -> bool {
        self.allows_stale(self.stale_while_revalidate, now)
    }

    /// Whether a stale answer may be given now in place of an error (RFC 5861 §4).
    #[must_use]
    pub fn may_replace_error(&self, now: SystemTime) -> bool {
        self.allows_stale(self.stale_if_error, now)
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
        let windows = self.stale_while_revalidate.max(self.stale_if_error);
        let past = if has_validator { windows.max(keep) } else { windows };
        let lifetime = self.freshness.lifetime().saturating_add(past);
        lifetime.saturating_sub(self.freshness.initial_age())
    }

    fn allows_stale(&self, window: Duration, now: SystemTime) -> bool {
        !self.forbids_stale() && !window.is_zero() && self.freshness.staleness(now) <= window
    }
}
