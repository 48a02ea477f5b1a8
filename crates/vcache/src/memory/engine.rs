//! The engine: finds, weighs and dates entries, and reads and writes them under their locks.

use std::hash::{BuildHasher, Hash};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hashbrown::Equivalent;

use super::cells::Cells;
use super::entry::{Entry, NEVER};
use super::writing::Writing;
use crate::clock::{Clock, nanos};
use crate::metrics::Left;

/// Says what a key and a value weigh.
pub(super) type Weigher<K, V> = Box<dyn Fn(&K, &V) -> u64 + Send + Sync>;

pub(super) struct Engine<K, V> {
    pub(super) cells: Cells<K, V>,
    pub(super) ttl: Option<Duration>,
    /// Whether any entry ever had a TTL; if not, writers leave the clock alone.
    timed: AtomicBool,
    hasher: foldhash::fast::RandomState,
    weigher: Weigher<K, V>,
    clock: Arc<dyn Clock>,
}

impl<K, V> Engine<K, V> {
    pub(super) fn new(
        cells: Cells<K, V>,
        ttl: Option<Duration>,
        weigher: Weigher<K, V>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            cells,
            ttl,
            timed: AtomicBool::new(false),
            hasher: foldhash::fast::RandomState::default(),
            weigher,
            clock,
        }
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

    fn write(&self, hash: u64) -> Writing<'_, K, V> {
        let (home, cell) = self.cells.of(hash);
        Writing::new(&self.cells, cell, home)
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
        let (_, cell) = self.cells.of(hash);
        let found = {
            let shard = cell.read();
            shard.find(hash, key).and_then(|(_, entry)| {
                let left = self.time_left(entry).ok()?;
                entry.touch();
                Some(read(&entry.value, left))
            })
        };
        cell.counters.looked_up(found.is_some());
        self.cells.meters.looked_up(found.is_some());
        found
    }

    /// The same, but neither a use nor in the statistics.
    pub(super) fn peek<Q, T>(&self, key: &Q, read: impl FnOnce(&V) -> T) -> Option<T>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let hash = self.hash(key);
        let shard = self.cells.of(hash).1.read();
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
        self.cells.settle(writing.cell, &entry, Left::Removed);
        // The key is dropped here, after the lock.
        drop(writing);
        Some(entry.value)
    }

    /// Removes what `keep` does not want, shard by shard, and what has expired; `keep` runs under
    /// the shard's lock. Gives the number of removed entries.
    pub(super) fn retain(&self, mut keep: impl FnMut(&K, &V) -> bool) -> usize {
        let now = self.now_if_timed();
        let mut removed = 0;
        for (home, cell) in self.cells.all.iter().enumerate() {
            let mut writing = Writing::new(&self.cells, cell, home);
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
