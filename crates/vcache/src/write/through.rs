//! Write-through: the source first, then the cache.

use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dashmap::DashMap;

use crate::cache::Cache;
use crate::load::loaded::Loaded;

/// Writes to the source and then to a [`Cache`], so that the cache never has what the source has
/// not. Cloning gives another handle to the same; one cache needs one of them.
///
/// - **A write that fails**, panics or is dropped leaves nothing in the cache: nobody knows what
///   the source has now, and the next reader loads it.
/// - **Writes of one key at once** reach the source in an order that only the source knows, so
///   none of them stays in the cache; the next reader loads.
/// - **A load under way** when a write begins or ends is not stored.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use vcache::{Cache, WriteThrough};
///
/// let users = Cache::<u64, String>::builder().build()?;
/// let writer = WriteThrough::new(users.clone());
/// writer
///     .write(7, "Ada".to_owned(), |_id, _name| async { Ok::<_, std::io::Error>(()) })
///     .await?;
/// assert_eq!(users.get(&7).as_deref(), Some("Ada"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct WriteThrough<K: Hash + Eq, V> {
    cache: Cache<K, V>,
    writing: Arc<Writing<K>>,
}

type Writing<K> = DashMap<K, Writers, foldhash::fast::RandomState>;

/// Writes of one key that are under way.
struct Writers {
    count: usize,
    /// Whether two met.
    contested: Arc<AtomicBool>,
}

impl<K, V> WriteThrough<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Writes through to `cache`.
    #[must_use]
    pub fn new(cache: Cache<K, V>) -> Self {
        Self { cache, writing: Arc::default() }
    }

    /// Calls `write`, and stores the value for the cache's default TTL if it succeeds.
    ///
    /// Cancel safety: a dropped future leaves nothing in the cache; the source has the value
    /// perhaps.
    ///
    /// # Errors
    ///
    /// What `write` fails with; the cache has nothing for `key` then.
    pub async fn write<F, Fut, E>(&self, key: K, value: V, write: F) -> Result<(), E>
    where
        F: FnOnce(K, V) -> Fut,
        Fut: Future<Output = Result<(), E>>,
    {
        let mut turn = Turn::begin(&self.cache, &self.writing, key);
        write(turn.key.clone(), value.clone()).await?;
        turn.value = Some(value);
        Ok(())
    }

    /// Calls `remove`, which takes the value from the source; it is gone from the cache before,
    /// and again after.
    ///
    /// Cancel safety: as for [`write`](Self::write).
    ///
    /// # Errors
    ///
    /// What `remove` fails with.
    pub async fn remove<F, Fut, E>(&self, key: K, remove: F) -> Result<(), E>
    where
        F: FnOnce(K) -> Fut,
        Fut: Future<Output = Result<(), E>>,
    {
        let turn = Turn::begin(&self.cache, &self.writing, key);
        remove(turn.key.clone()).await
    }

    /// The cache.
    #[must_use]
    pub const fn cache(&self) -> &Cache<K, V> {
        &self.cache
    }
}

/// One write under way; when dropped it leaves the cache as it must be.
struct Turn<'a, K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    cache: &'a Cache<K, V>,
    key: K,
    /// What the source has taken.
    value: Option<V>,
    contested: Arc<AtomicBool>,
    /// Left after all else.
    _place: Place<'a, K>,
}

/// One of the writes of a key, until it is dropped.
struct Place<'a, K: Hash + Eq> {
    writing: &'a Writing<K>,
    key: K,
}

impl<'a, K, V> Turn<'a, K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn begin(cache: &'a Cache<K, V>, writing: &'a Writing<K>, key: K) -> Self {
        let contested = join(writing, &key);
        let place = Place { writing, key: key.clone() };
        cache.remove(&key);
        Self { cache, key, value: None, contested, _place: place }
    }
}

/// Counts one more write of `key`; whether it and another meet, now or later.
fn join<K: Hash + Eq + Clone>(writing: &Writing<K>, key: &K) -> Arc<AtomicBool> {
    let new = || Writers { count: 0, contested: Arc::default() };
    let mut writers = writing.entry(key.clone()).or_insert_with(new);
    writers.count += 1;
    if writers.count > 1 {
        writers.contested.store(true, Ordering::Release);
    }
    Arc::clone(&writers.contested)
}

impl<K, V> Drop for Turn<'_, K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn drop(&mut self) {
        // Under no lock of ours: listeners and destructors may write the same key. Whoever begins
        // to marks this write as contested first and then removes the key, under the lock of the
        // cache that `alone` is asked under: so either `alone` says no, or the removal comes later.
        let alone = || !self.contested.load(Ordering::Acquire);
        let Some(value) = self.value.take() else {
            self.cache.remove(&self.key);
            return;
        };
        self.cache.forget(&self.key);
        self.cache.insert_if(self.key.clone(), Loaded::new(value), alone);
        if !alone() {
            self.cache.remove(&self.key);
        }
    }
}

impl<K: Hash + Eq> Drop for Place<'_, K> {
    fn drop(&mut self) {
        let gone = self.writing.remove_if_mut(&self.key, |_, writers| {
            writers.count -= 1;
            writers.count == 0
        });
        drop(gone);
    }
}

impl<K: Hash + Eq, V> Clone for WriteThrough<K, V> {
    fn clone(&self) -> Self {
        Self { cache: self.cache.clone(), writing: Arc::clone(&self.writing) }
    }
}

impl<K: Hash + Eq, V> fmt::Debug for WriteThrough<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteThrough")
            .field("cache", &self.cache)
            .field("writing", &self.writing.len())
            .finish()
    }
}
