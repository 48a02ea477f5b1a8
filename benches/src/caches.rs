//! Caches behind one face, so that all do the same work.

use std::hash::Hash;
use std::time::Duration;

use vcache::Memory;

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
        _ => return None,
    })
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
