//! What the engine keeps for each key.

use std::sync::atomic::{AtomicU8, Ordering};

use super::ghost;
use super::queue::{Link, Linked};
use crate::metrics::Left;

/// The `expires` of an entry that lives until it is evicted.
pub(super) const NEVER: u64 = u64::MAX;

/// Uses beyond this are not counted: more would only keep yesterday's favourites.
const MOST_USES: u8 = 3;

#[derive(Debug)]
pub(super) struct Entry<K, V> {
    pub(super) key: K,
    pub(super) value: V,
    pub(super) hash: u64,
    /// The caller's weight and the entry's own overhead.
    pub(super) weight: u64,
    /// Nanoseconds on the cache's clock from which on the entry is gone, or [`NEVER`].
    pub(super) expires: u64,
    pub(super) seat: Seat,
    /// Uses since the hand last came by.
    uses: AtomicU8,
    link: Link,
}

/// The queue in which an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seat {
    /// On probation.
    Small,
    /// Used again while on probation, or missed soon after.
    Main,
}

impl<K, V> Entry<K, V> {
    /// Bytes that an entry takes beside what its key and value point to: the slab's slot, the
    /// index (4 bytes and a control byte, at most 7/8 full) and its ghost.
    pub(super) const OVERHEAD: u64 = (size_of::<Self>() + 6 + ghost::BYTES) as u64;

    pub(super) const fn new(key: K, value: V, hash: u64, weight: u64, expires: u64) -> Self {
        Self {
            key,
            value,
            hash,
            weight,
            expires,
            seat: Seat::Small,
            uses: AtomicU8::new(0),
            link: Link::none(),
        }
    }

    pub(super) const fn is_live(&self, now: u64) -> bool {
        now < self.expires
    }

    /// Why it leaves when a caller takes it out at `now`.
    pub(super) const fn cause(&self, now: u64) -> Left {
        if self.is_live(now) { Left::Removed } else { Left::Expired }
    }

    pub(super) const fn expires_at_all(&self) -> bool {
        self.expires != NEVER
    }

    /// Counts a use. A count lost between two readers does no harm, so a plain load and store
    /// will do, and a popular entry is not written at all.
    pub(super) fn touch(&self) {
        let uses = self.uses.load(Ordering::Relaxed);
        if uses < MOST_USES {
            self.uses.store(uses + 1, Ordering::Relaxed);
        }
    }

    /// Takes over the standing of the entry that this one replaces.
    pub(super) fn succeed(&mut self, old: &Self) {
        self.seat = old.seat;
        self.set_uses(old.uses.load(Ordering::Relaxed));
    }

    pub(super) fn uses(&mut self) -> u8 {
        *self.uses.get_mut()
    }

    pub(super) fn set_uses(&mut self, uses: u8) {
        *self.uses.get_mut() = uses;
    }
}

impl<K, V> Linked for Entry<K, V> {
    fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    fn weight(&self) -> u64 {
        self.weight
    }
}
