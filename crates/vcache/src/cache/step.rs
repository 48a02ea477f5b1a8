//! Steps on one key, each of them atomic; and steps on the whole.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::Equivalent;

use super::Cache;
use crate::load::loaded::Loaded;
use crate::memory::{Done, Entry, Keep, Op, Outcome};
use crate::shelf::Birth;
use crate::terms::Held;

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Decides on the next value from the present one, in one step; see
    /// [`Memory::update`](crate::Memory::update). The entry keeps its tags; in all else it is as if
    /// [inserted](Self::insert), stale windows, refreshes and jitter included.
    pub fn update(&self, key: K, make: impl FnOnce(Option<&V>) -> Option<V>) -> Option<V> {
        let decide = |value: Option<&V>| {
            let made = make(value);
            (made.clone().map_or(Op::Remove, Op::Put), made)
        };
        self.step(key, decide).1
    }

    /// Shows `decide` the fresh value of `key`, does what it says, and tells what came of it, in
    /// one step; see [`Memory::compute`](crate::Memory::compute). The entry keeps its tags. No load
    /// of the key under way will be stored, whatever is decided.
    pub fn compute(&self, key: K, decide: impl FnOnce(Option<&V>) -> Op<V>) -> Outcome<V> {
        let decide = |value: Option<&V>| {
            let op = decide(value);
            let new = op.put();
            (op, (value.cloned(), new))
        };
        let (done, (old, new)) = self.step(key, decide);
        Outcome::of(done, old, new)
    }

    /// Stores what `make` makes of the fresh value, if there is one, or of nothing, and gives it;
    /// see [`Memory::upsert`](crate::Memory::upsert). The entry keeps its tags.
    pub fn upsert(&self, key: K, make: impl FnOnce(Option<&V>) -> V) -> V {
        let decide = |value: Option<&V>| {
            let made = make(value);
            (Op::Put(made.clone()), made)
        };
        self.step(key, decide).1
    }

    /// Removes `key` and gives its value, if `wanted` says so of the fresh value; see
    /// [`Memory::remove_if`](crate::Memory::remove_if). No load of the key under way will be
    /// stored, whatever it says.
    pub fn remove_if<Q>(&self, key: &Q, wanted: impl FnOnce(&V) -> bool) -> Option<V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.forget(key);
        let shelf = &self.inner.shelf;
        let fresh = |held: &Held<V>| held.terms.as_ref().is_none_or(|it| shelf.is_fresh(it));
        let held = shelf.memory.remove_if(key, |held| fresh(held) && wanted(&held.value));
        held.map(|held| held.value)
    }

    /// Puts `value` in the place of a fresh one that `wanted` says yes to, and gives that one; see
    /// [`Memory::replace_if`](crate::Memory::replace_if). The entry keeps its tags.
    ///
    /// # Errors
    ///
    /// The value that was not wanted.
    pub fn replace_if(&self, key: K, value: V, wanted: impl FnOnce(&V) -> bool) -> Result<V, V> {
        let decide = |old: Option<&V>| match old.filter(|old| wanted(old)) {
            Some(old) => {
                let old = old.clone();
                (Op::Put(value), Ok(old))
            }
            None => (Op::Nop, Err(value)),
        };
        self.step(key, decide).1
    }

    /// A key and what is there for it, for one step at a time; see [`Entry`].
    pub const fn entry(&self, key: K) -> Entry<'_, Self, K> {
        Entry::new(self, key)
    }

    /// Keeps what `key` has however short room is; see [`Memory::pin`](crate::Memory::pin).
    pub fn pin<Q>(&self, key: &Q) -> bool
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.inner.shelf.memory.pin(key)
    }

    /// Lets what `key` has leave when room is short; see [`Memory::unpin`](crate::Memory::unpin).
    pub fn unpin<Q>(&self, key: &Q) -> bool
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.inner.shelf.memory.unpin(key)
    }

    /// Sets another bound while the cache is in use; see [`Memory::resize`](crate::Memory::resize).
    pub fn resize(&self, max_size: u64) -> usize {
        self.inner.shelf.memory.resize(max_size)
    }

    /// All fresh entries, in no order, without stopping anybody; see
    /// [`Memory::iter`](crate::Memory::iter).
    pub fn iter(&self) -> impl Iterator<Item = (K, V)> + use<K, V> {
        let shelf = Arc::clone(&self.inner.shelf);
        self.inner.shelf.memory.iter().filter_map(move |(key, held)| {
            let fresh = held.terms.is_none_or(|terms| shelf.is_fresh(&terms));
            fresh.then_some((key, held.value))
        })
    }

    fn step<T>(&self, key: K, decide: impl FnOnce(Option<&V>) -> (Op<V>, T)) -> (Done, T) {
        self.forget(&key);
        let (shelf, loading) = (&self.inner.shelf, &self.inner.loading);
        let birth = Birth { epoch: shelf.tags.epoch(), load_time: Duration::ZERO };
        let decide = |held: Option<&Held<V>>, pinned: bool| {
            let terms = held.and_then(|held| held.terms.as_ref());
            let live = held.filter(|_| terms.is_none_or(|terms| shelf.is_fresh(terms)));
            let tags = terms.map(|terms| terms.tags.to_vec());
            let hold = |value, keep: Keep| {
                let Keep { ttl, tti, pinned } = keep;
                let tags = tags.unwrap_or_default();
                let loaded = Loaded { ttl, tti, pinned, tags, ..Loaded::new(value) };
                let (held, keep) = shelf.under_terms(loaded, loading, birth);
                Op::PutWith(held, keep)
            };
            let (op, told) = decide(live.map(|held| &held.value));
            let op = match op {
                Op::Nop => Op::Nop,
                Op::Remove => Op::Remove,
                Op::Put(value) => hold(value, Keep { pinned, ..Keep::new() }),
                Op::PutWith(value, keep) => hold(value, keep),
            };
            (op, told)
        };
        shelf.indexing(key, |key| shelf.memory.step(key, decide))
    }
}

impl<K, V> Entry<'_, Cache<K, V>, K>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// The fresh value, if there is one. Loads nothing.
    #[must_use]
    pub fn get(&self) -> Option<V> {
        self.cache.get(&self.key)
    }

    /// The value, or `value`, which is stored then.
    pub fn or_insert(self, value: V) -> V {
        self.or_insert_with(|| value)
    }

    /// The value, or the one that `make` makes; see [`Cache::get_or_insert_with`]. `make` runs
    /// under no lock.
    pub fn or_insert_with(self, make: impl FnOnce() -> V) -> V {
        self.cache.get_or_insert_with(&self.key, make)
    }

    /// Decides on the fresh value and does so; see [`Cache::compute`].
    pub fn compute(self, decide: impl FnOnce(Option<&V>) -> Op<V>) -> Outcome<V> {
        self.cache.compute(self.key, decide)
    }

    /// Stores what `make` makes of the fresh value; see [`Cache::upsert`].
    pub fn upsert(self, make: impl FnOnce(Option<&V>) -> V) -> V {
        self.cache.upsert(self.key, make)
    }

    /// Removes the fresh value if `wanted` says so, and gives it.
    pub fn remove_if(self, wanted: impl FnOnce(&V) -> bool) -> Option<V> {
        self.cache.remove_if(&self.key, wanted)
    }
}
