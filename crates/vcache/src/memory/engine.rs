//! The engine: shards under locks, one account of weight over all of them.

use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use hashbrown::Equivalent;

use super::entry::{Entry, NEVER};
use super::shard::Shard;
use super::stats::{Counters, Stats};
use super::writing::Writing;
use crate::clock::{Clock, nanos};
use crate::metrics::{Left, Meters};

/// Says what a key and a value weigh.
pub(super) type Weigher<K, V> = Box<dyn Fn(&K, &V) -> u64 + Send + Sync>;

pub(super) struct Engine<K, V> {
    pub(super) cells: Box<[Cell<K, V>]>,
    pub(super) max_weight: u64,
    pub(super) ttl: Option<Duration>,
    /// What all entries weigh, those included that a writer is about to add. Never above
    /// `max_weight`: room is reserved before it is used.
    used: AtomicU64,
    /// Where the next search for room in other shards begins, so that none is drained first.
    pub(super) turn: AtomicUsize,
    /// Whether any entry ever had a TTL; if not, writers leave the clock alone.
    timed: AtomicBool,
    hasher: foldhash::fast::RandomState,
    weigher: Weigher<K, V>,
    clock: Arc<dyn Clock>,
    pub(super) meters: Meters,
}

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
    fn read(&self) -> RwLockReadGuard<'_, Shard<K, V>> {
        self.shard.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V> Engine<K, V> {
    pub(super) fn new(
        shards: usize,
        max_weight: u64,
        ttl: Option<Duration>,
        weigher: Weigher<K, V>,
        clock: Arc<dyn Clock>,
        meters: Meters,
    ) -> Self {
        let cell = |_| Cell {
            shard: RwLock::new(Shard::new()),
            weight: AtomicU64::new(0),
            counters: Counters::default(),
        };
        Self {
            cells: (0..shards).map(cell).collect(),
            max_weight,
            ttl,
            used: AtomicU64::new(0),
            turn: AtomicUsize::new(0),
            timed: AtomicBool::new(false),
            hasher: foldhash::fast::RandomState::default(),
            weigher,
            clock,
            meters,
        }
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
        self.cells.iter().map(|cell| cell.read().len()).sum()
    }

    pub(super) fn stats(&self) -> Stats {
        let mut stats =
            Stats { max_weight: self.max_weight, weight: self.weight(), ..Stats::default() };
        for cell in &self.cells {
            cell.counters.add_to(&mut stats);
            stats.entries += u64::try_from(cell.read().len()).unwrap_or(u64::MAX);
        }
        stats
    }

    /// The time in nanoseconds.
    pub(super) fn now(&self) -> u64 {
        nanos(self.clock.now())
    }

    /// The time if any entry could expire, else the beginning.
    fn now_if_timed(&self) -> u64 {
        if self.timed.load(Ordering::Relaxed) { self.now() } else { 0 }
    }

    /// The time left to a live entry (`None` for ever), `Err` for one that has expired. The
    /// clock is read only for entries that can expire.
    fn time_left(&self, entry: &Entry<K, V>) -> Result<Option<Duration>, Expired> {
        if !entry.expires_at_all() {
            return Ok(None);
        }
        match entry.expires.checked_sub(self.now()) {
            Some(left @ 1..) => Ok(Some(Duration::from_nanos(left))),
            _ => Err(Expired),
        }
    }

    fn cell(&self, hash: u64) -> (usize, &Cell<K, V>) {
        // The bits in the middle: the index uses the lowest and the highest. The number of cells
        // is a power of two, so the mask keeps the number inside.
        let middle = usize::try_from(hash >> 32 & 0xFFFF).unwrap_or_default();
        let home = middle & (self.cells.len() - 1);
        #[expect(clippy::indexing_slicing, reason = "masked to the length, which is not zero")]
        let cell = &self.cells[home];
        (home, cell)
    }

    fn write(&self, hash: u64) -> Writing<'_, K, V> {
        let (home, cell) = self.cell(hash);
        Writing::new(self, cell, home)
    }
}

impl<K, V> Drop for Engine<K, V> {
    fn drop(&mut self) {
        // The gauges are shared by all caches of one name, past and present.
        let entries = self.len();
        self.meters.closed(self.weight(), entries);
    }
}

struct Expired;

impl<K: Hash + Eq, V> Engine<K, V> {
    fn hash<Q: Hash + ?Sized>(&self, key: &Q) -> u64 {
        self.hasher.hash_one(key)
    }

    /// Reads a live entry through `read`, which runs under the shard's read lock.
    pub(super) fn look_up<Q, T>(
        &self,
        key: &Q,
        read: impl FnOnce(&V, Option<Duration>) -> T,
    ) -> Option<T>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let hash = self.hash(key);
        let (_, cell) = self.cell(hash);
        let found = {
            let shard = cell.read();
            shard.find(hash, key).and_then(|(_, entry)| {
                let left = self.time_left(entry).ok()?;
                entry.touch();
                Some(read(&entry.value, left))
            })
        };
        cell.counters.looked_up(found.is_some());
        self.meters.looked_up(found.is_some());
        found
    }

    /// The same, but neither a use nor in the statistics.
    pub(super) fn peek<Q, T>(&self, key: &Q, read: impl FnOnce(&V) -> T) -> Option<T>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let hash = self.hash(key);
        let shard = self.cell(hash).1.read();
        let (_, entry) = shard.find(hash, key)?;
        let live = self.time_left(entry).is_ok();
        live.then(|| read(&entry.value))
    }

    /// Stores the value if `wanted` says so under the shard's lock; whether it was stored.
    pub(super) fn insert_if(
        &self,
        key: K,
        value: V,
        ttl: Option<Duration>,
        wanted: impl FnOnce() -> bool,
    ) -> bool {
        let entry = self.entry(key, value, ttl);
        let now = self.now_if_timed();
        let mut writing = self.write(entry.hash);
        if !wanted() {
            // Unlock before the value is dropped.
            drop(writing);
            return false;
        }
        writing.replace(entry, ttl == Some(Duration::ZERO), now)
    }

    pub(super) fn update(&self, key: K, make: impl FnOnce(Option<&V>) -> Option<V>) -> Option<V>
    where
        V: Clone,
    {
        let hash = self.hash(&key);
        let mut writing = self.write(hash);
        let found = writing.shard.find(hash, &key);
        let live = found.filter(|(_, entry)| self.time_left(entry).is_ok());
        let at = found.map(|(at, _)| at);
        let cause = if live.is_some() { Left::Removed } else { Left::Expired };
        if let Some(value) = make(live.map(|(_, entry)| &entry.value)) {
            let made = value.clone();
            let entry = self.entry(key, value, self.ttl);
            let now = self.now_if_timed();
            writing.replace(entry, self.ttl == Some(Duration::ZERO), now);
            return Some(made);
        }
        if let Some(at) = at {
            writing.take_out(at, cause);
        }
        None
    }

    pub(super) fn remove<Q>(&self, key: &Q) -> Option<V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let hash = self.hash(key);
        let mut writing = self.write(hash);
        let (at, entry) = writing.shard.find(hash, key)?;
        let live = self.time_left(entry).is_ok();
        if !live {
            writing.take_out(at, Left::Expired);
            return None;
        }
        let entry = writing.shard.remove(at)?;
        self.settle(writing.cell, &entry, Left::Removed);
        // The key is dropped here, after the lock.
        drop(writing);
        Some(entry.value)
    }

    /// Removes what `keep` does not want, shard by shard, and what has expired; `keep` runs under
    /// the shard's lock. Gives the number of removed entries.
    pub(super) fn retain(&self, mut keep: impl FnMut(&K, &V) -> bool) -> usize {
        let now = self.now_if_timed();
        let mut removed = 0;
        for (home, cell) in self.cells.iter().enumerate() {
            let mut writing = Writing::new(self, cell, home);
            let judged: Vec<(u32, Left)> = writing
                .shard
                .iter()
                .map(|(at, entry)| (at, entry, entry.cause(now)))
                .filter(|(_, entry, cause)| {
                    *cause == Left::Expired || !keep(&entry.key, &entry.value)
                })
                .map(|(at, _, cause)| (at, cause))
                .collect();
            removed += judged.len();
            for (at, cause) in judged {
                writing.take_out(at, cause);
            }
        }
        removed
    }

    fn entry(&self, key: K, value: V, ttl: Option<Duration>) -> Entry<K, V> {
        let hash = self.hash(&key);
        let weight = (self.weigher)(&key, &value).saturating_add(Entry::<K, V>::OVERHEAD);
        let expires = ttl.map_or(NEVER, |ttl| {
            self.timed.store(true, Ordering::Relaxed);
            self.now().saturating_add(nanos(ttl))
        });
        Entry::new(key, value, hash, weight, expires)
    }
}
