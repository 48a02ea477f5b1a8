//! Tags through the tiers, where the store has them.

use std::future::Future;

use futures_util::future::try_join_all;

use super::Tiered;
use super::below::Ways;
use super::near::Drops;
use crate::coherence::Invalidation;
use crate::config::Loading;
use crate::error::{BoxError, LoadError};
use crate::load::loaded::Loaded;
use crate::store::codec::Codec;
use crate::store::{StoreError, TagStore};

impl<V, S, C> Tiered<V, S, C>
where
    V: Clone + Send + Sync + 'static,
    S: TagStore,
    C: Codec<V>,
{
    /// As [`get_or_load_with`](Self::get_or_load_with); the tags of what is loaded reach the store
    /// as well, and what was loaded before one of them was invalidated counts in no tier.
    ///
    /// Cancel safety: as for [`get_or_load`](Self::get_or_load).
    ///
    /// # Errors
    ///
    /// As for [`get_or_load`](Self::get_or_load).
    pub async fn get_or_load_tagged<F, Fut, E>(
        &self,
        key: &str,
        loading: &Loading,
        load: F,
    ) -> Result<V, LoadError>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded<V>, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.look_or_load(key, loading, Ways::tagged(), load).await
    }

    /// As [`insert`](Self::insert), with the lifetimes and tags of `loaded`.
    ///
    /// Cancel safety: as for [`insert`](Self::insert).
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert).
    pub async fn insert_tagged(&self, key: &str, loaded: Loaded<V>) -> Result<(), StoreError> {
        self.put(key, loaded, Ways::tagged()).await
    }

    /// Invalidates every value with one of `tags`, in memory and in the store, in one step
    /// however many there are. A load under way that brings one of them is outdated when it comes.
    /// Where memories are coherent, those of the others hear of it.
    ///
    /// Cancel safety: a dropped future has invalidated in memory if it was polled, in the store
    /// perhaps.
    ///
    /// # Errors
    ///
    /// When some may still be in the store, or others could not be told. Try again.
    pub async fn invalidate_tags(&self, tags: &[&str]) -> Result<(), StoreError> {
        let here = || tags.iter().for_each(|tag| self.memories.drop_tag(tag));
        here();
        let there = self.below.tier.invalidate_tags(tags).await;
        // What was read of the store meanwhile may be from before.
        here();
        there?;
        try_join_all(tags.iter().map(|tag| self.announce(Invalidation::Tag(tag)))).await?;
        Ok(())
    }
}
