//! The account of weight: room is reserved before it is used, under a bound that may move.

use super::sync::{AtomicU64, Ordering};

/// Apart from what every look-up reads.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Account {
    /// What all entries weigh, those included that a writer is about to add or has just removed.
    used: AtomicU64,
    bound: AtomicU64,
}

impl Account {
    pub(super) fn new(bound: u64) -> Self {
        Self { used: AtomicU64::new(0), bound: AtomicU64::new(bound) }
    }

    #[inline]
    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn bound(&self) -> u64 {
        self.bound.load(Ordering::Relaxed)
    }

    /// Reserves room for `weight` if there is any.
    #[inline]
    pub(super) fn reserve(&self, weight: u64) -> bool {
        if weight == 0 {
            return true;
        }
        let fits = |sum: &u64| *sum <= self.bound();
        let room = |used: u64| used.checked_add(weight).filter(fits);
        let Ok(used) = self.used.fetch_update(Ordering::AcqRel, Ordering::Relaxed, room) else {
            return false;
        };
        // The bound may have been lowered meanwhile by one who has not seen this reservation.
        let kept = fits(&used.saturating_add(weight));
        if !kept {
            self.release(weight);
        }
        kept
    }

    pub(super) fn release(&self, weight: u64) {
        self.used.fetch_sub(weight, Ordering::Relaxed);
    }

    /// Sets another bound. What [`settled`](Self::settled) says from then on has all that was
    /// reserved under the old one.
    pub(super) fn set_bound(&self, bound: u64) {
        self.bound.store(bound, Ordering::Relaxed);
    }

    /// What is used. An addition, so that each reservation comes before it, and is seen, or
    /// after it, and sees the bound that was set before.
    pub(super) fn settled(&self) -> u64 {
        self.used.fetch_add(0, Ordering::AcqRel)
    }
}
