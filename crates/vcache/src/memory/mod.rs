//! The in-memory cache: bounded by weight, TTL per entry, no runtime and no thread of its own.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::Equivalent;

mod builder;
mod engine;
mod history;
mod index;
mod lanes;
mod lock;
mod meta;
mod miniature;
mod operations;
mod policy;
mod shard;
mod slab;
mod stats;
#[cfg(test)]
mod tests;
mod ticks;
mod tuner;
mod wheel;
mod writing;

pub use builder::{BuildError, MemoryBuilder};
use engine::{Engine, overhead};
pub use stats::Stats;
pub(crate) use ticks::coarse_now;

/// A concurrent cache in memory, bounded by weight at every moment.
///
/// Synchronous: every call takes a short lock on one of several shards and never waits for
/// anything else. No background thread, no runtime. Cloning gives another handle to the same
/// cache.
///
/// - **Bound.** An entry weighs what the weigher says and [`overhead`](Self::overhead) on top.
///   Room is made before a value is stored, so the sum never passes the bound. What is heavier
///   than the whole bound is refused and counted in [`Stats::refusals`]; the value it was to
///   replace is gone all the same, because it is no longer the latest. Not in the sum: the
///   spare capacity of tables that grow by doubling, and values that callers still hold.
/// - **Eviction.** A window of newcomers before a clock of the settled; by frequency or by recent
///   use, whichever hits more often on a sample of the keys. A hit changes a byte in the entry and
///   nothing else.
/// - **Expiry.** Exact when read: a value is never returned at or after its time. Expired
///   entries hold their weight until an insertion comes by, room is needed, or
///   [`sweep`](Self::sweep) is called.
/// - **Destructors and locks.** Removed keys and values are dropped after the lock is released.
///   `V::clone`, `K`'s `Eq`, and closures given to [`update`](Self::update) and
///   [`retain`](Self::retain) run under a shard's lock: they must not call back into the cache.
///
/// ```
/// use std::time::Duration;
/// use vcache::Memory;
///
/// let cache = Memory::builder()
///     .max_weight(16 << 20)
///     .ttl(Some(Duration::from_secs(60)))
///     .weigher(|key: &String, value: &String| (key.len() + value.len()) as u64)
///     .build()?;
/// cache.insert("user:7".to_owned(), "Ada".to_owned());
/// assert_eq!(cache.get("user:7").as_deref(), Some("Ada"));
/// assert_eq!(cache.stats().hits, 1);
/// # Ok::<(), vcache::BuildError>(())
/// ```
pub struct Memory<K, V> {
    engine: Arc<Engine<K, V>>,
}

impl<K, V> Memory<K, V> {
    /// Starts building a cache.
    pub fn builder() -> MemoryBuilder<K, V> {
        MemoryBuilder::new()
    }

    /// Bytes that each entry weighs on top of what the weigher says: key and value themselves
    /// (not what they point to), expiry, links and index.
    ///
    /// Without a weigher, a bound of `n * overhead()` is a bound of `n` entries.
    #[must_use]
    pub const fn overhead() -> u64 {
        overhead::<K, V>()
    }

    /// Entries present, those included that have expired and were not met yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.engine.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What all entries weigh, in bytes.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.engine.weight()
    }

    /// The cache's figures.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    fn from_engine(engine: Engine<K, V>) -> Self {
        Self { engine: Arc::new(engine) }
    }
}

impl<K: Hash + Eq, V> Memory<K, V> {
    /// The value of `key` if it is there and its time is not over.
    #[must_use]
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
        V: Clone,
    {
        self.engine.look_up::<false, _, _>(key, |value, _| value.clone())
    }

    /// The same with the time that the value has left; `None` stands for "until evicted".
    #[must_use]
    pub fn get_with_ttl<Q>(&self, key: &Q) -> Option<(V, Option<Duration>)>
    where
        Q: Hash + Equivalent<K> + ?Sized,
        V: Clone,
    {
        self.engine.look_up::<true, _, _>(key, |value, left| (value.clone(), left))
    }

    /// As [`get`](Self::get), but neither a use nor counted as a hit or a miss.
    #[must_use]
    pub fn peek<Q>(&self, key: &Q) -> Option<V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
        V: Clone,
    {
        self.engine.peek(key, V::clone)
    }

    /// Whether a live value is there. Neither a use nor counted as a hit or a miss.
    #[must_use]
    pub fn contains<Q>(&self, key: &Q) -> bool
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.engine.peek(key, |_| ()).is_some()
    }

    /// Stores a value for the cache's default TTL. Returns whether it was stored: false if it is
    /// heavier than the whole bound, or the TTL is zero. The former value is gone either way.
    pub fn insert(&self, key: K, value: V) -> bool {
        self.insert_for(key, value, self.engine.ttl)
    }

    /// Stores a value for `ttl`; zero stores nothing, centuries are for ever. Returns as
    /// [`insert`](Self::insert) does.
    pub fn insert_with_ttl(&self, key: K, value: V, ttl: Duration) -> bool {
        self.insert_for(key, value, Some(ttl))
    }

    /// Removes `key` and gives its value, if it was there and its time not over.
    pub fn remove<Q>(&self, key: &Q) -> Option<V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.engine.remove(key)
    }

    /// Sees the present value and decides on the next, in one step that no other call for `key`
    /// comes between: `Some` is stored for the default TTL, `None` removes. Returns what was
    /// made; as with [`insert`](Self::insert) it is not stored if it is too heavy.
    ///
    /// `make` runs under the shard's lock: keep it short, and do not call the cache in it. If it
    /// panics, nothing has changed.
    ///
    /// ```
    /// # let cache = vcache::Memory::<&str, u64>::builder().build()?;
    /// for _ in 0..3 {
    ///     cache.update("visits", |seen| Some(seen.copied().unwrap_or(0) + 1));
    /// }
    /// assert_eq!(cache.get("visits"), Some(3));
    /// # Ok::<(), vcache::BuildError>(())
    /// ```
    pub fn update(&self, key: K, make: impl FnOnce(Option<&V>) -> Option<V>) -> Option<V>
    where
        V: Clone,
    {
        self.engine.update(key, make)
    }

    /// Removes every entry that `keep` answers with false, shard by shard: entries inserted
    /// meanwhile may or may not be asked about. `keep` runs under a shard's lock.
    pub fn retain(&self, keep: impl FnMut(&K, &V) -> bool) {
        self.engine.retain(keep);
    }

    /// Removes every entry, shard by shard; what is inserted meanwhile may stay.
    pub fn clear(&self) {
        self.engine.retain(|_, _| false);
    }

    /// Removes every expired entry now and returns how many there were. For caches that expire
    /// much and are written little, called from time to time; it visits every entry.
    pub fn sweep(&self) -> usize {
        self.engine.retain(|_, _| true)
    }

    /// Stores a value for `ttl`, `None` being for ever.
    pub(crate) fn insert_for(&self, key: K, value: V, ttl: Option<Duration>) -> bool {
        self.engine.insert_if(key, value, ttl, || true)
    }

    /// Stores a value if `wanted` says so under the lock that a removal of `key` takes too.
    pub(crate) fn insert_if(
        &self,
        key: K,
        value: V,
        ttl: Option<Duration>,
        wanted: impl FnOnce() -> bool,
    ) -> bool {
        self.engine.insert_if(key, value, ttl, wanted)
    }

    /// How long values live by default.
    pub(crate) fn ttl(&self) -> Option<Duration> {
        self.engine.ttl
    }
}

impl<K, V> Clone for Memory<K, V> {
    fn clone(&self) -> Self {
        Self { engine: Arc::clone(&self.engine) }
    }
}

impl<K, V> fmt::Debug for Memory<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
