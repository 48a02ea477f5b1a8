//! A typed cache of two tiers: memory in front of a store that others share.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::cache::Cache;
use crate::error::{BoxError, LoadError};
use crate::load::flight::{Flight, Ticket};
use crate::load::loaded::Loaded;
use crate::memory::Stats;
use crate::store::codec::{Codec, Raw};
use crate::store::{ScanStore, Store, StoreError, Stored};

mod builder;
#[cfg(feature = "tokio")]
mod fleet;
mod lead;
mod second;

pub use builder::TieredBuilder;
#[cfg(feature = "tokio")]
pub use fleet::Fleet;
use lead::Lead;
use second::Second;

/// Memory in front of a [`Store`] that others share: look in memory, then in the store, then
/// load. Cloning gives another handle to the same cache.
///
/// - **Promotion.** What is found in the store is kept in memory for the smaller of memory's TTL
///   and the time it has left in the store.
/// - **Write-through.** What is inserted or loaded goes to both. The store keeps it for the TTL
///   given, or its own default.
/// - **One flight** over both tiers: however many ask for a key, one asks the store and one
///   loads.
/// - **One load for a fleet.** With [`TieredBuilder::fleet`], processes that share the store load a
///   missing key once for all of them.
/// - **The store may be away.** Reads that fail or bring bytes that are no value count as misses,
///   and after a failure that time may heal the store is left alone for a pause, so that not
///   every miss waits for its timeout. [`insert`](Self::insert) and [`remove`](Self::remove)
///   always try and tell the result: a removal that did not reach the store is not one.
/// - **Other processes** keep what they have in their memories until its TTL there is over: give
///   memory a TTL no longer than what may be seen outdated.
/// - **A load and a removal.** As in [`Cache`], a load under way is not stored after its key was
///   removed in this process. Two processes can still race: one may put what it loaded before
///   the other's removal into the store after it. The store's TTL bounds how long that is seen.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use vcache::{MemoryStore, Raw, Tiered};
///
/// // In production the store would be a `RedisStore`.
/// let shared = MemoryStore::new(MemoryStore::sized(16 << 20).build()?);
/// let pages = Tiered::<String, _, _>::builder(shared, Raw).build()?;
/// let page = pages
///     .get_or_load("/", || async { Ok::<_, std::io::Error>("<html>".to_owned()) })
///     .await?;
/// assert_eq!(page, "<html>");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct Tiered<V, S, C = Raw> {
    first: Cache<Arc<str>, V>,
    /// Reads of the store without a loader, shared like loads.
    reads: Reads<V>,
    second: Arc<Second<S, C>>,
}

/// A value and the time it has left.
type Timed<V> = (V, Option<Duration>);

/// Reads of the store, shared by all who ask for the same key meanwhile.
type Reads<V> = Flight<Arc<str>, Option<Timed<V>>>;

impl<V, S, C> Tiered<V, S, C>
where
    V: Clone + Send + Sync + 'static,
    S: Store,
    C: Codec<V>,
{
    /// Starts building a cache in front of `store`, whose bytes `codec` makes and reads.
    pub fn builder(store: S, codec: C) -> TieredBuilder<V, S, C> {
        TieredBuilder::new(store, codec)
    }

    fn from_parts(first: Cache<Arc<str>, V>, reads: Reads<V>, second: Second<S, C>) -> Self {
        Self { first, reads, second: Arc::new(second) }
    }

    /// The value of `key` from memory or else from the store. Loads nothing and never fails: a
    /// store that is away has nothing.
    ///
    /// Cancel safety: dropping the future leaves the read to others who wait for it.
    pub async fn get(&self, key: &str) -> Option<V> {
        match self.first.get(key) {
            Some(value) => Some(value),
            None => self.read(key).await.map(|(value, _)| value),
        }
    }

    /// What the store has, kept in memory from now on.
    async fn read(&self, key: &str) -> Option<Timed<V>> {
        let key: Arc<str> = Arc::from(key);
        let (first, second) = (self.first.clone(), Arc::clone(&self.second));
        let wanted = Arc::clone(&key);
        let read = move |ticket: Ticket| async move {
            let Some((value, left)) = second.read(&wanted).await else {
                return Ok(None);
            };
            let ttl = shorter(left, first.ttl());
            first.insert_if(wanted, timed(value.clone(), ttl), || ticket.is_current());
            Ok(Some((value, left)))
        };
        // Only a panicking codec and too many reads at once can fail here.
        self.reads.run(key, read).await.ok().flatten()
    }

    /// The value of `key` from memory, from the store, or from `load`, which is then stored in
    /// both with their default TTLs. Of all who ask meanwhile, one looks and loads.
    ///
    /// Cancel safety: dropping the future leaves the load to the other waiters; without any, it
    /// is dropped, and the value may have reached the store or not.
    ///
    /// # Errors
    ///
    /// The loader's error or panic, or too many loads; never the store's.
    pub async fn get_or_load<F, Fut, E>(&self, key: &str, load: F) -> Result<V, LoadError>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.fetch(key, None, load).await
    }

    /// The same with a TTL of its own for what is loaded, in the store as in memory (there no
    /// longer than memory's default). Zero keeps nothing.
    ///
    /// Cancel safety: as for [`get_or_load`](Self::get_or_load).
    ///
    /// # Errors
    ///
    /// As for [`get_or_load`](Self::get_or_load).
    pub async fn wrap<F, Fut, E>(&self, key: &str, ttl: Duration, load: F) -> Result<V, LoadError>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.fetch(key, Some(ttl), load).await
    }

    async fn fetch<F, Fut, E>(
        &self,
        key: &str,
        ttl: Option<Duration>,
        load: F,
    ) -> Result<V, LoadError>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        if let Some(value) = self.first.get(key) {
            return Ok(value);
        }
        let key: Arc<str> = Arc::from(key);
        let (second, wanted, most) = (Arc::clone(&self.second), Arc::clone(&key), self.first.ttl());
        let load = move |ticket: Ticket| async move {
            if let Some((value, left)) = second.read(&wanted).await {
                return Ok(timed(value, shorter(left, most)));
            }
            let lead = second.lead(&wanted).await;
            if let Lead::Found(value, left) = lead {
                return Ok(timed(value, shorter(left, most)));
            }
            let loaded = second.led(&lead, load()).await.map_err(LoadError::failed);
            let kept = loaded.as_ref().ok().filter(|_| ticket.is_current());
            second.end(lead, &wanted, kept, ttl).await;
            Ok(timed(loaded?, shorter(ttl, most)))
        };
        self.first.load(key, load).await
    }

    /// Stores a value in memory and in the store, for `ttl` or their default TTLs.
    ///
    /// Cancel safety: a dropped future has stored in memory if it was polled, in the store
    /// perhaps.
    ///
    /// # Errors
    ///
    /// When the store may not have taken it. Memory has it all the same; others may see the
    /// former value until its time in the store is over.
    pub async fn insert(
        &self,
        key: &str,
        value: V,
        ttl: Option<Duration>,
    ) -> Result<(), StoreError> {
        let bytes = self.second.codec.encode(&value);
        self.reads.forget(key);
        let most = self.first.ttl();
        self.first.insert_loaded(key.into(), timed(value, shorter(ttl, most)));
        let bytes = bytes.map_err(StoreError::Encode)?;
        let set = self.second.store.set(key, bytes, ttl).await;
        self.second.noted(set)
    }

    /// Removes `key` from memory and from the store; whether it was in either. A load under way
    /// will not bring an older value back.
    ///
    /// Cancel safety: a dropped future has removed from memory if it was polled, from the store
    /// perhaps.
    ///
    /// # Errors
    ///
    /// When the value may still be in the store. Try again, or it comes back.
    pub async fn remove(&self, key: &str) -> Result<bool, StoreError> {
        self.reads.forget(key);
        let here = self.first.remove(key).is_some();
        let there = self.second.store.delete(key).await;
        // A read that began before the deletion may have brought it back.
        self.reads.forget(key);
        let here = self.first.remove(key).is_some() || here;
        Ok(self.second.noted(there)? || here)
    }

    /// Removes everything from memory and from the store.
    ///
    /// Cancel safety: a dropped future has cleared memory if it was polled, and part of the
    /// store.
    ///
    /// # Errors
    ///
    /// When some of it may still be in the store.
    pub async fn clear(&self) -> Result<(), StoreError> {
        self.reads.forget_all();
        self.first.clear();
        let cleared = self.second.store.clear().await;
        self.reads.forget_all();
        self.first.clear();
        self.second.noted(cleared)
    }

    /// The figures of the memory tier.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.first.stats()
    }

    /// The store behind.
    #[must_use]
    pub fn store(&self) -> &S {
        &self.second.store
    }
}

/// A value for the first tier, kept there for `ttl`, `None` being its default.
const fn timed<V>(value: V, ttl: Option<Duration>) -> Loaded<V> {
    let mut loaded = Loaded::new(value);
    loaded.ttl = ttl;
    loaded
}

/// The shorter of two times, `None` being for ever.
fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Both tiers as one store of bytes. Reads fail open: a second tier that is away has nothing.
impl<S: Store> Store for Tiered<Bytes, S, Raw> {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        if let Some((value, left)) = self.first.get_with_ttl(key) {
            return Ok(Some(Stored { value, left }));
        }
        let read = self.read(key).await;
        Ok(read.map(|(value, left)| Stored { value, left }))
    }

    async fn set(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<(), StoreError> {
        self.insert(key, value, ttl).await
    }

    async fn delete(&self, key: &str) -> Result<bool, StoreError> {
        self.remove(key).await
    }

    async fn clear(&self) -> Result<(), StoreError> {
        Self::clear(self).await
    }

    async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        if self.first.contains(key) {
            return Ok(true);
        }
        Ok(self.second.exists(key).await)
    }
}

/// What the store behind has: what is in memory is there too, unless the store did not take it.
impl<S: ScanStore> ScanStore for Tiered<Bytes, S, Raw> {
    async fn scan(&self, prefix: &str, most: usize) -> Result<Vec<String>, StoreError> {
        self.second.noted(self.second.store.scan(prefix, most).await)
    }

    async fn count(&self) -> Result<u64, StoreError> {
        self.second.noted(self.second.store.count().await)
    }
}

impl<V, S, C> Clone for Tiered<V, S, C> {
    fn clone(&self) -> Self {
        Self {
            first: self.first.clone(),
            reads: self.reads.clone(),
            second: Arc::clone(&self.second),
        }
    }
}

impl<V, S: fmt::Debug, C> fmt::Debug for Tiered<V, S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tiered")
            .field("first", &self.first)
            .field("store", &self.second.store)
            .finish_non_exhaustive()
    }
}
