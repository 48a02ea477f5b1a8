//! The handle that most people hold: a memory cache that loads what it misses, once.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::Equivalent;

use crate::cause::Cause;
use crate::config::{Config, Loading};
use crate::load::account::LoadStats;
use crate::load::flight::Flight;
use crate::load::limits::Limits;
use crate::load::loaded::Loaded;
use crate::load::refresh::Refreshes;
use crate::memory::{Curve, Stats};
use crate::shelf::{Birth, Shelf};
use crate::terms::Held;

mod asking;
mod blocking;
mod invalidate;
mod load;
mod many;
#[cfg(feature = "snapshot")]
mod snapshot;
mod step;

/// A memory cache with single-flight loading. Cloning gives another handle to the same cache.
///
/// It is a [`Memory`](crate::Memory) with its bound, eviction and expiry, and a [`Flight`] in front of the
/// source. What holds on top of both:
///
/// - **One load per key**, however many tasks ask; all get its value or its error.
/// - **A load never undoes a write.** When [`insert`](Self::insert), [`update`](Self::update),
///   [`remove`](Self::remove), [`remove_prefix`](Self::remove_prefix),
///   [`invalidate_tag`](Self::invalidate_tag), [`retain`](Self::retain) or
///   [`clear`](Self::clear) is called while a load runs, the load's result goes to those who
///   waited for it and not into the cache (with a tag: is outdated there), and who asks
///   afterwards starts a new load.
/// - **Failures are not cached**, unless [`Loading::negative_ttl`] says so: the next call loads
///   again.
/// - **Stale values** are returned only where [`Loading`] or the value itself allows it, and only
///   by methods that load. [`get`](Self::get) returns what is fresh and nothing else.
/// - **Refreshes** that run in the background belong to the cache: they end with its last handle.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use vcache::Cache;
///
/// let users = Cache::<u64, String>::builder().build()?;
/// let name = users
///     .get_or_load(7, || async { Ok::<_, std::io::Error>("Ada".to_owned()) })
///     .await?;
/// assert_eq!(name, "Ada");
/// assert_eq!(users.get(&7).as_deref(), Some("Ada"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct Cache<K, V> {
    inner: Arc<Inner<K, V>>,
}

struct Inner<K, V> {
    shelf: Arc<Shelf<K, V>>,
    flight: Flight<K, Held<V>>,
    limits: Arc<Limits>,
    loading: Loading,
    /// Ends with the cache.
    refreshes: Refreshes,
}

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(crate) fn from_parts(shelf: Shelf<K, V>, config: &Config) -> Self {
        let flight = Flight::counted(config.max_loads, Arc::clone(&shelf.account));
        let inner = Inner {
            shelf: Arc::new(shelf),
            flight,
            limits: Arc::new(Limits::new(config)),
            loading: config.loading,
            refreshes: Refreshes::new(config),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The value of `key` if it is there and its time is not over. Loads nothing.
    #[must_use]
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.inner.shelf.get(key)
    }

    /// The same with the time that the value has left; `None` stands for "until evicted".
    #[must_use]
    pub fn get_with_ttl<Q>(&self, key: &Q) -> Option<(V, Option<Duration>)>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.inner.shelf.get_with_ttl(key)
    }

    /// The value of `key` if it is there and its time is not over. Neither a use nor counted as a
    /// hit or a miss.
    #[must_use]
    pub fn peek<Q>(&self, key: &Q) -> Option<V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let shelf = &self.inner.shelf;
        let held = shelf.memory.peek(key)?;
        held.terms.is_none_or(|terms| shelf.is_fresh(&terms)).then_some(held.value)
    }

    /// Whether a live value is there. Neither a use nor counted as a hit or a miss.
    #[must_use]
    pub fn contains<Q>(&self, key: &Q) -> bool
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.peek(key).is_some()
    }

    /// Stores a value for the default TTL. Returns whether it was stored: false if it is heavier
    /// than the whole bound, or the TTL is zero. The former value is gone either way.
    pub fn insert(&self, key: K, value: V) -> bool {
        self.insert_loaded(key, Loaded::new(value))
    }

    /// Stores a value for `ttl`; zero stores nothing, centuries are for ever. Returns as
    /// [`insert`](Self::insert) does.
    pub fn insert_with_ttl(&self, key: K, value: V, ttl: Duration) -> bool {
        self.insert_loaded(key, Loaded::new(value).ttl(ttl))
    }

    /// Stores a value with its own lifetimes and tags. Returns as [`insert`](Self::insert) does.
    pub fn insert_loaded(&self, key: K, loaded: Loaded<V>) -> bool {
        self.forget(&key);
        self.inner.shelf.store(key, loaded, &self.inner.loading)
    }

    /// Entries present, those included that have expired and were not met yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.shelf.memory.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.shelf.memory.is_empty()
    }

    /// What all entries weigh, in bytes.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.inner.shelf.memory.weight()
    }

    /// The cache's figures.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = self.inner.shelf.memory.stats();
        // The memory found them, but nobody got them.
        let outdated = self.load_stats().outdated;
        stats.hits = stats.hits.saturating_sub(outdated);
        stats.misses = stats.misses.saturating_add(outdated);
        stats
    }

    /// How often a cache of another size would hit, if
    /// [`Config::curve_keys`] says to watch that and the cache was ever asked.
    #[must_use]
    pub fn curve(&self) -> Option<Curve> {
        self.inner.shelf.memory.curve()
    }

    /// What became of the loads.
    #[must_use]
    pub fn load_stats(&self) -> LoadStats {
        self.inner.shelf.account.stats()
    }

    /// Loads under way, those that wait for their turn included.
    #[must_use]
    pub fn loads(&self) -> usize {
        self.inner.flight.under_way()
    }

    /// Removes what can no longer be returned and returns how many entries that were: those
    /// whose time is over and those whose tags were invalidated. It visits every entry; for
    /// caches of which much expires and little is written.
    pub fn sweep(&self) -> usize {
        let shelf = &self.inner.shelf;
        shelf.memory.retain_as(|_, held| {
            let holds = held.terms.as_ref().is_none_or(|terms| shelf.holds(terms));
            (!holds).then_some(Cause::Tag)
        })
    }

    /// Stores a value if `wanted` says so under the lock that a removal of `key` takes too.
    pub(crate) fn insert_if(&self, key: K, loaded: Loaded<V>, wanted: impl FnOnce() -> bool) {
        let (shelf, loading) = (&self.inner.shelf, &self.inner.loading);
        let birth = Birth { epoch: shelf.tags.epoch(), load_time: Duration::ZERO };
        shelf.keep(key, loaded, loading, birth, wanted);
    }

    /// Forgets the load of a key and its failure.
    pub(crate) fn forget<Q>(&self, key: &Q)
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.inner.flight.forget(key);
        self.inner.shelf.forgive(key);
    }

    /// How values are loaded.
    pub(crate) fn loading(&self) -> Loading {
        self.inner.loading
    }

    /// How long values live by default.
    pub(crate) fn ttl(&self) -> Option<Duration> {
        self.inner.shelf.memory.ttl()
    }
}

impl<K, V> Clone for Cache<K, V> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<K, V> fmt::Debug for Cache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("memory", &self.inner.shelf.memory)
            .field("flight", &self.inner.flight)
            .finish()
    }
}
