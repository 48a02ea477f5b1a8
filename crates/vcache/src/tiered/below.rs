//! What is below the memory of a tiered cache: the store's tier, and values as bytes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

#[cfg(feature = "tokio")]
use super::fleet::Leasing;
use super::lifetime::shorter;
use super::tier::Tier;
use crate::load::loaded::Loaded;
use crate::metrics::Asked;
use crate::store::codec::Codec;
use crate::store::{Keeping, Moment, Store, StoreError, Stored, TagStore};

/// A value that the store had.
#[derive(Clone)]
pub(super) struct Found<V> {
    pub(super) value: V,
    pub(super) left: Option<Duration>,
    pub(super) tags: Vec<Arc<str>>,
}

impl<V> Found<V> {
    /// As memory keeps it, for at most so long.
    pub(super) fn kept(self, most: Option<Duration>) -> Loaded<V> {
        let mut loaded = Loaded::new(self.value).tags(self.tags);
        loaded.ttl = shorter(self.left, most);
        loaded
    }
}

/// How a value is put into the store: with its tags if the store has any.
pub(super) struct Ways<S> {
    put: Put<S>,
    pub(super) moment: fn(&Tier<S>) -> Option<Moment>,
}

type Put<S> =
    for<'a> fn(&'a Tier<S>, &'a str, Bytes, Keeping<'a>) -> BoxFuture<'a, Result<(), StoreError>>;

impl<S> Clone for Ways<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Ways<S> {}

impl<S: Store> Ways<S> {
    pub(super) fn plain() -> Self {
        fn put<'a, S: Store>(
            tier: &'a Tier<S>,
            key: &'a str,
            bytes: Bytes,
            keeping: Keeping<'a>,
        ) -> BoxFuture<'a, Result<(), StoreError>> {
            tier.set(key, bytes, keeping.ttl).boxed()
        }
        Self { put: put::<S>, moment: |_| None }
    }
}

impl<S: TagStore> Ways<S> {
    pub(super) fn tagged() -> Self {
        fn put<'a, S: TagStore>(
            tier: &'a Tier<S>,
            key: &'a str,
            bytes: Bytes,
            keeping: Keeping<'a>,
        ) -> BoxFuture<'a, Result<(), StoreError>> {
            tier.set_tagged(key, bytes, keeping).boxed()
        }
        Self { put: put::<S>, moment: |tier| Some(tier.moment()) }
    }
}

/// When the load of a value began, and how long it took.
#[derive(Clone, Copy, Default)]
pub(super) struct Birth {
    pub(super) since: Option<Moment>,
    pub(super) load_time: Option<Duration>,
}

pub(super) struct Below<S, C> {
    pub(super) tier: Tier<S>,
    codec: C,
    #[cfg(feature = "tokio")]
    leasing: Option<Leasing<S>>,
}

impl<S: Store, C> Below<S, C> {
    pub(super) const fn new(tier: Tier<S>, codec: C) -> Self {
        Self {
            tier,
            codec,
            #[cfg(feature = "tokio")]
            leasing: None,
        }
    }

    /// Loads once for all that share the store.
    #[cfg(feature = "tokio")]
    pub(super) fn leased(self, leasing: Option<Leasing<S>>) -> Self {
        Self { leasing, ..self }
    }

    #[cfg(feature = "tokio")]
    pub(super) const fn leasing(&self) -> Option<&Leasing<S>> {
        self.leasing.as_ref()
    }

    pub(super) fn encode<V>(&self, value: &V) -> Result<Bytes, StoreError>
    where
        C: Codec<V>,
    {
        self.codec.encode(value).map_err(|error| {
            self.tier.failed();
            StoreError::Encode(error)
        })
    }

    /// A value, if there is one and it can be read: a store that is away has nothing.
    pub(super) async fn read<V>(&self, key: &str) -> Option<Found<V>>
    where
        C: Codec<V>,
    {
        let found = self.tier.look(key).await.ok()?;
        self.decoded(found)
    }

    /// The same for many keys, in their order; none at all from a store that is away.
    pub(super) async fn read_many<V>(&self, keys: &[&str]) -> Vec<Option<Found<V>>>
    where
        C: Codec<V>,
    {
        let found = self.tier.look_many(keys).await.unwrap_or_default();
        found.into_iter().map(|found| self.decoded(found)).collect()
    }

    fn decoded<V>(&self, found: Option<Stored>) -> Option<Found<V>>
    where
        C: Codec<V>,
    {
        let (asked, read) = match found {
            None => (Asked::Miss, None),
            Some(Stored { value, left, tags }) => match self.codec.decode(value) {
                Err(_) => (Asked::Undecodable, None),
                Ok(value) => (Asked::Hit, Some(Found { value, left, tags })),
            },
        };
        self.tier.asked(asked);
        read
    }

    /// Puts bytes into the store, with the lifetime and the tags of what they stand for.
    pub(super) async fn put<V>(
        &self,
        ways: Ways<S>,
        key: &str,
        bytes: Bytes,
        loaded: &Loaded<V>,
        birth: Birth,
    ) -> Result<(), StoreError> {
        let tags: Vec<&str> = loaded.tags.iter().map(|tag| &**tag).collect();
        let Birth { since, load_time } = birth;
        let keeping = Keeping { ttl: loaded.ttl, tags: &tags, since, load_time };
        (ways.put)(&self.tier, key, bytes, keeping).await
    }
}
