//! Caches behind one face, so that all do the same work.

use std::hash::Hash;
use std::time::Duration;

use foyer::{EvictionConfig, LfuConfig, S3FifoConfig};
use vcache::Memory;

use crate::asked::Asked;

/// What is asked of a cache.
pub trait Cache<K, V>: Send + Sync {
    /// The value of a key, cloned.
    fn get(&self, key: &K) -> Option<V>;
    /// Stores a value.
    fn insert(&self, key: K, value: V);
    /// Does what the cache puts off, so that it stands at its bound.
    fn settle(&self) {}
    /// Entries present.
    fn len(&self) -> u64;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A boxed contender.
pub type Contender<K, V> = Box<dyn Cache<K, V>>;

/// What a key must be able to do for all contenders.
pub trait Key: Hash + Eq + Send + Sync + Clone + 'static {}
impl<K: Hash + Eq + Send + Sync + Clone + 'static> Key for K {}

/// What a value must be able to do for all contenders.
pub trait Value: Clone + Send + Sync + 'static {}
impl<V: Clone + Send + Sync + 'static> Value for V {}

impl<K: Key, V: Value> Cache<K, V> for Memory<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        Self::get(self, key)
    }
    fn insert(&self, key: K, value: V) {
        Self::insert(self, key, value);
    }
    fn len(&self) -> u64 {
        Self::len(self) as u64
    }
}

impl<K: Key, V: Value> Cache<K, V> for quick_cache::sync::Cache<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        Self::get(self, key)
    }
    fn insert(&self, key: K, value: V) {
        Self::insert(self, key, value);
    }
    fn len(&self) -> u64 {
        Self::len(self) as u64
    }
}

impl<K: Key, V: Value> Cache<K, V> for moka::sync::Cache<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        Self::get(self, key)
    }
    fn insert(&self, key: K, value: V) {
        Self::insert(self, key, value);
    }
    fn settle(&self) {
        self.run_pending_tasks();
    }
    fn len(&self) -> u64 {
        self.run_pending_tasks();
        self.entry_count()
    }
}

impl<K: Key, V: Value> Cache<K, V> for foyer::Cache<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        Self::get(self, key).map(|entry| entry.value().clone())
    }
    fn insert(&self, key: K, value: V) {
        Self::insert(self, key, value);
    }
    fn len(&self) -> u64 {
        self.entries() as u64
    }
}

/// Ours, for so many entries.
///
/// # Panics
///
/// Never: the bound is above one entry's weight.
#[must_use]
pub fn verve<K: Key, V: Value>(entries: usize, ttl: Option<Duration>) -> Memory<K, V> {
    let bound = entries as u64 * Memory::<K, V>::overhead();
    #[expect(clippy::expect_used, reason = "a harness, and the bound is above one entry")]
    Memory::builder().max_weight(bound).ttl(ttl).build().expect("a bound for one entry")
}

fn foyer<K: Key, V: Value>(entries: usize, policy: impl Into<EvictionConfig>) -> Contender<K, V> {
    let cache: foyer::Cache<K, V> =
        foyer::CacheBuilder::new(entries).with_eviction_config(policy).build();
    Box::new(cache)
}

/// The contenders by name, each with room for so many entries.
#[must_use]
pub fn contender<K: Key, V: Value>(name: &str, entries: usize) -> Option<Contender<K, V>> {
    let hour = Duration::from_secs(3600);
    Some(match name {
        "verve" => Box::new(verve::<K, V>(entries, None)),
        "verve, TTL" => Box::new(verve::<K, V>(entries, Some(hour))),
        "quick_cache" => Box::new(quick_cache::sync::Cache::<K, V>::new(entries)),
        "moka" => Box::new(moka::sync::Cache::<K, V>::new(entries as u64)),
        "moka, TTL" => {
            let builder = moka::sync::Cache::<K, V>::builder();
            Box::new(builder.max_capacity(entries as u64).time_to_live(hour).build())
        }
        "foyer S3-FIFO" => foyer(entries, S3FifoConfig::default()),
        "foyer LFU" => foyer(entries, LfuConfig::default()),
        _ => return None,
    })
}

/// Those of the names that take part, each with room for so many entries.
///
/// # Panics
///
/// On a name that [`contender`] does not know.
#[must_use]
pub fn contenders<K: Key, V: Value>(
    asked: &Asked,
    names: &[&'static str],
    entries: usize,
) -> Vec<(&'static str, Contender<K, V>)> {
    #[expect(clippy::expect_used, reason = "a harness: the names stand in its own tables")]
    let make = |name| (name, contender(name, entries).expect("a known name"));
    names.iter().copied().filter(|name| asked.contender(name)).map(make).collect()
}

/// The share of accesses (%) that hit; what is missing is stored.
pub fn hit_ratio(cache: &dyn Cache<u32, ()>, keys: &[u32]) -> f64 {
    let mut hits = 0_u64;
    for key in keys {
        if cache.get(key).is_some() {
            hits += 1;
        } else {
            cache.insert(*key, ());
            cache.settle();
        }
    }
    100.0 * hits as f64 / keys.len() as f64
}
