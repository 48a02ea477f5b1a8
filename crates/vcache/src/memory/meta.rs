//! What the policy keeps for each entry: eight bytes, of which a hit changes one.

use std::sync::atomic::{AtomicU8, Ordering};

use super::history::MOST;

/// The use counter, two bits: uses since the hand last came by.
const USES: u8 = 3;
/// One in the frequency, the four bits above.
const ONE: u8 = 4;
const FULL: u8 = USES | MOST << 2;

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Among the newcomers, in order of arrival.
    Window,
    /// Among the settled, where the hand goes round.
    Main,
    /// Where it never leaves for want of room.
    Pinned,
}

#[derive(Debug)]
pub(super) struct Meta {
    /// The upper half of the key's hash: growing and evicting touch no key.
    pub(super) hash: u32,
    /// Uses and frequency in one byte, so that a hit is one load and at most one store.
    heat: AtomicU8,
    pub(super) place: Place,
    /// The age in which the frequency was last brought down.
    epoch: u8,
    /// Tells an entry from the next in its slot, as far as the window's order cares.
    pub(super) turn: u8,
}

impl Meta {
    #[inline]
    pub(super) const fn new(hash: u32, frequency: u8, place: Place, epoch: u8, turn: u8) -> Self {
        Self { hash, heat: AtomicU8::new(frequency << 2), place, epoch, turn }
    }

    /// Counts a use; false if nothing was left to count. A count lost between two readers does no
    /// harm, so a plain load and store will do, and what is popular is not written at all.
    #[inline]
    pub(super) fn touch(&self) -> bool {
        let heat = self.heat.load(Ordering::Relaxed);
        if heat == FULL {
            return false;
        }
        let used = heat + u8::from(heat & USES != USES);
        let met = if heat >> 2 < MOST { used + ONE } else { used };
        self.heat.store(met, Ordering::Relaxed);
        true
    }

    #[inline]
    pub(super) fn uses(&mut self) -> u8 {
        *self.heat.get_mut() & USES
    }

    /// Frequency and uses in one number, the hotter the higher.
    #[cfg(feature = "snapshot")]
    pub(super) fn heat(&self, epoch: u8) -> u8 {
        self.frequency_at(epoch) << 2 | self.heat.load(Ordering::Relaxed) & USES
    }

    /// Takes one use away.
    #[inline]
    pub(super) fn cool(&mut self) {
        let heat = self.heat.get_mut();
        *heat -= u8::from(*heat & USES != 0);
    }

    /// Lets it stand among the settled.
    #[inline]
    pub(super) const fn settle(&mut self) {
        self.place = Place::Main;
    }

    #[inline]
    pub(super) fn is_pinned(&self) -> bool {
        self.place == Place::Pinned
    }

    pub(super) fn forget_uses(&mut self) {
        *self.heat.get_mut() &= !USES;
    }

    /// The frequency, halved once for each age that has passed, and rounded up: what is here keeps
    /// its place against what comes with as much. Uses since the hand last came by are new.
    #[inline]
    pub(super) fn frequency_at(&self, epoch: u8) -> u8 {
        let heat = self.heat.load(Ordering::Relaxed);
        let (frequency, ages) = (heat >> 2, u32::from(epoch.wrapping_sub(self.epoch)));
        if ages == 0 {
            return frequency;
        }
        let new = frequency.min(heat & USES);
        (frequency - new + 1).checked_shr(ages).unwrap_or(0) + new
    }

    /// The same, and remembers that it was halved.
    #[inline]
    pub(super) fn frequency(&mut self, epoch: u8) -> u8 {
        let frequency = self.frequency_at(epoch);
        self.epoch = epoch;
        let heat = self.heat.get_mut();
        *heat = *heat & USES | frequency << 2;
        frequency
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bytes_are_enough() {
        assert_eq!(size_of::<Meta>(), 8);
        assert_eq!(size_of::<Option<Meta>>(), 8);
    }

    #[test]
    fn uses_and_frequency_saturate_and_age() {
        let mut meta = Meta::new(0, 2, Place::Main, 0, 0);
        let counted = (0..20).filter(|_| meta.touch()).count();
        assert_eq!((counted, meta.uses(), meta.frequency(0)), (13, 3, 15));
        meta.cool();
        // Two uses are new, the other thirteen are halved.
        assert_eq!((meta.uses(), meta.frequency(1)), (2, 9));
        meta.forget_uses();
        meta.cool();
        assert_eq!((meta.uses(), meta.frequency(3), meta.frequency(255)), (0, 2, 0));
    }
}
