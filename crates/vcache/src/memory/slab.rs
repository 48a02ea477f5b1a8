//! Entries under small numbers that stay the same until removal.

use super::lanes;
use super::meta::Meta;
use super::policy::Seats;

/// No slot: the end of every list.
pub(super) const NONE: u32 = u32::MAX;
/// Slot numbers end before this; what is above stands for other things in lists.
const MOST_SLOTS: u32 = u32::MAX - 4096;

/// What the engine keeps for each key. Rare things stand in columns of their own.
#[derive(Debug)]
pub(super) struct Entry<K, V> {
    pub(super) meta: Meta,
    pub(super) key: K,
    pub(super) value: V,
}

/// Takes no more room than the entry: `Free` hides in the byte that says where an entry stands.
#[derive(Debug)]
enum Slot<K, V> {
    Used(Entry<K, V>),
    /// With the next free slot.
    Free(u32),
}

#[derive(Debug)]
pub(super) struct Slab<K, V> {
    slots: Vec<Slot<K, V>>,
    /// First of the free slots, which are linked through themselves.
    free: u32,
    len: usize,
}

impl<K, V> Slab<K, V> {
    /// Bytes of a slot.
    pub(super) const SLOT: usize = size_of::<Slot<K, V>>();

    pub(super) const fn new() -> Self {
        Self { slots: Vec::new(), free: NONE, len: 0 }
    }

    #[inline]
    pub(super) fn get(&self, at: u32) -> Option<&Entry<K, V>> {
        match self.slots.get(at as usize)? {
            Slot::Used(entry) => Some(entry),
            Slot::Free(_) => None,
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut Entry<K, V>> {
        match self.slots.get_mut(at as usize)? {
            Slot::Used(entry) => Some(entry),
            Slot::Free(_) => None,
        }
    }

    /// Whether the next insertion needs more memory.
    pub(super) const fn is_full(&self) -> bool {
        self.free == NONE && self.slots.len() == self.slots.capacity()
    }

    /// Makes room for so many in all, exactly.
    pub(super) fn grow(&mut self, slots: usize) {
        self.slots.reserve_exact(slots.saturating_sub(self.slots.len()));
    }

    /// Slots that there is memory for.
    pub(super) const fn room(&self) -> usize {
        self.slots.capacity()
    }

    /// Moves all entries together, in order, into memory for so many at least. Gives the new slots
    /// by the old ones, [`NONE`] for those that are free.
    pub(super) fn compact(&mut self, slots: usize) -> Vec<u32> {
        let mut moved = Vec::with_capacity(slots.max(self.len));
        let to = |slot: Slot<K, V>| {
            if let Slot::Free(_) = slot {
                return NONE;
            }
            moved.push(slot);
            u32::try_from(moved.len() - 1).unwrap_or(NONE)
        };
        let places = std::mem::take(&mut self.slots).into_iter().map(to).collect();
        (self.slots, self.free) = (moved, NONE);
        places
    }

    /// Whether there are as many as numbers for them.
    pub(super) fn is_exhausted(&self) -> bool {
        self.free == NONE && self.end() >= MOST_SLOTS
    }

    /// Stores an entry and gives its slot; there must be one.
    pub(super) fn insert(&mut self, entry: Entry<K, V>) -> u32 {
        self.len += 1;
        let at = self.free;
        if let Some(slot) = self.slots.get_mut(at as usize) {
            if let Slot::Free(next) = *slot {
                self.free = next;
            }
            *slot = Slot::Used(entry);
            return at;
        }
        let at = self.end();
        self.slots.push(Slot::Used(entry));
        at
    }

    pub(super) fn remove(&mut self, at: u32) -> Option<Entry<K, V>> {
        let slot = self.slots.get_mut(at as usize)?;
        if let Slot::Free(_) = slot {
            return None;
        }
        let Slot::Used(entry) = std::mem::replace(slot, Slot::Free(self.free)) else {
            return None;
        };
        self.free = at;
        self.len -= 1;
        Some(entry)
    }
}

impl<K, V> Seats for Slab<K, V> {
    fn seat(&mut self, at: u32) -> Option<&mut Meta> {
        self.get_mut(at).map(|entry| &mut entry.meta)
    }

    #[inline]
    fn peek(&self, at: u32) -> Option<&Meta> {
        self.get(at).map(|entry| &entry.meta)
    }

    #[inline]
    fn fetch(&self, at: u32) {
        if let Some(slot) = self.slots.get(at as usize) {
            lanes::fetch(slot);
        }
    }

    fn end(&self) -> u32 {
        u32::try_from(self.slots.len()).unwrap_or(NONE)
    }

    fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::super::meta::Place;
    use super::*;

    #[test]
    fn a_slot_is_eight_bytes_and_the_data() {
        assert_eq!(Slab::<u64, u64>::SLOT, 24);
        assert_eq!(Slab::<u64, [u64; 4]>::SLOT, 48);
        assert_eq!(Slab::<(), ()>::SLOT, 8);
    }

    #[test]
    fn freed_slots_are_used_again() {
        let entry = |key| Entry { meta: Meta::new(0, 0, Place::Main, 0, 0), key, value: () };
        let mut slab = Slab::new();
        let (a, b) = (slab.insert(entry('a')), slab.insert(entry('b')));
        assert_eq!(slab.remove(a).unwrap().key, 'a');
        assert!(slab.remove(a).is_none() && slab.get(a).is_none());
        assert_eq!((slab.insert(entry('c')), slab.insert(entry('d'))), (a, 2));
        assert_eq!((slab.get(b).unwrap().key, slab.len(), slab.end()), ('b', 3, 3));
        let keys: String = (0..3).map(|at| slab.get(at).unwrap().key).collect();
        assert_eq!(keys, "cbd");
    }
}
