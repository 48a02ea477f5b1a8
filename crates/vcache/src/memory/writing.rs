//! One writer's turn at a shard: making room, storing, removing.

use std::hash::Hash;
use std::sync::atomic::Ordering;
use std::sync::{PoisonError, RwLockWriteGuard, TryLockError};

use super::cells::{Cell, Cells};
use super::entry::Entry;
use super::shard::Shard;
use crate::metrics::Left;

/// Slots that every insertion looks at for expired entries.
const SWEPT: u32 = 4;
/// Attempts to find room while all that could leave is locked by other threads.
const ATTEMPTS: u32 = 256;

/// A shard under its write lock. What was removed is dropped after the lock is released, because
/// destructors are the caller's code. Fields are dropped from top to bottom.
pub(super) struct Writing<'a, K, V> {
    pub(super) shard: RwLockWriteGuard<'a, Shard<K, V>>,
    removed: Removed<K, V>,
    cells: &'a Cells<K, V>,
    pub(super) cell: &'a Cell<K, V>,
    home: usize,
}

/// Removed entries; most writers remove one at most, which takes no allocation.
struct Removed<K, V> {
    one: Option<Entry<K, V>>,
    more: Vec<Entry<K, V>>,
}

impl<K, V> Removed<K, V> {
    fn push(&mut self, entry: Entry<K, V>) {
        match self.one {
            None => self.one = Some(entry),
            Some(_) => self.more.push(entry),
        }
    }
}

impl<'a, K, V> Writing<'a, K, V> {
    pub(super) fn new(cells: &'a Cells<K, V>, cell: &'a Cell<K, V>, home: usize) -> Self {
        Self {
            shard: cell.shard.write().unwrap_or_else(PoisonError::into_inner),
            removed: Removed { one: None, more: Vec::new() },
            cells,
            cell,
            home,
        }
    }

    /// Removes the entry at `at`.
    pub(super) fn take_out(&mut self, at: u32, cause: Left) -> Option<&Entry<K, V>> {
        let entry = self.shard.remove(at)?;
        self.cells.settle(self.cell, &entry, cause);
        self.removed.push(entry);
        self.removed.more.last().or(self.removed.one.as_ref())
    }

    /// Frees the weight of one entry, of this shard if it has its share; false if nothing can
    /// leave now.
    fn free_one(&mut self, now: u64) -> bool {
        let shards = u64::try_from(self.cells.all.len()).unwrap_or(u64::MAX);
        let share = self.cells.weight() / shards;
        // An eighth below is still its share, or half of all insertions would take two locks.
        let poor = shards > 1 && self.shard.weight() < share - share / 8;
        (poor && self.free_elsewhere(share, now))
            || self.free_here(now)
            || self.free_elsewhere(1, now)
    }

    fn free_here(&mut self, now: u64) -> bool {
        let Some((entry, cause)) = self.shard.evict(now) else {
            return false;
        };
        self.cells.settle(self.cell, &entry, cause);
        self.removed.push(entry);
        true
    }

    /// Frees one entry of another shard that weighs `least` or more. It only tries their locks:
    /// two writers that waited for each other's shard would wait for ever.
    fn free_elsewhere(&mut self, least: u64, now: u64) -> bool {
        let cells = &self.cells.all;
        let start = self.cells.turn.fetch_add(1, Ordering::Relaxed) % cells.len();
        let others = cells.iter().enumerate().cycle().skip(start);
        for (at, cell) in others.take(cells.len()) {
            if at == self.home || cell.weight.load(Ordering::Relaxed) < least.max(1) {
                continue;
            }
            let mut shard = match cell.shard.try_write() {
                Ok(shard) => shard,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => continue,
            };
            if let Some((entry, cause)) = shard.evict(now) {
                cell.weight.store(shard.weight(), Ordering::Relaxed);
                self.cells.settle(cell, &entry, cause);
                self.removed.push(entry);
                return true;
            }
        }
        false
    }

    fn make_room(&mut self, weight: u64, now: u64) -> bool {
        if weight > self.cells.max_weight {
            return false;
        }
        let mut attempts = 0;
        while !self.cells.reserve(weight) {
            if self.free_one(now) {
                continue;
            }
            attempts += 1;
            if attempts == ATTEMPTS {
                return false;
            }
            std::thread::yield_now();
        }
        true
    }
}

impl<K: Hash + Eq, V> Writing<'_, K, V> {
    /// Stores `entry` in place of the one with its key, which is gone in any case; whether it
    /// was stored. `dead` says that its time is over before it began.
    pub(super) fn replace(&mut self, mut entry: Entry<K, V>, dead: bool, now: u64) -> bool {
        if let Some((at, old)) = self.shard.find(entry.hash, &entry.key) {
            let cause = old.cause(now);
            if let Some(old) = self.take_out(at, cause) {
                entry.succeed(old);
            }
        }
        if let Some(expired) = self.shard.sweep(now, SWEPT) {
            self.cells.settle(self.cell, &expired, Left::Expired);
            self.removed.push(expired);
        }
        if dead {
            self.removed.push(entry);
            return false;
        }
        let weight = entry.weight;
        if self.make_room(weight, now) {
            match self.shard.insert(entry) {
                Ok(()) => {
                    self.cells.meters.inserted(weight);
                    self.cell.counters.inserted();
                    return true;
                }
                Err(refused) => {
                    self.cells.release(weight);
                    self.removed.push(refused);
                }
            }
        } else {
            self.removed.push(entry);
        }
        self.cells.meters.refused();
        self.cell.counters.refused();
        false
    }
}

impl<K, V> Drop for Writing<'_, K, V> {
    fn drop(&mut self) {
        self.cell.weight.store(self.shard.weight(), Ordering::Relaxed);
    }
}
