//! The store in this process's memory.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::memory::{Memory, MemoryBuilder};
use crate::store::{Keeping, Moment, ScanStore, Store, StoreError, Stored, TagStore};
use crate::tags::Tags;

/// Invalidated tags that are remembered, some 150 bytes each.
const MAX_TAGS: usize = 65_536;

/// Keeps bytes in a [`Memory`] cache. Never fails and never waits.
///
/// It remembers the last 65,536 tags that were invalidated. What is invalidated holds its room until
/// it is asked for, replaced or evicted, or its time is over.
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
#[derive(Clone)]
pub struct MemoryStore {
    memory: Memory<Box<str>, MemoryEntry>,
    tags: Arc<Tags>,
}

/// What a [`MemoryStore`] keeps in its memory: bytes and their tags.
#[derive(Debug, Clone)]
pub struct MemoryEntry {
    value: Bytes,
    tagged: Option<Arc<Tagged>>,
}

/// The tags of an entry.
#[derive(Debug)]
struct Tagged {
    /// What was invalidated up to this tick does not concern it.
    born: u64,
    tags: Box<[Arc<str>]>,
}

impl MemoryEntry {
    /// Whether both are of one insertion, if they have tags.
    fn is(&self, other: &Self) -> bool {
        match (&self.tagged, &other.tagged) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    fn weight(&self) -> u64 {
        let tags = self.tagged.iter().flat_map(|tagged| &tagged.tags);
        bytes(self.value.len() + tags.map(|tag| tag.len() + size_of::<Arc<str>>()).sum::<usize>())
    }
}

impl MemoryStore {
    /// Keeps the bytes in `memory`.
    #[must_use]
    pub fn new(memory: Memory<Box<str>, MemoryEntry>) -> Self {
        Self { memory, tags: Arc::new(Tags::new(MAX_TAGS)) }
    }

    /// Starts building the memory for a store of at most `max_weight` bytes; keys and values are
    /// weighed.
    pub fn sized(max_weight: u64) -> MemoryBuilder<Box<str>, MemoryEntry> {
        Memory::<Box<str>, MemoryEntry>::builder()
            .max_weight(max_weight)
            .name("store")
            .weigher(|key, entry| bytes(key.len()) + entry.weight())
    }

    fn insert(&self, key: &str, entry: MemoryEntry, ttl: Option<Duration>) {
        match ttl {
            Some(ttl) => self.memory.insert_with_ttl(key.into(), entry, ttl),
            None => self.memory.insert(key.into(), entry),
        };
    }

    fn holds(&self, entry: &MemoryEntry) -> bool {
        let tagged = entry.tagged.as_ref();
        tagged.is_none_or(|tagged| self.tags.hold(tagged.born, &tagged.tags))
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("memory", &self.memory).finish_non_exhaustive()
    }
}

fn bytes(len: usize) -> u64 {
    // A length never exceeds isize::MAX, so that two of them never overflow.
    u64::try_from(len).unwrap_or(u64::MAX / 2)
}

impl Store for MemoryStore {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        let Some((entry, left)) = self.memory.get_with_ttl(key) else { return Ok(None) };
        if !self.holds(&entry) {
            // What has taken its place meanwhile stays.
            drop(self.memory.remove_if(key, |present| present.is(&entry)));
            return Ok(None);
        }
        let tags = entry.tagged.iter().flat_map(|tagged| tagged.tags.iter().cloned());
        Ok(Some(Stored::new(entry.value, left).tagged(tags)))
    }

    async fn set(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<(), StoreError> {
        self.insert(key, MemoryEntry { value, tagged: None }, ttl);
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
        Ok(self.memory.peek(key).is_some_and(|entry| self.holds(&entry)))
    }
}

impl TagStore for MemoryStore {
    async fn set_tagged(
        &self,
        key: &str,
        value: Bytes,
        keeping: Keeping<'_>,
    ) -> Result<(), StoreError> {
        let now = self.tags.epoch();
        let born = keeping.since.map_or(now, |since| since.0.min(now));
        let tags: Box<[Arc<str>]> = keeping.tags.iter().map(|tag| Arc::from(*tag)).collect();
        let tagged = (!tags.is_empty()).then(|| Arc::new(Tagged { born, tags }));
        self.insert(key, MemoryEntry { value, tagged }, keeping.ttl);
        Ok(())
    }

    async fn invalidate_tags(&self, tags: &[&str]) -> Result<(), StoreError> {
        self.tags.invalidate(tags);
        Ok(())
    }

    fn moment(&self) -> Moment {
        Moment(self.tags.epoch())
    }
}

/// Walks go a few hundred entries at a time, under a read lock.
impl ScanStore for MemoryStore {
    async fn scan(&self, prefix: &str, most: usize) -> Result<Vec<String>, StoreError> {
        let mut keys = Vec::new();
        self.memory.visit(|key, _| {
            if keys.len() < most && key.starts_with(prefix) {
                keys.push(String::from(&**key));
            }
            keys.len() < most
        });
        Ok(keys)
    }

    async fn count(&self) -> Result<u64, StoreError> {
        Ok(bytes(self.memory.len()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use futures_util::FutureExt;

    use super::*;

    fn now<T>(future: impl Future<Output = Result<T, StoreError>>) -> T {
        future.now_or_never().unwrap().unwrap()
    }

    #[test]
    fn a_reader_that_meets_what_is_outdated_takes_nothing_newer_along() {
        let store = MemoryStore::new(MemoryStore::sized(1 << 20).build().unwrap());
        let (reading, over) = (store.clone(), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    now(reading.get("key"));
                }
            });
            let kept = (0..100_000).all(|_| {
                let keeping = Keeping { tags: &["tag"], ..Keeping::default() };
                now(store.set_tagged("key", Bytes::new(), keeping));
                now(store.invalidate_tags(&["tag"]));
                now(store.set("key", Bytes::new(), None));
                now(store.get("key")).is_some()
            });
            over.store(true, Ordering::Relaxed);
            assert!(kept);
        });
    }
}
