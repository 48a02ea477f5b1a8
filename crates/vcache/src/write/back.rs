//! Write-back: a cache in front of a writer behind, whose readers see what is pending.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use hashbrown::Equivalent;

use super::behind::{WriteBehind, WriteReport};
use super::buffer::Change;
use super::error::WriteError;
use super::worker::{Shared, WriteBehindStats};
use crate::cache::Cache;
use crate::error::{BoxError, LoadError};
use crate::load::loaded::Loaded;
use crate::shelf::Look;

/// A [`Cache`] whose values are written to the source later: a [`WriteBehind`] that its readers
/// never see behind. Cloning gives another handle to the same; one cache needs one of them.
///
/// - **What was written is seen** from then on by all who ask here, whether it has reached the
///   source or not: evicted or expired in the cache, it is taken from what is pending, and the
///   source is not asked.
/// - **What was removed is missing** from then on, whatever the source still has: loading it gives
///   [`LoadError::Absent`], and the loader is not called.
/// - **A load under way** when a key is written is not stored; those who waited for it get it.
/// - **What is given up** leaves the cache: the next reader sees what the source has.
/// - A value of its own lifetimes has those of the cache when it is taken back from what is
///   pending.
///
/// All this holds for those who ask here; what is done with the [`cache`](Self::cache) itself
/// knows nothing of what is pending. Batches, failures, bounds, the journal and the end are as for
/// [`WriteBehind`].
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use std::time::Duration;
/// use vcache::{Cache, Change, WriteBehind};
///
/// let counts = WriteBehind::builder(|batch: Vec<(u32, Change<u64>)>| async move {
///     // One statement for all of them.
///     # drop(batch);
///     Ok::<_, std::io::Error>(())
/// })
/// .build_over(Cache::builder().build()?)?;
/// counts.put(7, 1).await?;
/// let load = || async { Ok::<_, std::io::Error>(0) };
/// assert_eq!(counts.get_or_load(7, load).await?, 1);
/// assert_eq!(counts.close(Duration::from_secs(10)).await.left, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct WriteBack<K, V> {
    cache: Cache<K, V>,
    writer: WriteBehind<K, V>,
}

impl<K, V> WriteBack<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(super) fn new(cache: Cache<K, V>, writer: WriteBehind<K, V>) -> Self {
        let restored: Vec<K> = writer.shared().state().buffer.keys().cloned().collect();
        for key in restored {
            // Whatever the cache has, from a snapshot perhaps, is older.
            cache.remove(&key);
        }
        Self { cache, writer }
    }

    /// Has `key` set to `value`: now for those who ask here, later in the source.
    ///
    /// Cancel safety: a dropped future has taken the write or not.
    ///
    /// # Errors
    ///
    /// See [`WriteError`]. After [`WriteError::Journal`] the write is seen here all the same, and
    /// the source may get it.
    pub async fn put(&self, key: K, value: V) -> Result<(), WriteError> {
        self.put_loaded(key, Loaded::new(value)).await
    }

    /// The same with lifetimes and tags of its own in the cache.
    ///
    /// Cancel safety: as for [`put`](Self::put).
    ///
    /// # Errors
    ///
    /// As for [`put`](Self::put).
    pub async fn put_loaded(&self, key: K, loaded: Loaded<V>) -> Result<(), WriteError> {
        let (own, change) = (key.clone(), Change::Put(loaded.value.clone()));
        let shared = self.writer.shared();
        let placed = |version| {
            self.cache.forget(&own);
            let mut newest = false;
            // Asked under the lock that later writes of the key need for their own: theirs come
            // after this, or are seen.
            let is_newest = || {
                newest = shared.state().buffer.is_newest(&own, version);
                newest
            };
            self.cache.insert_if(own.clone(), loaded, is_newest);
            if !newest {
                // What has come since may be in the cache already, or this in the source.
                self.cache.remove(&own);
            }
        };
        self.writer.take(key, change, placed).await
    }

    /// Has `key` removed: now for those who ask here, later from the source.
    ///
    /// Cancel safety: a dropped future has taken the removal or not.
    ///
    /// # Errors
    ///
    /// As for [`put`](Self::put).
    pub async fn remove(&self, key: K) -> Result<(), WriteError> {
        let own = key.clone();
        let placed = |_| drop(self.cache.remove(&own));
        self.writer.take(key, Change::Remove, placed).await
    }

    /// The value of `key` if it is in the cache, or pending. Loads nothing.
    #[must_use]
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.cache.get(key).or_else(|| match self.writer.pending(key) {
            Some(Change::Put(value)) => Some(value),
            Some(Change::Remove) | None => None,
        })
    }

    /// The value of `key`: from the cache, from what is pending, or the one that `load` gives; see
    /// [`Cache::get_or_load`].
    ///
    /// Cancel safety: as for [`Cache::get_or_load`].
    ///
    /// # Errors
    ///
    /// As for [`Cache::get_or_load`]; [`LoadError::Absent`] while its removal is pending.
    pub async fn get_or_load<F, Fut, E>(&self, key: K, load: F) -> Result<V, LoadError>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        match self.cache.look(&key) {
            Look::Hit(value) => Ok(value),
            found => {
                let (own, shared) = (key.clone(), Arc::clone(self.writer.shared()));
                let load = move |_| async move {
                    match pending(&shared, &own) {
                        Some(known) => known.map(Loaded::new),
                        None => load().await.map(Loaded::new).map_err(LoadError::failed),
                    }
                };
                // In a box, so that a hit need not carry the room for a load.
                self.cache.follow(found, key, self.cache.loading(), load).boxed().await
            }
        }
    }

    /// The values of `keys`: from the cache, from what is pending, and the rest from one call of
    /// `load`; see [`Cache::get_many_or_load`]. Keys whose removal is pending are missing in the
    /// answer.
    ///
    /// Cancel safety: as for [`Cache::get_or_load`].
    ///
    /// # Errors
    ///
    /// As for [`Cache::get_many_or_load`].
    pub async fn get_many_or_load<F, Fut, E>(
        &self,
        keys: impl IntoIterator<Item = K>,
        load: F,
    ) -> Result<HashMap<K, V>, LoadError>
    where
        F: FnOnce(Vec<K>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<HashMap<K, V>, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let shared = Arc::clone(self.writer.shared());
        let load = move |wanted: Vec<K>| async move {
            let (mut known, mut missing) = (HashMap::new(), Vec::new());
            for key in wanted {
                match pending(&shared, &key) {
                    Some(Ok(value)) => drop(known.insert(key, value)),
                    Some(Err(_)) => {}
                    None => missing.push(key),
                }
            }
            if !missing.is_empty() {
                let asked: Vec<K> = missing.clone();
                let mut loaded = load(missing).await?;
                known.extend(asked.into_iter().filter_map(|key| loaded.remove_entry(&key)));
            }
            Ok::<_, E>(known)
        };
        self.cache.get_many_or_load(keys, load).await
    }

    /// What is still to be written for `key`.
    #[must_use]
    pub fn pending<Q>(&self, key: &Q) -> Option<Change<V>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.writer.pending(key)
    }

    /// Waits until the source has all that was written before; see [`WriteBehind::flush`].
    ///
    /// Cancel safety: when dropped, what was pending is written at once all the same.
    pub async fn flush(&self) {
        self.writer.flush().await;
    }

    /// Takes no more writes, writes what is pending, and ends; see [`WriteBehind::close`]. Reading
    /// goes on.
    ///
    /// Cancel safety: as for [`WriteBehind::close`].
    pub async fn close(&self, deadline: Duration) -> WriteReport {
        self.writer.close(deadline).await
    }

    /// The figures of the writer.
    #[must_use]
    pub fn stats(&self) -> WriteBehindStats {
        self.writer.stats()
    }

    /// The cache, which knows nothing of what is pending.
    #[must_use]
    pub const fn cache(&self) -> &Cache<K, V> {
        &self.cache
    }
}

/// What the source will have for a key, if that is pending.
fn pending<K, V>(shared: &Shared<K, V>, key: &K) -> Option<Result<V, LoadError>>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    match shared.state().buffer.get(key)?.clone() {
        Change::Put(value) => Some(Ok(value)),
        Change::Remove => Some(Err(LoadError::Absent)),
    }
}

impl<K, V> Clone for WriteBack<K, V> {
    fn clone(&self) -> Self {
        Self { cache: self.cache.clone(), writer: self.writer.clone() }
    }
}

impl<K, V> fmt::Debug for WriteBack<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteBack")
            .field("cache", &self.cache)
            .field("writer", &self.writer)
            .finish()
    }
}
