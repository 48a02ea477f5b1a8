//! What writes: storing, updating, removing, each under the lock of one shard.

use std::hash::Hash as HashTrait;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hashbrown::Equivalent;

use super::engine::{Engine, overhead};
use super::index::Hash;
use super::shard::Item;
use super::wheel::NEVER;
use super::writing::Writing;
use crate::clock::nanos;
use crate::metrics::Left;

impl<K, V> Engine<K, V> {
    #[inline]
    fn write(&self, hash: Hash) -> Writing<'_, K, V> {
        let (home, cell) = self.cell(hash);
        Writing::new(self, cell, home)
    }
}

impl<K: HashTrait + Eq, V> Engine<K, V> {
    /// Stores the value if `wanted` says so under the shard's lock; whether it was stored.
    #[inline]
    pub(super) fn insert_if(
        &self,
        key: K,
        value: V,
        ttl: Option<Duration>,
        wanted: impl FnOnce() -> bool,
    ) -> bool {
        let (item, now) = self.item(key, value, ttl);
        let mut writing = self.write(item.hash);
        if !wanted() {
            // Unlock before the value is dropped.
            drop(writing);
            return false;
        }
        writing.store(item, ttl == Some(Duration::ZERO), now)
    }

    pub(super) fn update(&self, key: K, make: impl FnOnce(Option<&V>) -> Option<V>) -> Option<V>
    where
        V: Clone,
    {
        let hash = self.hash(&key);
        let mut writing = self.write(hash);
        let found = writing.shard.find(hash, &key);
        let live = found.filter(|(at, _)| self.time_left(writing.shard.expires(*at)).is_ok());
        let at = found.map(|(at, _)| at);
        let cause = if live.is_some() { Left::Removed } else { Left::Expired };
        if let Some(value) = make(live.map(|(_, entry)| &entry.value)) {
            let made = value.clone();
            let (item, now) = self.item(key, value, self.ttl);
            writing.store(item, self.ttl == Some(Duration::ZERO), now);
            return Some(made);
        }
        if let Some(at) = at {
            writing.take_out(at, cause);
        }
        None
    }

    pub(super) fn remove<Q>(&self, key: &Q) -> Option<V>
    where
        Q: HashTrait + Equivalent<K> + ?Sized,
    {
        let hash = self.hash(key);
        let mut writing = self.write(hash);
        let (at, _) = writing.shard.find(hash, key)?;
        if self.time_left(writing.shard.expires(at)).is_err() {
            writing.take_out(at, Left::Expired);
            return None;
        }
        let gone = writing.extract(at, Left::Removed)?;
        // The key is dropped here, after the lock.
        drop(writing);
        Some(gone.value)
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
                .map(|(at, entry)| (at, entry, writing.shard.cause(at, now)))
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

    /// What is to be stored, and the time if it matters.
    #[inline]
    fn item(&self, key: K, value: V, ttl: Option<Duration>) -> (Item<K, V>, u64) {
        let hash = self.hash(&key);
        let own = self.weigher.as_ref().map_or(0, |weigh| weigh(&key, &value));
        let weight = own.saturating_add(overhead::<K, V>());
        if ttl.is_some() && !self.timed.load(Ordering::Relaxed) {
            self.timed.store(true, Ordering::Relaxed);
        }
        let now = self.now_if_timed();
        let expires = ttl.map_or(NEVER, |ttl| now.saturating_add(nanos(ttl)));
        (Item { key, value, hash, weight, expires }, now)
    }
}
