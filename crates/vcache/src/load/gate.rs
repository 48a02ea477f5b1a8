//! How many loads exist, and the promise between one that begins and one who forgets.

use crate::sync::{AtomicUsize, Ordering, fence};

/// Counts loads, up to a bound.
///
/// Mostly none exists, and writers should not pay for a look into the map of loads then. So
/// whoever has changed the source and finds the gate [quiet](Self::is_quiet) may go: a load that
/// [enters](Self::enter) after that look sees the source as it was left. Whoever does not find it
/// quiet has to look.
#[derive(Debug)]
pub(crate) struct Gate {
    count: AtomicUsize,
    max: usize,
}

impl Gate {
    pub(crate) fn new(max: usize) -> Self {
        Self { count: AtomicUsize::new(0), max }
    }

    /// One more; false if there are as many as may be.
    pub(crate) fn enter(&self) -> bool {
        let more = |count: usize| (count < self.max).then_some(count + 1);
        let entered = self.count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok();
        // Pairs with the one in `is_quiet`: one of both sees what the other did before.
        fence(Ordering::SeqCst);
        entered
    }

    /// One less.
    pub(crate) fn leave(&self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether there is none.
    pub(crate) fn is_quiet(&self) -> bool {
        fence(Ordering::SeqCst);
        self.inside() == 0
    }

    /// How many there are.
    pub(crate) fn inside(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// How many there may be.
    pub(crate) const fn max(&self) -> usize {
        self.max
    }
}
