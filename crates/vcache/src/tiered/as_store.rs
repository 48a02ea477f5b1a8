//! Both tiers as one store of bytes.

use std::time::Duration;

use bytes::Bytes;

use super::Tiered;
use super::near::Drops;
use crate::store::codec::Raw;
use crate::store::{Outdated, ScanStore, Store, StoreError, Stored};

/// Reads fail open: a second tier that is away has nothing.
impl<S: Store> Store for Tiered<Bytes, S, Raw> {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        if self.near.is_usable()
            && let Some((value, left)) = self.first.get_with_ttl(key)
        {
            return Ok(Some(Stored::new(value, left)));
        }
        let read = self.read(key).await;
        Ok(read.map(|found| Stored::new(found.value, found.left)))
    }

    async fn set(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<(), StoreError> {
        self.insert(key, value, ttl).await
    }

    async fn delete(&self, key: &str) -> Result<bool, StoreError> {
        self.remove(key).await
    }

    async fn delete_many(&self, keys: &[&str]) -> Result<u64, StoreError> {
        self.remove_many(keys).await
    }

    async fn clear(&self) -> Result<(), StoreError> {
        Self::clear(self).await
    }

    async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        if self.near.is_usable() && self.first.contains(key) {
            return Ok(true);
        }
        Ok(self.below.tier.exists(key).await.unwrap_or(false))
    }

    fn outdated(&self, what: Outdated<'_>) {
        self.below.tier.outdated(what);
        match what {
            Outdated::Key(key) => self.memories.drop_key(key),
            Outdated::Prefix(prefix) => self.memories.drop_prefix(prefix),
            Outdated::Tag(tag) => self.memories.drop_tag(tag),
            Outdated::Tagged => self.memories.drop_tagged(),
            Outdated::Everything | Outdated::Unheard => self.memories.drop_all(),
        }
    }

    fn is_guarded(&self) -> bool {
        true
    }
}

/// What the store behind has: what is in memory is there too, unless the store did not take it.
impl<S: ScanStore> ScanStore for Tiered<Bytes, S, Raw> {
    async fn scan(&self, prefix: &str, most: usize) -> Result<Vec<String>, StoreError> {
        self.below.tier.scan(prefix, most).await
    }

    async fn count(&self) -> Result<u64, StoreError> {
        self.below.tier.count().await
    }

    async fn delete_prefix(&self, prefix: &str) -> Result<u64, StoreError> {
        self.remove_prefix(prefix).await
    }
}
