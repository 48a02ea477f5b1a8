//! The store in this process's memory.

use std::time::Duration;

use bytes::Bytes;

use crate::memory::{Memory, MemoryBuilder};
use crate::store::{ScanStore, Store, StoreError, Stored};

/// Keeps bytes in a [`Memory`] cache. Never fails and never waits.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use vcache::{MemoryStore, Store};
///
/// let store = MemoryStore::new(MemoryStore::sized(16 << 20).build()?);
/// store.set("greeting", "hello".into(), None).await?;
/// assert_eq!(store.get("greeting").await?.unwrap().value, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct MemoryStore {
    memory: Memory<Box<str>, Bytes>,
}

impl MemoryStore {
    /// Keeps the bytes in `memory`.
    #[must_use]
    pub const fn new(memory: Memory<Box<str>, Bytes>) -> Self {
        Self { memory }
    }

    /// Starts building the memory for a store of at most `max_weight` bytes; keys and values are
    /// weighed.
    pub fn sized(max_weight: u64) -> MemoryBuilder<Box<str>, Bytes> {
        Memory::<Box<str>, Bytes>::builder()
            .max_weight(max_weight)
            .name("store")
            .weigher(|key, value| bytes(key.len()) + bytes(value.len()))
    }
}

fn bytes(len: usize) -> u64 {
    // A length never exceeds isize::MAX, so that two of them never overflow.
    u64::try_from(len).unwrap_or(u64::MAX / 2)
}

impl Store for MemoryStore {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        let found = self.memory.get_with_ttl(key);
        Ok(found.map(|(value, left)| Stored::new(value, left)))
    }

    async fn set(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<(), StoreError> {
        match ttl {
            Some(ttl) => self.memory.insert_with_ttl(key.into(), value, ttl),
            None => self.memory.insert(key.into(), value),
        };
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<bool, StoreError> {
        Ok(self.memory.remove(key).is_some())
    }

    async fn clear(&self) -> Result<(), StoreError> {
        self.memory.clear();
        Ok(())
    }

    async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        Ok(self.memory.contains(key))
    }
}

/// Walks go shard by shard, under each one's lock.
impl ScanStore for MemoryStore {
    async fn scan(&self, prefix: &str, most: usize) -> Result<Vec<String>, StoreError> {
        let mut keys = Vec::new();
        self.memory.retain(|key, _| {
            if keys.len() < most && key.starts_with(prefix) {
                keys.push(String::from(&**key));
            }
            true
        });
        Ok(keys)
    }

    async fn count(&self) -> Result<u64, StoreError> {
        Ok(bytes(self.memory.len()))
    }
}
