//! The handle that most people hold: a memory cache that loads what it misses, once.

use std::borrow::Borrow;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{BoxError, LoadError};
use crate::load::flight::{Flight, Ticket};
use crate::memory::{Memory, Stats};

/// A memory cache with single-flight loading. Cloning gives another handle to the same cache.
///
/// It is a [`Memory`] with its bound, eviction and expiry, and a [`Flight`] in front of the
/// source. What holds on top of both:
///
/// - **One load per key**, however many tasks ask; all get its value or its error.
/// - **A load never undoes a write.** When [`insert`](Self::insert), [`update`](Self::update),
///   [`remove`](Self::remove), [`retain`](Self::retain) or [`clear`](Self::clear) is called while
///   a load runs, the load's result goes to those who waited for it and not into the cache, and
///   who asks afterwards starts a new load.
/// - **Failures are not cached**: the next call loads again.
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
    memory: Memory<K, V>,
    flight: Flight<K, V>,
}

/// A loaded value and how long to keep it; `None` is for ever.
pub(crate) struct Loaded<V> {
    pub(crate) value: V,
    pub(crate) ttl: Option<Duration>,
}

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(crate) fn from_parts(memory: Memory<K, V>, flight: Flight<K, V>) -> Self {
        Self { inner: Arc::new(Inner { memory, flight }) }
    }

    /// The value of `key` if it is there and its time is not over. Loads nothing.
    #[must_use]
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.inner.memory.get(key)
    }

    /// The same with the time that the value has left; `None` stands for "until evicted".
    #[must_use]
    pub fn get_with_ttl<Q>(&self, key: &Q) -> Option<(V, Option<Duration>)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.inner.memory.get_with_ttl(key)
    }

    /// Whether a live value is there. Neither a use nor counted as a hit or a miss.
    #[must_use]
    pub fn contains<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.inner.memory.contains(key)
    }

    /// The value of `key`; if it is not there, the one that `load` gives, kept for the default
    /// TTL. Of all who ask meanwhile, one loads.
    ///
    /// Cancel safety: dropping the future leaves the load to the other waiters; without any, the
    /// load is dropped and nothing is stored.
    ///
    /// # Errors
    ///
    /// The loader's error or panic, or too many loads; see [`LoadError`]. All who waited get it,
    /// and nothing is stored.
    pub async fn get_or_load<F, Fut, E>(&self, key: K, load: F) -> Result<V, LoadError>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.wrap(key, self.inner.memory.ttl(), load).await
    }

    /// The same with a TTL of its own: what is loaded is kept for `ttl`, `None` being until it
    /// is evicted.
    ///
    /// Cancel safety: as for [`get_or_load`](Self::get_or_load).
    ///
    /// # Errors
    ///
    /// As for [`get_or_load`](Self::get_or_load).
    pub async fn wrap<F, Fut, E>(
        &self,
        key: K,
        ttl: Option<Duration>,
        load: F,
    ) -> Result<V, LoadError>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        if let Some(value) = self.get(&key) {
            return Ok(value);
        }
        let load = move |_| async move {
            let value = load().await.map_err(LoadError::failed)?;
            Ok(Loaded { value, ttl })
        };
        self.load(key, load).await
    }

    /// Loads without looking first, and stores unless the key was written meanwhile.
    pub(crate) async fn load<F, Fut>(&self, key: K, load: F) -> Result<V, LoadError>
    where
        F: FnOnce(Ticket) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded<V>, LoadError>> + Send + 'static,
    {
        let (memory, stored) = (self.inner.memory.clone(), key.clone());
        let load = move |ticket: Ticket| async move {
            // Another load may have ended between the caller's look and this one's start.
            if let Some(value) = memory.peek(&stored) {
                return Ok(value);
            }
            let Loaded { value, ttl } = load(ticket.clone()).await?;
            // Under the lock that a removal takes too, after it has voided the ticket: either
            // the removal comes later and finds this value, or the ticket is void already.
            memory.insert_if(stored, value.clone(), ttl, || ticket.is_current());
            Ok(value)
        };
        self.inner.flight.run(key, load).await
    }

    /// Stores a value for the default TTL. Returns whether it was stored: false if it is heavier
    /// than the whole bound, or the TTL is zero. The former value is gone either way.
    pub fn insert(&self, key: K, value: V) -> bool {
        self.inner.flight.forget(&key);
        self.inner.memory.insert(key, value)
    }

    /// Stores a value for `ttl`; zero stores nothing, centuries are for ever. Returns as
    /// [`insert`](Self::insert) does.
    pub fn insert_with_ttl(&self, key: K, value: V, ttl: Duration) -> bool {
        self.inner.flight.forget(&key);
        self.inner.memory.insert_with_ttl(key, value, ttl)
    }

    /// Decides on the next value from the present one, in one step; see [`Memory::update`].
    pub fn update(&self, key: K, make: impl FnOnce(Option<&V>) -> Option<V>) -> Option<V> {
        self.inner.flight.forget(&key);
        self.inner.memory.update(key, make)
    }

    /// Removes `key` and gives its value, if it was there and its time not over. A load under
    /// way will not bring an older value back.
    pub fn remove<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.inner.flight.forget(key);
        self.inner.memory.remove(key)
    }

    /// Removes every entry that `keep` answers with false; see [`Memory::retain`]. No load under
    /// way, of any key, will be stored.
    pub fn retain(&self, keep: impl FnMut(&K, &V) -> bool) {
        self.inner.flight.forget_all();
        self.inner.memory.retain(keep);
    }

    /// Removes every entry; see [`Memory::clear`]. No load under way will be stored.
    pub fn clear(&self) {
        self.inner.flight.forget_all();
        self.inner.memory.clear();
    }

    /// Entries present, those included that have expired and were not met yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.memory.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.memory.is_empty()
    }

    /// What all entries weigh, in bytes.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.inner.memory.weight()
    }

    /// The cache's figures.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.inner.memory.stats()
    }

    /// Loads under way.
    #[must_use]
    pub fn loads(&self) -> usize {
        self.inner.flight.under_way()
    }

    /// Stores a value for `ttl`, `None` being for ever.
    pub(crate) fn insert_for(&self, key: K, value: V, ttl: Option<Duration>) -> bool {
        self.inner.flight.forget(&key);
        self.inner.memory.insert_for(key, value, ttl)
    }

    /// Stores a value if `wanted` says so under the lock that a removal of `key` takes too. Not
    /// a write: loads under way are as good as this value.
    pub(crate) fn insert_if(
        &self,
        key: K,
        value: V,
        ttl: Option<Duration>,
        wanted: impl FnOnce() -> bool,
    ) -> bool {
        self.inner.memory.insert_if(key, value, ttl, wanted)
    }

    /// How long values live by default.
    pub(crate) fn ttl(&self) -> Option<Duration> {
        self.inner.memory.ttl()
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
            .field("memory", &self.inner.memory)
            .field("flight", &self.inner.flight)
            .finish()
    }
}
