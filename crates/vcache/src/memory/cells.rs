//! Shards under locks, and one account of weight over all of them.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use super::entry::Entry;
use super::shard::Shard;
use super::stats::{Counters, Stats};
use crate::metrics::{Left, Meters};

/// A shard with what is read and written beside it, apart from its neighbours' cache lines.
#[repr(align(128))]
pub(super) struct Cell<K, V> {
    /// A poisoned lock is used on: callers' closures run before anything is changed.
    pub(super) shard: RwLock<Shard<K, V>>,
    /// The shard's weight as its last writer left it.
    pub(super) weight: AtomicU64,
    pub(super) counters: Counters,
}

impl<K, V> Cell<K, V> {
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Shard<K, V>> {
        self.shard.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All shards of a cache.
pub(super) struct Cells<K, V> {
    pub(super) all: Box<[Cell<K, V>]>,
    pub(super) max_weight: u64,
    /// What all entries weigh, those included that a writer is about to add. Never above
    /// `max_weight`: room is reserved before it is used.
    used: AtomicU64,
    /// Where the next search for room in other shards begins, so that none is drained first.
    pub(super) turn: AtomicUsize,
    pub(super) meters: Meters,
}

impl<K, V> Cells<K, V> {
    /// `shards` empty shards, a power of two.
    pub(super) fn new(shards: usize, max_weight: u64, meters: Meters) -> Self {
        let cell = |_| Cell {
            shard: RwLock::new(Shard::new()),
            weight: AtomicU64::new(0),
            counters: Counters::default(),
        };
        Self {
            all: (0..shards).map(cell).collect(),
            max_weight,
            used: AtomicU64::new(0),
            turn: AtomicUsize::new(0),
            meters,
        }
    }

    /// The cell of a hash, and which it is.
    pub(super) fn of(&self, hash: u64) -> (usize, &Cell<K, V>) {
        // The bits in the middle: the index uses the lowest and the highest. The number of cells
        // is a power of two, so the mask keeps the number inside.
        let middle = usize::try_from(hash >> 32 & 0xFFFF).unwrap_or_default();
        let home = middle & (self.all.len() - 1);
        #[expect(clippy::indexing_slicing, reason = "masked to the length, which is not zero")]
        let cell = &self.all[home];
        (home, cell)
    }

    /// Reserves room for `weight` if there is any.
    pub(super) fn reserve(&self, weight: u64) -> bool {
        let room = |used: u64| used.checked_add(weight).filter(|sum| *sum <= self.max_weight);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok()
    }

    pub(super) fn release(&self, weight: u64) {
        self.used.fetch_sub(weight, Ordering::Relaxed);
    }

    /// Takes an entry that has left a shard off the account, and counts why.
    pub(super) fn settle(&self, cell: &Cell<K, V>, entry: &Entry<K, V>, cause: Left) {
        self.release(entry.weight);
        cell.counters.left(cause);
        self.meters.left(entry.weight, cause);
    }

    pub(super) fn weight(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(super) fn len(&self) -> usize {
        self.all.iter().map(|cell| cell.read().len()).sum()
    }

    pub(super) fn stats(&self) -> Stats {
        let mut stats =
            Stats { max_weight: self.max_weight, weight: self.weight(), ..Stats::default() };
        for cell in &self.all {
            cell.counters.add_to(&mut stats);
            stats.entries += u64::try_from(cell.read().len()).unwrap_or(u64::MAX);
        }
        stats
    }
}

impl<K, V> Drop for Cells<K, V> {
    fn drop(&mut self) {
        // The gauges are shared by all caches of one name, past and present.
        let entries = self.len();
        self.meters.closed(self.weight(), entries);
    }
}
