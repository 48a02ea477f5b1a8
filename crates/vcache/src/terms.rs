//! What a cache knows of a value beside its hard end: freshness, tags, and who refreshes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::nanos;
use crate::load::early::recompute_early;

/// A value as the memory holds it. Most have no terms: they are fresh until they are gone.
#[derive(Clone)]
pub(crate) struct Held<V> {
    pub(crate) value: V,
    pub(crate) terms: Option<Arc<Terms>>,
}

/// The terms of one value. Times are nanoseconds, those with a date on the cache's clock.
#[derive(Debug)]
pub(crate) struct Terms {
    /// The end of its TTL; `u64::MAX` for never.
    pub(crate) fresh_until: u64,
    /// How long after that it is returned while it is refreshed.
    pub(crate) revalidate: u64,
    /// How long after that it is returned when loading fails.
    pub(crate) on_error: u64,
    /// How long before the end it is due for a refresh.
    pub(crate) ahead: u64,
    /// How long before the end it may be refreshed by chance; zero for never.
    pub(crate) reach: u64,
    /// How long its load took.
    pub(crate) load_time: Duration,
    /// The factor of early refreshes.
    pub(crate) beta: f64,
    /// The tags' tick when its load began.
    pub(crate) born: u64,
    pub(crate) tags: Box<[Arc<str>]>,
    /// The tags' tick up to which the tags are known to hold.
    pub(crate) checked: AtomicU64,
    /// Until when nobody else may refresh it; `u64::MAX` while somebody does.
    pub(crate) claimed: AtomicU64,
}

/// What may be done with a value at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    /// Return it.
    Fresh,
    /// Return it and refresh it: it is fresh, or in the window in which staleness is allowed.
    Due {
        /// Whether its TTL is over.
        stale: bool,
    },
    /// Load anew.
    Over,
}

impl Terms {
    /// Of a value with tags and no times of its own.
    pub(crate) fn tagged(tags: Box<[Arc<str>]>, born: u64) -> Self {
        Self {
            fresh_until: u64::MAX,
            revalidate: 0,
            on_error: 0,
            ahead: 0,
            reach: 0,
            load_time: Duration::ZERO,
            beta: 0.0,
            born,
            tags,
            checked: AtomicU64::new(born),
            claimed: AtomicU64::new(0),
        }
    }

    /// What may be done at `now`; `random` is asked for a number only near the end.
    pub(crate) fn age(&self, now: u64, random: impl FnOnce() -> f64) -> Age {
        let Some(left @ 1..) = self.fresh_until.checked_sub(now) else {
            let within = now - self.fresh_until < self.revalidate;
            return if within { Age::Due { stale: true } } else { Age::Over };
        };
        let due = left <= self.ahead || (left <= self.reach && self.is_early(now, random()));
        if due { Age::Due { stale: false } } else { Age::Fresh }
    }

    fn is_early(&self, now: u64, random: f64) -> bool {
        let (now, expiry) = (Duration::from_nanos(now), Duration::from_nanos(self.fresh_until));
        recompute_early(now, expiry, self.load_time, self.beta, random)
    }

    /// Whether it may stand in for a failed load at `now`.
    pub(crate) const fn consoles(&self, now: u64) -> bool {
        now < self.fresh_until.saturating_add(self.on_error)
    }

    /// The time, from what is left of the hard end: another look at the clock would cost more
    /// than the whole rest of a hit.
    pub(crate) fn now(&self, left: Duration) -> u64 {
        let grace = self.revalidate.max(self.on_error);
        self.fresh_until.saturating_add(grace).saturating_sub(nanos(left))
    }

    /// Takes the refresh, if nobody has it and no refresh has failed just now.
    pub(crate) fn claim(&self, now: u64) -> bool {
        let seen = self.claimed.load(Ordering::Relaxed);
        let taken =
            || self.claimed.compare_exchange(seen, u64::MAX, Ordering::Relaxed, Ordering::Relaxed);
        seen <= now && taken().is_ok()
    }

    /// Lets others claim the refresh from `when` on.
    pub(crate) fn release(&self, when: u64) {
        self.claimed.store(when, Ordering::Relaxed);
    }

    /// What the terms themselves hold, in bytes.
    fn weight(&self) -> u64 {
        let counts = 2 * size_of::<usize>();
        let tag = |tag: &Arc<str>| size_of::<Arc<str>>() + counts + tag.len();
        let bytes = size_of::<Self>() + counts + self.tags.iter().map(tag).sum::<usize>();
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

impl<V> Held<V> {
    /// A value that is fresh until it is gone.
    pub(crate) const fn plain(value: V) -> Self {
        Self { value, terms: None }
    }

    /// What the terms weigh, in bytes.
    pub(crate) fn terms_weight(&self) -> u64 {
        self.terms.as_ref().map_or(0, |terms| terms.weight())
    }
}

/// Nanoseconds on the clock after `ttl`.
pub(crate) fn end(now: Duration, ttl: Duration) -> u64 {
    nanos(now).saturating_add(nanos(ttl))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> Terms {
        Terms {
            fresh_until: 100,
            revalidate: 10,
            on_error: 20,
            ahead: 30,
            ..Terms::tagged(Box::default(), 0)
        }
    }

    #[test]
    fn a_value_ages_at_the_nanosecond() {
        let ages = [69, 70, 99, 100, 109, 110].map(|now| terms().age(now, || 1.0));
        let (due, stale) = (Age::Due { stale: false }, Age::Due { stale: true });
        assert_eq!(ages, [Age::Fresh, due, due, stale, stale, Age::Over]);
        assert!(terms().consoles(119));
        assert!(!terms().consoles(120));
    }

    #[test]
    fn what_never_expires_is_fresh_until_the_end_of_time() {
        let forever = Terms::tagged(Box::default(), 0);
        assert_eq!(forever.age(u64::MAX - 1, || 1.0), Age::Fresh);
    }

    #[test]
    fn a_refresh_is_claimed_once_until_it_is_released() {
        let terms = terms();
        assert!(terms.claim(0));
        assert!(!terms.claim(5));
        terms.release(10);
        assert!(!terms.claim(9));
        assert!(terms.claim(10));
    }
}
