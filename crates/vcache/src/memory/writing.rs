//! One writer's turn at a shard: making room, storing, removing.

use std::hash::Hash as HashTrait;
use std::sync::atomic::Ordering;

use super::engine::{Cell, Engine};
use super::leaving::Leaving;
use super::lock;
use super::meta::Meta;
use super::shard::{Gone, Label, Shard};
use crate::cause::Cause;

/// Expired entries that every insertion takes out.
const RECLAIMED: u32 = 4;
/// Attempts to find room while all that could leave is locked by other threads.
const ATTEMPTS: u32 = 256;
/// The same where entries are pinned, so that it may well be that nothing can ever leave.
const PINNED_ATTEMPTS: u32 = 8;

/// A shard under its write lock. What was removed is told of and dropped after the lock is released,
/// because listeners and destructors are the caller's code. Fields are dropped from top to bottom.
pub(super) struct Writing<'a, K, V> {
    pub(super) shard: lock::Writing<'a, Shard<K, V>>,
    removed: Leaving<'a, K, V>,
    engine: &'a Engine<K, V>,
    cell: &'a Cell<K, V>,
    home: usize,
    /// Weight that has left and is still on the engine's account, for what comes in its place.
    credit: u64,
}

impl<'a, K, V> Writing<'a, K, V> {
    pub(super) fn new(engine: &'a Engine<K, V>, cell: &'a Cell<K, V>, home: usize) -> Self {
        Self {
            shard: cell.shard.write(),
            removed: Leaving::new(engine.listener.as_ref()),
            engine,
            cell,
            home,
            credit: 0,
        }
    }

    /// Takes what has left this shard off its account, and counts why.
    fn settle(&mut self, weight: u64, cause: Cause) {
        self.credit += weight;
        self.shard.counts.left(cause);
        self.engine.meters.left(weight, cause);
    }

    /// Removes the entry at `at` and gives it away.
    pub(super) fn extract(&mut self, at: u32, cause: Cause) -> Option<Gone<K, V>> {
        let gone = self.shard.remove(at)?;
        self.settle(gone.weight, cause);
        Some(gone)
    }

    /// Removes the entry at `at`.
    pub(super) fn take_out(&mut self, at: u32, cause: Cause) {
        if let Some(gone) = self.extract(at, cause) {
            self.removed.push(gone.key, gone.value, cause);
        }
    }

    /// Makes room because the bound is lower now; false if nothing can leave.
    pub(super) fn shrink(&mut self, now: u64) -> bool {
        let Some((gone, cause)) = self.shard.evict(now, self.engine.tuner.plan()) else {
            return false;
        };
        let cause = if cause == Cause::Room { Cause::Resized } else { cause };
        self.settle(gone.weight, cause);
        self.removed.push(gone.key, gone.value, cause);
        true
    }

    /// Takes over weight that was reserved.
    #[cfg(feature = "snapshot")]
    pub(super) const fn add_credit(&mut self, weight: u64) {
        self.credit += weight;
    }

    /// What has left and is still on the engine's account.
    pub(super) const fn credit(&self) -> u64 {
        self.credit
    }

    /// Frees the weight of one entry, of this shard if it has its share; false if nothing can
    /// leave now.
    fn free_one(&mut self, now: u64) -> bool {
        let shards = self.engine.cells.len();
        if shards == 1 {
            return self.free_here(now);
        }
        // A power of two.
        let share = self.engine.weight() >> shards.trailing_zeros();
        // An eighth below is still its share, or half of all insertions would take two locks.
        let poor = self.shard.weight() < share - share / 8;
        (poor && self.free_elsewhere(share, now))
            || self.free_here(now)
            || self.free_elsewhere(1, now)
    }

    fn free_here(&mut self, now: u64) -> bool {
        let Some((gone, cause)) = self.shard.evict(now, self.engine.tuner.plan()) else {
            return false;
        };
        self.settle(gone.weight, cause);
        self.removed.push(gone.key, gone.value, cause);
        true
    }

    /// Frees one entry of another shard that weighs `least` or more. It only tries their locks:
    /// two writers that waited for each other's shard would wait for ever.
    fn free_elsewhere(&mut self, least: u64, now: u64) -> bool {
        let cells = &self.engine.cells;
        let start = self.engine.turn.fetch_add(1, Ordering::Relaxed) % cells.len();
        let others = cells.iter().enumerate().cycle().skip(start);
        for (at, cell) in others.take(cells.len()) {
            if at == self.home || cell.weight.load(Ordering::Relaxed) < least.max(1) {
                continue;
            }
            let Some(mut shard) = cell.shard.try_write() else {
                continue;
            };
            if let Some((gone, cause)) = shard.evict(now, self.engine.tuner.plan()) {
                cell.left(&shard);
                shard.counts.left(cause);
                self.engine.meters.left(gone.weight, cause);
                self.credit += gone.weight;
                self.removed.push(gone.key, gone.value, cause);
                return true;
            }
        }
        false
    }

    /// Sees that `weight` is on the engine's account for a newcomer.
    fn make_room(&mut self, weight: u64, now: u64) -> bool {
        if weight > self.engine.max_weight() {
            return false;
        }
        let mut attempts = 0;
        loop {
            if let Some(left) = self.credit.checked_sub(weight) {
                self.credit = left;
                return true;
            }
            if self.engine.reserve(weight - self.credit) {
                self.credit = 0;
                return true;
            }
            self.engine.wake_tuner(self.shard.len());
            if self.free_one(now) {
                continue;
            }
            attempts += 1;
            if attempts == if self.engine.has_pins() { PINNED_ATTEMPTS } else { ATTEMPTS } {
                return false;
            }
            std::thread::yield_now();
        }
    }

    /// Takes out some of what has expired.
    #[inline]
    fn reclaim(&mut self, now: u64) {
        if self.shard.is_timed() {
            self.reclaim_some(now);
        }
    }

    fn reclaim_some(&mut self, now: u64) {
        for _ in 0..RECLAIMED {
            let Some((gone, cause)) = self.shard.reclaim(now) else {
                return;
            };
            self.settle(gone.weight, cause);
            self.removed.push(gone.key, gone.value, cause);
        }
    }
}

impl<K: HashTrait + Eq, V> Writing<'_, K, V> {
    /// Stores a value in place of the one with its key, which is gone in any case; whether it was
    /// stored.
    #[inline]
    pub(super) fn store(&mut self, key: K, value: V, label: Label, now: u64) -> bool {
        let Some((at, _)) = self.shard.find(label.hash, &key) else {
            return self.add(key, value, label, None, now);
        };
        let cause = self.shard.cause(at, now, Cause::Replaced);
        let old = self.shard.weight_of(at);
        let more = label.weight.saturating_sub(old);
        if !label.dead && label.weight <= self.engine.max_weight() && self.engine.reserve(more) {
            self.credit += old.saturating_sub(label.weight);
            self.replace(at, key, value, label, now, cause);
            self.engine.meters.left(old, cause);
            return true;
        }
        let gone = self.extract(at, cause);
        let standing = gone.map(|gone| {
            self.removed.push(gone.key, gone.value, cause);
            gone.meta
        });
        self.add(key, value, label, standing, now)
    }

    /// Puts a value in the place of an entry; what it weighs more is reserved.
    #[inline]
    fn replace(&mut self, at: u32, mut key: K, mut value: V, label: Label, now: u64, cause: Cause) {
        self.shard.counts.left(cause);
        self.shard.counts.inserts += 1;
        self.engine.meters.inserted(label.weight);
        self.shard.replace(at, &mut key, &mut value, &label, now);
        self.removed.push(key, value, cause);
        self.reclaim(now);
    }

    /// Stores what has no entry, with the standing of the one that it had until now.
    #[inline(never)]
    fn add(&mut self, key: K, value: V, label: Label, standing: Option<Meta>, now: u64) -> bool {
        self.shard.expect(label.hash);
        self.reclaim(now);
        if label.dead {
            self.removed.push(key, value, Cause::Refused);
            return false;
        }
        if !self.make_room(label.weight, now) {
            return self.refuse(key, value);
        }
        if self.shard.is_exhausted() {
            self.credit += label.weight;
            return self.refuse(key, value);
        }
        self.shard.insert(key, value, label, standing, now, self.engine.tuner.plan());
        self.engine.meters.inserted(label.weight);
        self.shard.counts.inserts += 1;
        true
    }

    #[cold]
    fn refuse(&mut self, key: K, value: V) -> bool {
        self.removed.push(key, value, Cause::Refused);
        self.engine.meters.refused();
        self.shard.counts.refusals += 1;
        false
    }
}

impl<K, V> Drop for Writing<'_, K, V> {
    fn drop(&mut self) {
        self.cell.left(&self.shard);
        if self.credit > 0 {
            self.engine.release(self.credit);
        }
    }
}
