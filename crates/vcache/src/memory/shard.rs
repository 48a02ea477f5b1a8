//! One independent part of the engine: an index, a slab and the eviction policy.
//!
//! The policy is S3-FIFO (Yang, Zhang, Qiu, Yue, Vigfusson: "FIFO queues are all you need for
//! cache eviction", SOSP 2023): newcomers stand in a small queue; those used twice there move on
//! to the main queue, the rest leave and are remembered as ghosts; a newcomer that was a ghost
//! goes to the main queue at once. A hit changes a counter in the entry and nothing else.

use std::hash::Hash;

use hashbrown::{Equivalent, HashTable};

use super::entry::{Entry, Seat};
use super::ghost::Ghosts;
use super::queue::Queue;
use super::slab::Slab;
use crate::metrics::Left;

/// The small queue's share is one in so many (the paper's 10 %).
const SMALL_SHARE: u64 = 10;
/// Uses on probation that earn a place in the main queue.
const PROMOTION: u8 = 2;
/// Steps of the hand before it takes whatever it points to, so that one insertion never walks
/// the whole cache.
const MOST_STEPS: u32 = 64;

#[derive(Debug)]
pub(super) struct Shard<K, V> {
    index: HashTable<u32>,
    slab: Slab<Entry<K, V>>,
    small: Queue,
    main: Queue,
    ghosts: Ghosts,
    /// Entries with a TTL; without any, writers need not look for expired ones.
    expiring: usize,
    /// Where the search for expired entries goes on.
    sweep: u32,
}

impl<K, V> Shard<K, V> {
    pub(super) const fn new() -> Self {
        Self {
            index: HashTable::new(),
            slab: Slab::new(),
            small: Queue::new(),
            main: Queue::new(),
            ghosts: Ghosts::new(),
            expiring: 0,
            sweep: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.slab.len()
    }

    pub(super) const fn weight(&self) -> u64 {
        self.small.weight().saturating_add(self.main.weight())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Entry<K, V>)> {
        self.slab.iter()
    }

    pub(super) fn find<Q>(&self, hash: u64, key: &Q) -> Option<(u32, &Entry<K, V>)>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let same = |at: &u32| {
            self.slab.get(*at).is_some_and(|entry| entry.hash == hash && key.equivalent(&entry.key))
        };
        let at = *self.index.find(hash, same)?;
        Some((at, self.slab.get(at)?))
    }

    /// Adds an entry whose key is not here. Gives it back if there are four billion already.
    pub(super) fn insert(&mut self, mut entry: Entry<K, V>) -> Result<(), Entry<K, V>> {
        let (hash, expires) = (entry.hash, entry.expires_at_all());
        if self.ghosts.take(hash, self.main.len().max(self.small.len())) {
            entry.seat = Seat::Main;
        }
        let seat = entry.seat;
        let at = self.slab.insert(entry)?;
        self.queue(seat).push_at(at);
        self.expiring += usize::from(expires);
        self.ghosts.fit(self.slab.len());
        let slab = &self.slab;
        let hash_of = |at: &u32| slab.get(*at).map_or(0, |entry| entry.hash);
        self.index.insert_unique(hash, at, hash_of);
        Ok(())
    }

    pub(super) fn remove(&mut self, at: u32) -> Option<Entry<K, V>> {
        let (hash, seat) = self.slab.get(at).map(|entry| (entry.hash, entry.seat))?;
        self.queue(seat).unlink_at(at);
        if let Ok(found) = self.index.find_entry(hash, |other| *other == at) {
            found.remove();
        }
        let entry = self.slab.remove(at)?;
        self.expiring -= usize::from(entry.expires_at_all());
        Some(entry)
    }

    /// Takes the entry that is worth least; `None` when the shard is empty.
    pub(super) fn evict(&mut self, now: u64) -> Option<(Entry<K, V>, Left)> {
        for step in 1..=MOST_STEPS {
            let (at, seat) = self.candidate()?;
            let entry = self.slab.get_mut(at)?;
            if !entry.is_live(now) {
                return Some((self.remove(at)?, Left::Expired));
            }
            let uses = entry.uses();
            let spared = match seat {
                Seat::Small => uses >= PROMOTION,
                Seat::Main => uses > 0,
            };
            if spared && step < MOST_STEPS {
                entry.set_uses(if seat == Seat::Main { uses - 1 } else { 0 });
                entry.seat = Seat::Main;
                self.queue(seat).unlink_at(at);
                self.queue(Seat::Main).push_at(at);
                continue;
            }
            let entry = self.remove(at)?;
            if seat == Seat::Small {
                self.ghosts.add(entry.hash);
            }
            return Some((entry, Left::Room));
        }
        None
    }

    /// The oldest entry of the queue whose turn it is.
    fn candidate(&self) -> Option<(u32, Seat)> {
        let small = self.small.oldest().map(|at| (at, Seat::Small));
        let main = self.main.oldest().map(|at| (at, Seat::Main));
        if self.small.weight() > self.weight() / SMALL_SHARE {
            small.or(main)
        } else {
            main.or(small)
        }
    }

    /// Looks at the next `steps` slots and takes the first expired entry among them.
    pub(super) fn sweep(&mut self, now: u64, steps: u32) -> Option<Entry<K, V>> {
        if self.expiring == 0 {
            return None;
        }
        for _ in 0..steps {
            let at = self.sweep;
            self.sweep = if at + 1 < self.slab.end() { at + 1 } else { 0 };
            if self.slab.get(at).is_some_and(|entry| !entry.is_live(now)) {
                return self.remove(at);
            }
        }
        None
    }

    const fn queue(&mut self, seat: Seat) -> Seated<'_, K, V> {
        let queue = match seat {
            Seat::Small => &mut self.small,
            Seat::Main => &mut self.main,
        };
        Seated { queue, slab: &mut self.slab }
    }
}

/// A queue together with the slab that it runs through.
struct Seated<'a, K, V> {
    queue: &'a mut Queue,
    slab: &'a mut Slab<Entry<K, V>>,
}

impl<K, V> Seated<'_, K, V> {
    fn push_at(self, at: u32) {
        self.queue.push(self.slab, at);
    }

    fn unlink_at(self, at: u32) {
        self.queue.unlink(self.slab, at);
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::NEVER;
    use super::*;

    fn shard(keys: impl IntoIterator<Item = u64>) -> Shard<u64, ()> {
        let mut shard = Shard::new();
        for key in keys {
            add(&mut shard, key, NEVER);
        }
        shard
    }

    fn add(shard: &mut Shard<u64, ()>, key: u64, expires: u64) {
        let hash = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        assert!(shard.insert(Entry::new(key, (), hash, 10, expires)).is_ok());
    }

    fn find(shard: &Shard<u64, ()>, key: u64) -> Option<&Entry<u64, ()>> {
        let found = shard.find(key.wrapping_mul(0x9E37_79B9_7F4A_7C15), &key);
        found.map(|(_, entry)| entry)
    }

    #[test]
    fn a_used_entry_outlives_a_scan() {
        let mut shard = shard(0..100);
        for _ in 0..2 {
            find(&shard, 7).unwrap().touch();
        }
        for key in 100..10_000 {
            shard.evict(0).unwrap();
            add(&mut shard, key, NEVER);
        }
        assert_eq!(shard.len(), 100);
        assert_eq!(shard.weight(), 1000);
        assert_eq!(find(&shard, 7).unwrap().seat, Seat::Main);
        assert!(find(&shard, 8).is_none());
    }

    #[test]
    fn a_ghost_comes_back_to_the_main_queue() {
        let mut shard = shard(0..100);
        let (gone, cause) = shard.evict(0).unwrap();
        assert_eq!((gone.key, cause), (0, Left::Room));
        add(&mut shard, 0, NEVER);
        assert_eq!(find(&shard, 0).unwrap().seat, Seat::Main);
    }

    #[test]
    fn the_hand_takes_something_even_if_all_are_popular() {
        let mut shard = shard(0..1000);
        for (_, entry) in shard.iter() {
            (0..3).for_each(|_| entry.touch());
        }
        assert!(shard.evict(0).is_some());
        assert_eq!(shard.len(), 999);
        (0..999).for_each(|_| assert!(shard.evict(0).is_some()));
        assert!(shard.evict(0).is_none());
        assert_eq!(shard.weight(), 0);
    }

    #[test]
    fn a_sweep_finds_what_has_expired() {
        let mut shard = shard(0..10);
        assert!(shard.sweep(u64::MAX - 1, 100).is_none());
        add(&mut shard, 10, 5);
        assert!(shard.sweep(4, 100).is_none());
        assert_eq!(shard.sweep(5, 100).unwrap().key, 10);
        add(&mut shard, 11, 5);
        while let Some((entry, cause)) = shard.evict(5) {
            assert_eq!(cause == Left::Expired, entry.key == 11);
        }
    }
}
