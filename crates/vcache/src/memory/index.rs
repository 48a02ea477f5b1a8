//! Finds slots by hash: open addressing in buckets of one cache line.
//!
//! Twelve tags and twelve slot numbers share a line, so that a look-up mostly touches one. What
//! does not fit its bucket stands in one of the next, and the full ones count what went by (as
//! in Facebook's F14), so that a look-up knows where to stop and a removal leaves no tombstone.
//! Sized to its content, not to powers of two.

use super::lanes;
use super::slab::NONE;

/// Slots of a bucket.
const SLOTS: usize = 12;
/// Slots of a bucket that are in use on average, at most. With one more a look-up that misses goes on
/// to a second line twice as often: a mix of 90 reads and 10 writes took 7 % longer.
const FILLED: usize = 9;
/// No tag: the place is free.
const FREE: u8 = 0;
/// A count of what went by that is not counted down any more, because it may have been higher.
const STUCK: u8 = u8::MAX;

/// A key's hash, whose parts each serve one purpose.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hash(u64);

#[expect(clippy::cast_possible_truncation, reason = "the parts of a hash")]
impl Hash {
    #[inline]
    pub(super) const fn new(hash: u64) -> Self {
        Self(hash)
    }

    /// The bucket, the line of the history; kept with the entry.
    #[inline]
    pub(super) const fn upper(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Whether the key is sampled.
    #[inline]
    pub(super) const fn part(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// The shard.
    #[inline]
    pub(super) const fn shard(self) -> u8 {
        (self.0 >> 8) as u8
    }

    #[inline]
    const fn tag(self) -> u8 {
        let tag = self.0 as u8;
        if tag == FREE { 1 } else { tag }
    }
}

#[derive(Debug, Clone)]
#[repr(C, align(64))]
struct Bucket {
    /// The tags, then how many entries stand in a later bucket because this one was full, and
    /// nothing.
    head: [u8; 16],
    slots: [u32; SLOTS],
}

/// Where the head says how many went by.
const PASSED: usize = SLOTS;

impl Bucket {
    const EMPTY: Self = Self { head: [FREE; 16], slots: [NONE; SLOTS] };

    /// A bit for each place with this tag.
    #[inline]
    fn matches(&self, tag: u8) -> u32 {
        lanes::bytes(&self.head, tag) & ((1 << SLOTS) - 1)
    }

    #[inline]
    const fn passed(&self) -> u8 {
        let [.., passed, _, _, _] = &self.head;
        *passed
    }

    fn set_passed(&mut self, passed: u8) {
        if let Some(place) = self.head.get_mut(PASSED) {
            *place = passed;
        }
    }

    /// Where a slot stands; past the end for nowhere.
    #[inline]
    fn place_of(&self, slot: u32) -> usize {
        let same = |(at, other): (usize, &u32)| if *other == slot { at } else { SLOTS };
        // Without a way out of the loop it is a few vector instructions.
        self.slots.iter().enumerate().map(same).fold(SLOTS, usize::min)
    }
}

#[derive(Debug)]
pub(super) struct Index {
    buckets: Vec<Bucket>,
    len: usize,
}

impl Index {
    pub(super) const fn new() -> Self {
        Self { buckets: Vec::new(), len: 0 }
    }

    /// Where the search for a hash begins.
    #[inline]
    fn home(&self, upper: u32) -> usize {
        let at = (u64::from(upper) * self.buckets.len() as u64) >> 32;
        usize::try_from(at).unwrap_or(0)
    }

    /// The bucket after this one.
    #[inline]
    const fn next(&self, at: usize) -> usize {
        if at + 1 < self.buckets.len() { at + 1 } else { 0 }
    }

    /// The slot with this hash that `same` says is the one.
    #[inline]
    pub(super) fn find(&self, hash: Hash, mut same: impl FnMut(u32) -> bool) -> Option<u32> {
        let home = self.home(hash.upper());
        let mut at = home;
        loop {
            let bucket = self.buckets.get(at)?;
            let mut matches = bucket.matches(hash.tag());
            while matches != 0 {
                let slot = *bucket.slots.get(matches.trailing_zeros() as usize)?;
                if same(slot) {
                    return Some(slot);
                }
                matches &= matches - 1;
            }
            if bucket.passed() == 0 {
                return None;
            }
            at = self.next(at);
            if at == home {
                return None;
            }
        }
    }

    /// Brings near where the search for a hash begins.
    #[inline]
    pub(super) fn fetch(&self, upper: u32) {
        if let Some(bucket) = self.buckets.get(self.home(upper)) {
            lanes::fetch(bucket);
        }
    }

    /// Whether one more would be too many.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.len >= self.buckets.len() * FILLED
    }

    /// Makes room for so many in all. `upper` gives the upper half of a slot's hash.
    pub(super) fn grow(&mut self, entries: usize, upper: impl Fn(u32) -> u32) {
        self.rebuild(entries, |slot| slot, upper);
    }

    /// The same for slots that have moved: `moved` gives the new one of an old one, and `upper` the
    /// hash of a new one.
    pub(super) fn rebuild(
        &mut self,
        entries: usize,
        moved: impl Fn(u32) -> u32,
        upper: impl Fn(u32) -> u32,
    ) {
        let buckets = entries.max(self.len + 1).div_ceil(FILLED).max(1);
        let old = std::mem::replace(&mut self.buckets, vec![Bucket::EMPTY; buckets]);
        self.len = 0;
        for bucket in old {
            for (tag, slot) in bucket.head.into_iter().zip(bucket.slots) {
                if tag != FREE {
                    let slot = moved(slot);
                    self.place(upper(slot), tag, slot);
                }
            }
        }
    }

    /// Adds a slot; there must be room.
    #[inline]
    pub(super) fn insert(&mut self, hash: Hash, slot: u32) {
        self.place(hash.upper(), hash.tag(), slot);
    }

    #[inline]
    fn place(&mut self, upper: u32, tag: u8, slot: u32) {
        let mut at = self.home(upper);
        while let Some(bucket) = self.buckets.get_mut(at) {
            let free = bucket.matches(FREE).trailing_zeros() as usize;
            if let Some(place) = bucket.slots.get_mut(free) {
                *place = slot;
                if let Some(place) = bucket.head.get_mut(free) {
                    *place = tag;
                }
                self.len += 1;
                return;
            }
            bucket.set_passed(bucket.passed().saturating_add(1));
            at = self.next(at);
        }
    }

    /// Removes a slot whose hash has this upper half.
    #[inline]
    pub(super) fn remove(&mut self, upper: u32, slot: u32) {
        let home = self.home(upper);
        let mut at = home;
        for _ in 0..self.buckets.len() {
            let Some(bucket) = self.buckets.get_mut(at) else {
                return;
            };
            let found = bucket.place_of(slot);
            if let Some(place) = bucket.slots.get_mut(found) {
                *place = NONE;
                if let Some(tag) = bucket.head.get_mut(found) {
                    *tag = FREE;
                }
                self.len -= 1;
                self.passed_less(home, at);
                return;
            }
            at = self.next(at);
        }
    }

    /// One that stood at `end` is gone, which the buckets from `home` on had counted.
    fn passed_less(&mut self, home: usize, end: usize) {
        let mut at = home;
        while at != end
            && let Some(bucket) = self.buckets.get_mut(at)
        {
            if bucket.passed() != STUCK {
                bucket.set_passed(bucket.passed().saturating_sub(1));
            }
            at = self.next(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bucket_is_a_cache_line() {
        assert_eq!(size_of::<Bucket>(), 64);
    }

    #[test]
    fn every_place_matches_its_tag_and_no_other() {
        let mut bucket = Bucket::EMPTY;
        for (tag, place) in (1..).zip(&mut bucket.head[..SLOTS]) {
            *place = tag;
        }
        bucket.set_passed(200);
        for tag in 0..=u8::MAX {
            let place = (1..=12).contains(&tag).then(|| 1 << (tag - 1));
            assert_eq!(bucket.matches(tag), place.unwrap_or(0), "{tag}");
        }
        assert_eq!(bucket.passed(), 200);
    }

    proptest! {
        /// Few distinct hashes, so that buckets overflow into their neighbours.
        #[test]
        fn finds_what_a_map_finds(
            steps in proptest::collection::vec((any::<bool>(), 0_u32..300), 1..2000),
            spread in 1_u64..50,
        ) {
            let hash = |slot: u32| Hash::new((u64::from(slot) % spread).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let (mut index, mut map) = (Index::new(), HashMap::new());
            for (add, slot) in steps {
                let found = index.find(hash(slot), |at| at == slot);
                prop_assert_eq!(found, map.get(&slot).copied());
                if add && found.is_none() {
                    if index.is_full() {
                        index.grow(map.len() + map.len() / 8, |slot| hash(slot).upper());
                    }
                    index.insert(hash(slot), slot);
                    map.insert(slot, slot);
                } else if !add && found.is_some() {
                    index.remove(hash(slot).upper(), slot);
                    map.remove(&slot);
                }
                prop_assert_eq!(index.len, map.len());
            }
            for slot in 0..300 {
                prop_assert_eq!(index.find(hash(slot), |at| at == slot), map.get(&slot).copied());
            }
        }
    }
}
