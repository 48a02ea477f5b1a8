//! Fingerprints of entries that were evicted a short while ago.

/// A direct-mapped table of fingerprints, each with the number of the eviction that wrote it.
/// Collisions forget the older one, and a false match costs only a better seat for a newcomer.
#[derive(Debug)]
pub(super) struct Ghosts {
    slots: Vec<Ghost>,
    evictions: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Ghost {
    fingerprint: u32,
    eviction: u32,
}

/// Bytes of one slot, part of what an entry costs.
pub(super) const BYTES: usize = size_of::<Ghost>();

impl Ghosts {
    pub(super) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            // Half a turn ahead of the zeros in fresh slots, which therefore look old.
            evictions: u32::MAX / 2,
        }
    }

    /// Makes room for as many ghosts as there are entries. Growing forgets them all, which a
    /// cache that still grows can afford: it evicts little.
    pub(super) fn fit(&mut self, entries: usize) {
        if self.slots.len() < entries {
            self.slots = vec![Ghost::default(); entries.next_power_of_two().max(16)];
        }
    }

    pub(super) fn add(&mut self, hash: u64) {
        self.evictions = self.evictions.wrapping_add(1);
        let eviction = self.evictions;
        if let Some(slot) = self.slot(hash) {
            *slot = Ghost { fingerprint: fingerprint(hash), eviction };
        }
    }

    /// Whether `hash` was among the last `window` evictions; if so it is forgotten.
    pub(super) fn take(&mut self, hash: u64, window: usize) -> bool {
        let now = self.evictions;
        let Some(slot) = self.slot(hash) else {
            return false;
        };
        let age = now.wrapping_sub(slot.eviction);
        let found = slot.fingerprint == fingerprint(hash) && (age as usize) < window;
        if found {
            *slot = Ghost::default();
        }
        found
    }

    fn slot(&mut self, hash: u64) -> Option<&mut Ghost> {
        // The table's length is a power of two, or zero.
        let mask = self.slots.len().checked_sub(1)?;
        let at = usize::try_from(hash & u64::try_from(mask).ok()?).ok()?;
        self.slots.get_mut(at)
    }
}

/// The upper half; the slot is chosen by the lower.
fn fingerprint(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_evictions_are_remembered() {
        let hash = |n: u64| (n << 32) | n;
        let mut ghosts = Ghosts::new();
        assert!(!ghosts.take(hash(1), 10));
        ghosts.fit(16);
        for n in 1..=4 {
            ghosts.add(hash(n));
        }
        assert!(!ghosts.take(hash(1), 3));
        assert!(ghosts.take(hash(2), 3));
        assert!(!ghosts.take(hash(2), 3));
        assert!(!ghosts.take(hash(0), usize::MAX >> 40));
    }
}
