//! What is below the memory of a tiered cache: the store's tier, and values as bytes.

use std::time::Duration;

use bytes::Bytes;

use super::tier::Tier;
use crate::metrics::Asked;
use crate::store::codec::Codec;
use crate::store::{Store, StoreError, Stored};

/// A value and the time it has left.
pub(super) type Timed<V> = (V, Option<Duration>);

pub(super) struct Below<S, C> {
    pub(super) tier: Tier<S>,
    codec: C,
}

impl<S: Store, C> Below<S, C> {
    pub(super) const fn new(tier: Tier<S>, codec: C) -> Self {
        Self { tier, codec }
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
    pub(super) async fn read<V>(&self, key: &str) -> Option<Timed<V>>
    where
        C: Codec<V>,
    {
        let found = self.tier.look(key).await.ok()?;
        self.decoded(found)
    }

    /// The same for many keys, in their order; none at all from a store that is away.
    pub(super) async fn read_many<V>(&self, keys: &[&str]) -> Vec<Option<Timed<V>>>
    where
        C: Codec<V>,
    {
        let found = self.tier.look_many(keys).await.unwrap_or_default();
        found.into_iter().map(|found| self.decoded(found)).collect()
    }

    fn decoded<V>(&self, found: Option<Stored>) -> Option<Timed<V>>
    where
        C: Codec<V>,
    {
        let (asked, read) = match found {
            None => (Asked::Miss, None),
            Some(Stored { value, left, .. }) => match self.codec.decode(value) {
                Err(_) => (Asked::Undecodable, None),
                Ok(value) => (Asked::Hit, Some((value, left))),
            },
        };
        self.tier.asked(asked);
        read
    }

    /// Stores what was loaded, as long as `wanted` says so; if that fails, the next one loads
    /// again.
    pub(super) async fn fill<V>(
        &self,
        key: &str,
        value: &V,
        ttl: Option<Duration>,
        wanted: impl Fn() -> bool,
    ) where
        C: Codec<V>,
    {
        if self.tier.is_open() || !wanted() {
            return;
        }
        if let Ok(bytes) = self.encode(value) {
            let _ = self.tier.set(key, bytes, ttl).await;
            if !wanted() {
                // The key was written or removed meanwhile, and this may have come later.
                let _ = self.tier.delete(key).await;
            }
        }
    }
}
