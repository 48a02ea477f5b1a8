//! What each thread keeps for itself in a cache: where it reads, and how often it hit and missed.

use std::sync::Arc;

use super::barrier;
use super::sync::{AtomicU64, AtomicUsize, FEW, Ordering, fence};
use super::threads;

/// Stripes for each processor; threads beyond share what the locks count.
const PER_CORE: usize = 4;

/// One thread's part, apart from the others' cache lines. Only its thread writes to it.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Stripe {
    /// The address of the lock inside which the thread reads; zero outside.
    pub(super) inside: AtomicUsize,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Stripe {
    /// Counts a hit and gives their number.
    #[inline]
    pub(super) fn hit(&self) -> u64 {
        count(&self.hits)
    }
}

/// One more, by the only thread that writes.
#[inline]
fn count(counter: &AtomicU64) -> u64 {
    let counted = counter.load(Ordering::Relaxed) + 1;
    counter.store(counted, Ordering::Relaxed);
    counted
}

#[derive(Debug, Clone)]
pub(super) struct Stripes {
    all: Arc<[Stripe]>,
    /// Whether threads may announce themselves here and leave the locks alone.
    pub(super) announce: bool,
}

impl Stripes {
    pub(super) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::of(PER_CORE * cores)
    }

    /// So many; a few at least.
    pub(super) fn of(stripes: usize) -> Self {
        Self {
            all: (0..stripes.clamp(FEW, threads::MOST)).map(|_| Stripe::default()).collect(),
            announce: barrier::is_there(),
        }
    }

    /// Orders what comes before it in this thread against what comes after, as seen by whoever
    /// calls [`heavy`](Self::heavy).
    #[inline]
    pub(super) fn light(&self) {
        if self.announce {
            barrier::light();
        } else {
            fence(Ordering::SeqCst);
        }
    }

    /// The other side of [`light`](Self::light), for those who have the time.
    pub(super) fn heavy(&self) {
        if self.announce {
            barrier::heavy();
        } else {
            fence(Ordering::SeqCst);
        }
    }

    /// The calling thread's own, and whether it is one of the first few.
    #[inline]
    pub(super) fn own(&self) -> Option<(&Stripe, bool)> {
        let number = threads::number();
        Some((self.all.get(number)?, number < FEW))
    }

    /// Whether one of the few has announced that it is inside the lock of this address.
    #[inline]
    pub(super) fn few_inside(&self, address: usize) -> bool {
        let inside = |stripe: &Stripe| stripe.inside.load(Ordering::SeqCst) == address;
        self.all.first_chunk::<FEW>().is_some_and(|few| few.iter().any(inside))
    }

    /// Whether a thread has announced that it is inside the lock of this address.
    pub(super) fn any_inside(&self, address: usize) -> bool {
        self.all.iter().any(|stripe| stripe.inside.load(Ordering::SeqCst) == address)
    }

    pub(super) fn hits(&self) -> u64 {
        self.all.iter().map(|stripe| stripe.hits.load(Ordering::Relaxed)).sum()
    }

    pub(super) fn misses(&self) -> u64 {
        self.all.iter().map(|stripe| stripe.misses.load(Ordering::Relaxed)).sum()
    }

    /// Counts a miss; false if the thread has no stripe.
    #[inline]
    pub(super) fn miss(&self) -> bool {
        self.own().map(|(stripe, _)| count(&stripe.misses)).is_some()
    }
}
