//! How long and how firmly an entry is kept.

use std::time::Duration;

use crate::clock::nanos;

/// The time of an entry that lives until it is evicted.
pub(super) const NEVER: u64 = u64::MAX;

/// How long and how firmly one entry is kept; what is `None` is as the cache has it.
///
/// ```
/// use std::time::Duration;
/// use vcache::{Keep, Memory};
///
/// let cache = Memory::builder().ttl(Some(Duration::from_secs(60))).build()?;
/// cache.insert_with("session", 7, Keep::new().tti(Duration::from_secs(900)));
/// cache.insert_with("root", 1, Keep::new().ttl(Duration::MAX).pinned());
/// # Ok::<(), vcache::BuildError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
#[must_use]
pub struct Keep {
    /// Time to live, from the insertion on. Zero stores nothing; centuries are for ever.
    pub ttl: Option<Duration>,
    /// Time to idle: how long it stays since it was last returned. Zero stores nothing;
    /// centuries are for ever.
    pub tti: Option<Duration>,
    /// Whether it stays however short room is. It still expires, and callers still remove it.
    pub pinned: bool,
}

impl Keep {
    /// As the cache has it, and not pinned.
    pub const fn new() -> Self {
        Self { ttl: None, tti: None, pinned: false }
    }

    /// Sets the time to live; [`Duration::MAX`] is for ever.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Sets the time to idle; [`Duration::MAX`] is for ever.
    pub const fn tti(mut self, tti: Duration) -> Self {
        self.tti = Some(tti);
        self
    }

    /// Keeps it however short room is.
    pub const fn pinned(mut self) -> Self {
        self.pinned = true;
        self
    }
}

/// The same in nanoseconds, with nothing left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) ttl: u64,
    pub(super) tti: u64,
    pub(super) pinned: bool,
}

impl Life {
    pub(super) fn new(ttl: Option<Duration>, tti: Option<Duration>) -> Self {
        // Centuries come out as never by themselves.
        Self { ttl: ttl.map_or(NEVER, nanos), tti: tti.map_or(NEVER, nanos), pinned: false }
    }

    /// What `keep` makes of the cache's default.
    #[inline]
    pub(super) fn with(self, keep: Keep) -> Self {
        Self {
            ttl: keep.ttl.map_or(self.ttl, nanos),
            tti: keep.tti.map_or(self.tti, nanos),
            pinned: keep.pinned,
        }
    }

    /// Whether it is over before it begins.
    #[inline]
    pub(super) const fn is_dead(self) -> bool {
        self.ttl == 0 || self.tti == 0
    }

    /// Whether it ever ends by time.
    #[inline]
    pub(super) const fn is_timed(self) -> bool {
        self.ttl != NEVER || self.tti != NEVER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_is_as_the_cache_has_it() {
        let cache = Life::new(Some(Duration::from_nanos(5)), None);
        assert_eq!(cache.with(Keep::new()), cache);
        let own = cache.with(Keep::new().ttl(Duration::MAX).tti(Duration::ZERO).pinned());
        assert_eq!(own, Life { ttl: NEVER, tti: 0, pinned: true });
        assert!(own.is_dead() && own.is_timed());
        assert!(!Life::new(None, Some(Duration::MAX)).is_timed());
    }
}
