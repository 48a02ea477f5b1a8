//! What a load under way holds of a tiered cache: not the cache itself, which it may outlive.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::below::{Below, Birth, Found, Ways};
use super::lead::Lead;
use super::lifetime::shorter;
use super::near::Near;
use super::writing::Epoch;
use crate::load::loaded::Loaded;
use crate::store::Store;
use crate::store::codec::Codec;

pub(super) struct Parts<S, C> {
    pub(super) below: Arc<Below<S, C>>,
    pub(super) near: Arc<Near>,
    /// The longest life in memory.
    pub(super) most: Option<Duration>,
}

impl<S: Store, C> Parts<S, C> {
    /// Puts what was loaded into the store, unless its key was written since `epoch` or `wanted`
    /// says no; as memory is to keep it.
    pub(super) async fn fill<V>(
        &self,
        (ways, lead): (Ways<S>, Lead<V, S>),
        key: &str,
        (mut loaded, birth): (Loaded<V>, Birth),
        (epoch, wanted): (Epoch, impl Fn() -> bool),
    ) -> Loaded<V>
    where
        C: Codec<V>,
    {
        let writing = &self.near.writing;
        if wanted() && writing.epoch(key) == epoch && !writing.has(key) {
            let unwritten = || !writing.has_written(key, epoch);
            self.below.fill((ways, lead), key, &loaded, birth, unwritten).await;
        } else {
            self.below.give_up(lead).await;
        }
        loaded.ttl = shorter(loaded.ttl, self.most);
        self.near.vetted(loaded, key)
    }

    /// What the store has of `keys`.
    pub(super) async fn read_many<V>(&self, keys: &[Arc<str>]) -> HashMap<Arc<str>, Loaded<V>>
    where
        C: Codec<V>,
    {
        let names: Vec<&str> = keys.iter().map(|key| &**key).collect();
        let read = self.below.read_many(&names).await;
        let kept = |(key, found): (&Arc<str>, Option<Found<V>>)| {
            let loaded = self.near.vetted(found?.kept(self.most), key);
            Some((Arc::clone(key), loaded))
        };
        keys.iter().zip(read).filter_map(kept).collect()
    }
}
