//! One key of a cache, for steps on what it has.

use std::fmt;
use std::hash::Hash;

use super::Memory;
use super::keep::Keep;
use super::outcome::{Op, Outcome};

/// A key of a [`Memory`] or a [`Cache`](crate::Cache), to read and change what is there. It holds
/// no lock: each call is one step that no other call for the key comes between, and others may
/// come between two calls. Closures run under the shard's lock, and must be short and not call
/// the cache.
///
/// ```
/// use vcache::{Memory, Op};
///
/// let cache = Memory::<String, Vec<u32>>::builder().build()?;
/// let scores = cache.entry("ada".to_owned()).or_insert_with(Vec::new);
/// assert!(scores.is_empty());
/// cache.entry("ada".to_owned()).compute(|scores| {
///     let mut scores = scores.cloned().unwrap_or_default();
///     scores.push(7);
///     Op::Put(scores)
/// });
/// assert_eq!(cache.get("ada"), Some(vec![7]));
/// # Ok::<(), vcache::BuildError>(())
/// ```
#[must_use = "an entry does nothing by itself"]
pub struct Entry<'a, C, K> {
    pub(crate) cache: &'a C,
    pub(crate) key: K,
}

impl<'a, C, K> Entry<'a, C, K> {
    pub(crate) const fn new(cache: &'a C, key: K) -> Self {
        Self { cache, key }
    }

    /// The key.
    pub const fn key(&self) -> &K {
        &self.key
    }

    /// The key, given back.
    pub fn into_key(self) -> K {
        self.key
    }
}

impl<K: Hash + Eq, V: Clone> Entry<'_, Memory<K, V>, K> {
    /// The live value, if there is one.
    #[must_use]
    pub fn get(&self) -> Option<V> {
        self.cache.get(&self.key)
    }

    /// The live value, or `value`, which is stored then.
    pub fn or_insert(self, value: V) -> V {
        self.or_insert_with(|| value)
    }

    /// The live value, or the one that `make` makes, which is stored then. A hit is a
    /// [`Memory::get`].
    pub fn or_insert_with(self, make: impl FnOnce() -> V) -> V {
        self.or_keep_with(Keep::new(), make)
    }

    /// The same for times of its own, or pinned.
    pub fn or_keep_with(self, keep: Keep, make: impl FnOnce() -> V) -> V {
        if let Some(value) = self.get() {
            return value;
        }
        self.cache.make(self.key, keep, make)
    }

    /// Decides on the live value and does so; see [`Memory::compute`].
    pub fn compute(self, decide: impl FnOnce(Option<&V>) -> Op<V>) -> Outcome<V> {
        self.cache.compute(self.key, decide)
    }

    /// Stores what `make` makes of the live value; see [`Memory::upsert`].
    pub fn upsert(self, make: impl FnOnce(Option<&V>) -> V) -> V {
        self.cache.upsert(self.key, make)
    }

    /// Removes the live value if `wanted` says so, and gives it.
    pub fn remove_if(self, wanted: impl FnOnce(&V) -> bool) -> Option<V> {
        self.cache.remove_if(&self.key, wanted)
    }
}

impl<C, K: fmt::Debug> fmt::Debug for Entry<'_, C, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("key", &self.key).finish_non_exhaustive()
    }
}
