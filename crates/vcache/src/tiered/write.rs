//! Writing to both tiers, and taking out of both.

use std::future::Future;
use std::time::Duration;

use futures_util::future::try_join_all;

use super::Tiered;
use super::below::{Birth, Ways};
use super::chain::WritePolicy;
use super::lifetime::shorter;
use super::near::Drops;
use super::writing::Writes;
use crate::coherence::Invalidation;
use crate::load::loaded::Loaded;
use crate::store::codec::Codec;
use crate::store::{ScanStore, Store, StoreError};

impl<V, S, C> Tiered<V, S, C>
where
    V: Clone + Send + Sync + 'static,
    S: Store,
    C: Codec<V>,
{
    /// Stores a value in memory and in the store, for `ttl` or their default TTLs. Under
    /// [`WritePolicy::Around`] in the store alone. Of several at once for one key memory keeps
    /// none.
    ///
    /// Cancel safety: a dropped future has stored in memory if it was polled, in the store
    /// perhaps. With coherence memory keeps nothing then.
    ///
    /// # Errors
    ///
    /// When the store may not have taken it. Memory has it all the same, unless it is coherent
    /// with others: then it has nothing. Others may see the former value until its time in the
    /// store is over. Or when the others, told by publishing, could not be told.
    pub async fn insert(
        &self,
        key: &str,
        value: V,
        ttl: Option<Duration>,
    ) -> Result<(), StoreError> {
        let mut loaded = Loaded::new(value);
        loaded.ttl = ttl;
        self.put(key, loaded, Ways::plain()).await
    }

    /// Stores a value with all that goes with it.
    pub(super) async fn put(
        &self,
        key: &str,
        loaded: Loaded<V>,
        ways: Ways<S>,
    ) -> Result<(), StoreError> {
        let bytes = self.below.encode(&loaded.value);
        let mut write = self.begin(&[key]);
        if self.policy == WritePolicy::Through {
            let epoch = self.near.epoch();
            let mut here = loaded.clone();
            here.ttl = shorter(here.ttl, self.first.ttl());
            self.first.insert_loaded(key.into(), self.near.capped(here));
            write.keeps = epoch == self.near.epoch();
        }
        // What began before this may not know of it.
        self.void(key);
        let done = match bytes {
            Ok(bytes) => self.below.put(ways, key, bytes, &loaded, Birth::default()).await,
            Err(error) => Err(error),
        };
        write.keeps &= done.is_ok() || !self.near.is_coherent();
        write.ended = true;
        drop(write);
        done?;
        self.announce(Invalidation::Key(key)).await
    }

    /// Removes `key` from memory and from the store; whether it was in either. A load under way
    /// will not bring an older value back.
    ///
    /// Cancel safety: a dropped future has removed from memory if it was polled, from the store
    /// perhaps.
    ///
    /// # Errors
    ///
    /// When the value may still be in the store, or others could not be told. Try again, or it
    /// comes back.
    pub async fn remove(&self, key: &str) -> Result<bool, StoreError> {
        let write = self.begin(&[key]);
        let here = self.first.remove(key).is_some();
        let there = self.below.tier.delete(key).await;
        drop(write);
        let there = there?;
        self.announce(Invalidation::Key(key)).await?;
        Ok(there || here)
    }

    /// Removes all of `keys`, from the store in one call; how many it had. No load of one of them
    /// that is under way will be kept.
    ///
    /// Cancel safety: a dropped future has removed them from memory if it was polled, from the
    /// store perhaps.
    ///
    /// # Errors
    ///
    /// As for [`remove`](Self::remove).
    pub async fn remove_many(&self, keys: &[&str]) -> Result<u64, StoreError> {
        let write = self.begin(keys);
        for key in keys {
            drop(self.first.remove(*key));
        }
        let there = self.below.tier.delete_many(keys).await;
        drop(write);
        let there = there?;
        try_join_all(keys.iter().map(|key| self.announce(Invalidation::Key(key)))).await?;
        Ok(there)
    }

    /// Cache-aside: runs `write`, which changes the source, and removes all of `keys`, which
    /// depend on it, in one step when it has ended, whatever came of it. What is loaded of them
    /// while the source is changing is not kept.
    ///
    /// Gives what came of the writing and of the removal; see [`remove_many`](Self::remove_many).
    ///
    /// Cancel safety: a dropped `write` may have changed the source; the keys are then removed from
    /// memory, but not from the store.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use vcache::{MemoryStore, Raw, Tiered};
    /// # let store = MemoryStore::new(MemoryStore::sized(1 << 20).build()?);
    /// # let cache = Tiered::<String, _, _>::builder(store, Raw).build()?;
    /// cache.insert("user:7", "Ada".to_owned(), None).await?;
    /// let update = async { Ok::<_, std::io::Error>(()) };
    /// let (written, removed) = cache.write_around(&["user:7", "users"], update).await;
    /// written?;
    /// assert_eq!(removed?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn write_around<W: Future>(
        &self,
        keys: &[&str],
        write: W,
    ) -> (W::Output, Result<u64, StoreError>) {
        let writing = self.begin(keys);
        let written = write.await;
        let removed = self.remove_many(keys).await;
        drop(writing);
        (written, removed)
    }

    /// Removes everything from memory and from the store. A load under way is kept in neither.
    ///
    /// Cancel safety: a dropped future has cleared memory if it was polled, and part of the
    /// store.
    ///
    /// # Errors
    ///
    /// When some of it may still be in the store, or others could not be told.
    pub async fn clear(&self) -> Result<(), StoreError> {
        self.near.writing.sweep();
        self.memories.drop_all();
        let cleared = self.below.tier.clear().await;
        // A read that began before may have brought something back.
        self.memories.drop_all();
        cleared?;
        self.announce(Invalidation::All).await
    }

    /// Forgets the loads and reads of a key that are under way.
    fn void(&self, key: &str) {
        self.reads.forget(key);
        self.first.forget(key);
    }

    fn begin(&self, keys: &[&str]) -> Write<'_, V, S, C> {
        let writes = self.near.writing.begin(keys);
        writes.keys.iter().for_each(|key| self.void(key));
        Write { cache: self, writes, keeps: false, ended: false }
    }
}

impl<V, S, C> Tiered<V, S, C>
where
    V: Clone + Send + Sync + 'static,
    S: ScanStore,
    C: Codec<V>,
{
    /// Removes all keys that begin with `prefix`, which the store walks over to find; how many it
    /// had. No load of such a key that is under way will be kept; one of another key may not reach
    /// the store.
    ///
    /// Cancel safety: a dropped future has removed them from memory if it was polled, and some of
    /// them from the store.
    ///
    /// # Errors
    ///
    /// As for [`remove`](Self::remove).
    pub async fn remove_prefix(&self, prefix: &str) -> Result<u64, StoreError> {
        self.near.writing.sweep();
        self.memories.drop_prefix(prefix);
        let there = self.below.tier.delete_prefix(prefix).await;
        self.memories.drop_prefix(prefix);
        let there = there?;
        self.announce(Invalidation::Prefix(prefix)).await?;
        Ok(there)
    }
}

/// A write under way; when it ends, memory keeps what it put there or has nothing.
struct Write<'a, V, S, C>
where
    V: Clone + Send + Sync + 'static,
{
    cache: &'a Tiered<V, S, C>,
    writes: Writes,
    /// Whether what is in memory is to stay.
    keeps: bool,
    ended: bool,
}

impl<V, S, C> Drop for Write<'_, V, S, C>
where
    V: Clone + Send + Sync + 'static,
{
    fn drop(&mut self) {
        let cache = self.cache;
        let stays = self.keeps && (self.ended || !cache.near.is_coherent());
        for key in &self.writes.keys {
            // Before the write counts as ended: what began meanwhile may have seen the old value.
            cache.reads.forget(&**key);
            cache.first.forget(&**key);
            if !stays || self.writes.met_another(key) {
                drop(cache.first.remove(&**key));
            }
        }
    }
}
