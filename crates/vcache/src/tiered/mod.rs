//! A typed cache of several tiers: memory in front of a store that others share.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use futures_util::FutureExt;

use crate::cache::Cache;
use crate::coherence::Invalidation;
#[cfg(feature = "redis")]
use crate::coherence::link::{CoherenceStats, Link};
use crate::load::account::LoadStats;
use crate::load::flight::Ticket;
use crate::load::many::Wanted;
use crate::memory::Stats;
use crate::store::codec::{Codec, Raw};
use crate::store::{Store, StoreError};

mod as_store;
mod below;
mod breaker;
mod builder;
mod chain;
mod chained;
pub(crate) mod error;
#[cfg(feature = "tokio")]
mod fleet;
mod lead;
mod lifetime;
mod load;
pub(crate) mod near;
mod parts;
mod tags;
mod tier;
mod voids;
mod write;
mod writing;

use below::{Below, Found};
pub use breaker::{BreakerConfig, BreakerState};
pub use builder::TieredBuilder;
pub use chain::{Chain, WritePolicy};
pub use error::TieredBuildError;
#[cfg(feature = "tokio")]
pub use fleet::Fleet;
use near::{Memories, Near, Reads};
use parts::Parts;
pub use tier::{Tier, TierConfig, TierStats};

/// Memory in front of a [`Store`] that others share: look in memory, then in the store, then
/// load. More tiers are a [`Chain`] of stores. Cloning gives another handle to the same cache.
///
/// - **Promotion.** What is found in the store is kept in memory for the smaller of memory's TTL
///   and the time it has left in the store.
/// - **Write-through.** What is inserted or loaded goes to both. The store keeps it for the TTL
///   given, or its own default. [`WritePolicy::Around`] leaves memory out.
/// - **One flight** over all tiers: however many ask for a key, one asks the store and one
///   loads. Of many keys ([`get_many`](Self::get_many),
///   [`get_many_or_load`](Self::get_many_or_load)) each tier is asked once, for what is missing.
/// - **One load for a fleet.** With `TieredBuilder::fleet` (feature `tokio`), processes that share
///   the store load a missing key once for all of them.
/// - **Stale values, failures, early refreshes** are as [`Loading`](crate::Loading) says, and
///   memory's: the store has what is fresh.
/// - **The store may be away.** Reads that fail or bring bytes that are no value count as misses;
///   after some failures in a row the store is left alone for a pause ([`Tier`]).
///   [`remove`](Self::remove) always tries and tells the result: a removal that did not reach the
///   store is not one.
/// - **Other processes** keep what they have in their memories until its TTL there is over: give
///   memory a TTL no longer than what may be seen outdated; or make the memories coherent (feature
///   `redis`, `TieredBuilder::coherent`).
/// - **A load and a removal.** A load under way is kept in neither tier after its key was written
///   or removed in this process. Two processes can still race: one may put what it loaded before
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
    /// Both, as those drop from them who hear of changes.
    memories: Arc<Memories<V>>,
    below: Arc<Below<S, C>>,
    near: Arc<Near>,
    policy: WritePolicy,
    /// Tells others and hears from them; ends with the last handle.
    #[cfg(feature = "redis")]
    link: Option<Arc<Link>>,
}

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

    /// The value of `key`, if memory has it. Asks nobody else, and so needs no `await`.
    #[must_use]
    #[inline]
    pub fn get_near(&self, key: &str) -> Option<V> {
        if self.near.is_usable() { self.first.get(key) } else { None }
    }

    /// The value of `key` from memory or else from the store. Loads nothing and never fails: a
    /// store that is away has nothing. A hit in memory allocates nothing.
    ///
    /// Cancel safety: dropping the future leaves the read to others who wait for it.
    pub async fn get(&self, key: &str) -> Option<V> {
        match self.get_near(key) {
            Some(value) => Some(value),
            // In a box, so that a hit need not carry the room for a read.
            None => self.read(key).boxed().await.map(|found| found.value),
        }
    }

    /// The values of `keys` that memory has, or else the store, which is asked once for all that
    /// memory has not. Loads nothing and never fails.
    ///
    /// Cancel safety: as for [`get`](Self::get).
    pub async fn get_many<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k str>,
    ) -> HashMap<&'k str, V> {
        let (mut found, missing) = self.split(keys);
        if !missing.is_empty() {
            let read = self.read_many(&missing).boxed().await;
            let named = |key: &'k str| read.get(key).map(|found| (key, found.value.clone()));
            found.extend(missing.into_iter().filter_map(named));
        }
        found
    }

    /// What memory has, and each of the other keys once.
    fn split<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k str>,
    ) -> (HashMap<&'k str, V>, Vec<&'k str>) {
        let keys: HashSet<&str> = keys.into_iter().collect();
        let (mut found, mut missing) = (HashMap::with_capacity(keys.len()), Vec::new());
        for key in keys {
            match self.get_near(key) {
                Some(value) => drop(found.insert(key, value)),
                None => missing.push(key),
            }
        }
        (found, missing)
    }

    /// What the store has, kept in memory from now on.
    async fn read(&self, key: &str) -> Option<Found<V>> {
        self.near.settle();
        let key: Arc<str> = Arc::from(key);
        let (first, this, wanted) = (self.first.clone(), self.parts(), Arc::clone(&key));
        let read = move |ticket: Ticket| async move {
            // A write or another read may have ended between the caller's look and this start.
            if first.contains(&*wanted)
                && let Some((value, left)) = first.get_with_ttl(&*wanted)
            {
                return Ok(Some(Found { value, left, tags: Vec::new() }));
            }
            let found = this.below.read(&wanted).await;
            if let Some(found) = &found {
                promote(&first, &this.near, wanted, found.clone(), &ticket);
            }
            Ok(found)
        };
        // Only a panicking codec and too many reads at once can fail here.
        self.reads.run(key, read).await.ok().flatten()
    }

    async fn read_many(&self, keys: &[&str]) -> HashMap<Arc<str>, Found<V>> {
        self.near.settle();
        let (first, this) = (self.first.clone(), self.parts());
        let read = move |wanted: Wanted<Arc<str>>| async move {
            let names: Vec<&str> = wanted.iter().map(|(key, _)| &**key).collect();
            let mut read = this.below.read_many(&names).await.into_iter();
            let mut brought = HashMap::with_capacity(wanted.len());
            for (key, ticket) in wanted {
                let found = read.next().flatten();
                if let Some(found) = &found {
                    promote(&first, &this.near, Arc::clone(&key), found.clone(), &ticket);
                }
                brought.insert(key, found);
            }
            Ok(brought)
        };
        let keys = keys.iter().map(|key| Arc::from(*key)).collect();
        let read = self.reads.run_many(keys, read, None).await.unwrap_or_default();
        read.into_iter().filter_map(|(key, found)| Some((key, found?))).collect()
    }

    fn parts(&self) -> Parts<S, C> {
        Parts {
            below: Arc::clone(&self.below),
            near: Arc::clone(&self.near),
            most: self.first.ttl(),
        }
    }

    /// The figures of the memory tier.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.first.stats()
    }

    /// What became of the loads.
    #[must_use]
    pub fn load_stats(&self) -> LoadStats {
        self.first.load_stats()
    }

    /// The figures of the store behind memory. Those of a [`Chain`]'s tiers have their own handles.
    #[must_use]
    pub fn store_stats(&self) -> TierStats {
        self.below.tier.stats()
    }

    /// The store behind.
    #[must_use]
    pub fn store(&self) -> &S {
        self.below.tier.store()
    }
}

impl<V, S, C> Tiered<V, S, C> {
    /// How this process hears of the changes that others make; `None` if it was not asked to.
    #[cfg(feature = "redis")]
    #[must_use]
    pub fn coherence(&self) -> Option<CoherenceStats> {
        self.link.as_ref().map(|link| link.stats())
    }

    /// Tells the other processes, if that is for this one to do.
    #[cfg(feature = "redis")]
    async fn announce(&self, what: Invalidation<'_>) -> Result<(), StoreError> {
        match &self.link {
            Some(link) => link.announce(what).await,
            None => Ok(()),
        }
    }

    #[cfg(not(feature = "redis"))]
    #[expect(clippy::unused_async, reason = "a twin of a method that awaits")]
    async fn announce(&self, _what: Invalidation<'_>) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Keeps in memory what the store had, unless it was written or invalidated meanwhile.
fn promote<V: Clone + Send + Sync + 'static>(
    first: &Cache<Arc<str>, V>,
    near: &Near,
    key: Arc<str>,
    found: Found<V>,
    ticket: &Ticket,
) {
    let loaded = near.capped(found.kept(first.ttl()));
    let unwritten = {
        let key = Arc::clone(&key);
        move || !near.writing.has(&key)
    };
    first.insert_if(key, loaded, || ticket.is_current() && unwritten());
}

impl<V, S, C> Clone for Tiered<V, S, C> {
    fn clone(&self) -> Self {
        Self {
            first: self.first.clone(),
            reads: self.reads.clone(),
            memories: Arc::clone(&self.memories),
            below: Arc::clone(&self.below),
            near: Arc::clone(&self.near),
            policy: self.policy,
            #[cfg(feature = "redis")]
            link: self.link.clone(),
        }
    }
}

impl<V, S: fmt::Debug, C> fmt::Debug for Tiered<V, S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tiered")
            .field("first", &self.first)
            .field("below", &self.below.tier)
            .finish_non_exhaustive()
    }
}
