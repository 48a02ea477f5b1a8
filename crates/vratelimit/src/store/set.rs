//! A few keys that share one lock: found, spent, and replaced in one place.

use std::num::NonZeroU32;

use crate::decision::Decision;
use crate::quota::Quota;

/// Keys in each set.
pub(crate) const WAYS: usize = 16;

/// One key: its hash, and the time at which it has its whole burst again.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// 0 when the slot is free.
    tag: u64,
    arrival: u64,
}

/// The slots of one set, and what happened in it. In this order, so that a look-up touches the
/// line with the lock and the marks, and that of the slot.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Set {
    /// A byte of each slot's tag, to find it by; of free slots too.
    marks: [u8; WAYS],
    pub(crate) allowed: u64,
    pub(crate) denied: u64,
    pub(crate) evicted: u64,
    slots: [Slot; WAYS],
}

/// The byte that a tag is found by; the upper bits chose the set.
const fn mark(tag: u64) -> u8 {
    tag.to_le_bytes()[0]
}

/// How the number of keys in a set changed, and whether a key was forgotten too early.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) added: usize,
    pub(crate) removed: usize,
    pub(crate) evicted: bool,
}

impl Set {
    /// Decides, and writes what was spent.
    pub(crate) fn spend(
        &mut self,
        tag: u64,
        quota: &Quota,
        cost: NonZeroU32,
        now: u64,
    ) -> (Decision, Change) {
        let found = self.find(tag);
        let arrival = found.and_then(|place| self.slots.get(place)).map_or(0, |slot| slot.arrival);
        let (next, decision) = quota.decide(arrival, now, cost);
        if !decision.allowed {
            self.denied += 1;
            return (decision, Change::default());
        }
        self.allowed += 1;
        if let Some(slot) = found.and_then(|place| self.slots.get_mut(place)) {
            slot.arrival = next;
            return (decision, Change::default());
        }
        (decision, self.insert(Slot { tag, arrival: next }, now))
    }

    fn find(&self, tag: u64) -> Option<usize> {
        let wanted = mark(tag);
        // All at once, which compilers make one comparison of.
        let marks = self.marks.iter().enumerate();
        let same =
            |all: u16, (place, mark): (usize, &u8)| all | u16::from(*mark == wanted) << place;
        let mut places = marks.fold(0, same);
        while places != 0 {
            let place = usize::try_from(places.trailing_zeros()).unwrap_or(0);
            if self.slots.get(place).is_some_and(|slot| slot.tag == tag) {
                return Some(place);
            }
            places &= places - 1;
        }
        None
    }

    /// Puts a new key where the least is lost: in a free slot, else over the key that is nearest
    /// to its whole burst. Keys that have it again are as good as unknown, and go first.
    fn insert(&mut self, new: Slot, now: u64) -> Change {
        let removed = self.forget_full(now);
        let places = self.slots.iter_mut().zip(&mut self.marks);
        let Some((slot, place)) = places.min_by_key(|(slot, _)| slot.arrival) else {
            return Change::default();
        };
        let evicted = slot.tag != 0;
        (*slot, *place) = (new, mark(new.tag));
        self.evicted += u64::from(evicted);
        Change { added: usize::from(!evicted), removed, evicted }
    }

    /// Frees the slots of keys that have their whole burst again.
    fn forget_full(&mut self, now: u64) -> usize {
        let full = |slot: &&mut Slot| slot.tag != 0 && slot.arrival <= now;
        let full = self.slots.iter_mut().filter(full);
        full.map(|slot| *slot = Slot::default()).count()
    }

    /// Keys that do not have their whole burst.
    pub(crate) fn live(&self, now: u64) -> usize {
        let live = |slot: &&Slot| slot.tag != 0 && slot.arrival > now;
        self.slots.iter().filter(live).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: NonZeroU32 = NonZeroU32::MIN;

    fn quota() -> Quota {
        Quota::new("10/s".parse().unwrap(), NonZeroU32::new(5).unwrap()).unwrap()
    }

    #[test]
    fn an_offender_outlives_a_flood_of_strangers() {
        let (mut set, quota) = (Set::default(), quota());
        for _ in 0..5 {
            assert!(set.spend(1, &quota, ONE, 0).0.allowed);
        }
        for stranger in 100..10_000 {
            assert!(set.spend(stranger, &quota, ONE, 0).0.allowed);
            assert!(!set.spend(1, &quota, ONE, 0).0.allowed, "{stranger}");
        }
        assert_eq!(set.live(0), WAYS);
        assert!(set.evicted > 0);
    }

    #[test]
    fn keys_with_their_whole_burst_make_room_first() {
        let (mut set, quota) = (Set::default(), quota());
        for tag in 1..=16 {
            set.spend(tag, &quota, ONE, 0);
        }
        // 100 ms later each has got its one unit back.
        let (_, change) = set.spend(99, &quota, ONE, 100_000_000);
        let wanted = Change { added: 1, removed: 16, evicted: false };
        assert_eq!(change, wanted);
        assert_eq!(set.live(100_000_000), 1);
    }

    #[test]
    fn what_is_denied_takes_no_room() {
        let (mut set, quota) = (Set::default(), quota());
        let (decision, change) = set.spend(7, &quota, NonZeroU32::new(6).unwrap(), 0);
        assert!(!decision.allowed);
        assert_eq!((change, set.live(0)), (Change::default(), 0));
    }
}
