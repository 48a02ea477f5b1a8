//! What writes: storing, removing, each under the lock of one shard.

use std::hash::Hash as HashTrait;
use std::sync::atomic::Ordering;

use hashbrown::Equivalent;

use super::engine::{Engine, overhead};
use super::idle;
use super::index::Hash;
use super::keep::Life;
use super::keep::NEVER;
use super::shard::Label;
use super::writing::Writing;
use crate::cause::Cause;

/// Slots that a walk over the cache visits under one lock.
const STRIDE: u32 = 256;

/// How far a walk has come.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    cell: usize,
    from: u32,
    /// How often the shard's entries had moved.
    moves: u32,
}

impl<K, V> Engine<K, V> {
    #[inline]
    pub(super) fn write(&self, hash: Hash) -> Writing<'_, K, V> {
        let (home, cell) = self.cell(hash);
        Writing::new(self, cell, home)
    }

    /// Tells the listener of an entry that was given away.
    #[inline]
    pub(super) fn tell(&self, key: &K, value: &V, cause: Cause) {
        if let Some(listener) = &self.listener {
            listener.tell(key, value, cause);
        }
    }
}

impl<K: HashTrait + Eq, V> Engine<K, V> {
    /// Stores the value if `wanted` says so under the shard's lock; whether it was stored.
    #[inline]
    pub(super) fn insert_if(
        &self,
        key: K,
        value: V,
        life: Life,
        wanted: impl FnOnce() -> bool,
    ) -> bool {
        let (label, now) = self.label(&key, &value, life);
        // The lock is left before key and value are dropped.
        let mut writing = self.write(label.hash);
        wanted() && writing.store(key, value, label, now)
    }

    /// Removes what `key` has, if `wanted` says so under the lock, and gives it.
    pub(super) fn remove_if<Q>(
        &self,
        key: &Q,
        cause: Cause,
        wanted: impl FnOnce(&V) -> bool,
    ) -> Option<V>
    where
        Q: HashTrait + Equivalent<K> + ?Sized,
    {
        let hash = self.hash(key);
        let mut writing = self.write(hash);
        let (at, entry) = writing.shard.find(hash, key)?;
        if self.time_left(writing.shard.expires(at)).is_err() {
            let cause = writing.shard.cause(at, NEVER, cause);
            writing.take_out(at, cause);
            return None;
        }
        if !wanted(&entry.value) {
            return None;
        }
        let gone = writing.extract(at, cause)?;
        // The key is dropped after the lock.
        drop(writing);
        self.tell(&gone.key, &gone.value, cause);
        Some(gone.value)
    }

    /// Removes what `judge` finds a cause for, and what has expired, a few slots under each lock;
    /// `judge` runs under it. Gives the number of removed entries.
    pub(super) fn retain(&self, mut judge: impl FnMut(&K, &V) -> Option<Cause>) -> usize {
        let now = self.now_if_timed();
        let mut removed = 0;
        for (home, cell) in self.cells.iter().enumerate() {
            let (mut from, mut moves) = (0, None);
            loop {
                let mut writing = Writing::new(self, cell, home);
                let end = writing.shard.end();
                if moves.replace(writing.shard.moves()) != Some(writing.shard.moves()) {
                    from = 0;
                }
                if from >= end {
                    break;
                }
                for at in from..end.min(from.saturating_add(STRIDE)) {
                    let judged = writing.shard.entry(at).and_then(|entry| {
                        let over = writing.shard.over(at, now);
                        over.or_else(|| judge(&entry.key, &entry.value))
                    });
                    if let Some(cause) = judged {
                        writing.take_out(at, cause);
                        removed += 1;
                    }
                }
                from = from.saturating_add(STRIDE);
            }
        }
        removed
    }

    /// Visits every live entry, a few slots under each lock, until `visit` says that it is enough.
    pub(super) fn visit(&self, mut visit: impl FnMut(&K, &V) -> bool) {
        let mut place = Some(Place::default());
        while let Some(from) = place {
            let mut more = true;
            place = self.visit_some(from, |key, value| {
                more = more && visit(key, value);
            });
            if !more {
                return;
            }
        }
    }

    /// Visits the live entries of a few slots under one lock; where to go on.
    pub(super) fn visit_some(&self, place: Place, mut visit: impl FnMut(&K, &V)) -> Option<Place> {
        let Place { cell, from, moves } = place;
        let now = self.now_if_timed();
        let shard = self.cells.get(cell)?.shard.read();
        let end = shard.end();
        // Entries that have moved may stand where the walk has been.
        let from = if from > 0 && moves == shard.moves() { from } else { 0 };
        let until = end.min(from.saturating_add(STRIDE));
        for at in from..until {
            if let Some(entry) = shard.entry(at).filter(|_| now < shard.expires(at)) {
                visit(&entry.key, &entry.value);
            }
        }
        let moves = shard.moves();
        Some(if until < end {
            Place { cell, from: until, moves }
        } else {
            Place { cell: cell + 1, ..Place::default() }
        })
    }

    /// How a key and a value are to be stored, and the time if it matters.
    #[inline]
    pub(super) fn label(&self, key: &K, value: &V, life: Life) -> (Label, u64) {
        let hash = self.hash(key);
        let own = self.weigher.as_ref().map_or(0, |weigh| weigh(key, value));
        let mut weight = own.saturating_add(overhead::<K, V>());
        let Life { ttl, tti, pinned } = life;
        if life.is_timed() && !self.timed.load(Ordering::Relaxed) {
            self.timed.store(true, Ordering::Relaxed);
        }
        if tti != NEVER {
            weight = weight.saturating_add(idle::WEIGHT);
        }
        if pinned {
            self.any_pins();
        }
        self.trace_weight(hash, weight);
        let now = self.lately_if_timed(ttl.min(tti));
        let expires = if ttl == NEVER { NEVER } else { now.saturating_add(self.spread(ttl)) };
        (Label { hash, weight, expires, tti, pinned, dead: life.is_dead() }, now)
    }
}
