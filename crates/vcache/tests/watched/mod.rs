//! A store that counts its calls, and can be slow or broken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use vcache::{ManualClock, MemoryStore, ScanStore, Store, StoreError, Stored};

#[derive(Clone)]
pub struct Watched {
    pub store: MemoryStore,
    /// Calls that read, of one key or of many.
    pub reads: Arc<AtomicUsize>,
    /// Keys that they asked for.
    pub asked: Arc<AtomicUsize>,
    pub writes: Arc<AtomicUsize>,
    pub deletes: Arc<AtomicUsize>,
    pub broken: Arc<AtomicBool>,
    /// Reads wait here with what they found, if there is one.
    pub gate: Option<Arc<Notify>>,
    /// Writes wait here before they write, if there is one.
    pub barrier: Option<Arc<Notify>>,
}

impl Watched {
    pub fn new(clock: &ManualClock) -> Self {
        let memory = MemoryStore::sized(1 << 20).clock(clock.clone());
        Self {
            store: MemoryStore::new(memory.build().unwrap()),
            reads: Arc::default(),
            asked: Arc::default(),
            writes: Arc::default(),
            deletes: Arc::default(),
            broken: Arc::default(),
            gate: None,
            barrier: None,
        }
    }

    /// The same with a gate that reads wait at.
    pub fn gated(clock: &ManualClock) -> (Self, Arc<Notify>) {
        let gate = Arc::new(Notify::new());
        (Self { gate: Some(Arc::clone(&gate)), ..Self::new(clock) }, gate)
    }

    pub fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    pub fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }

    pub fn breaks(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }

    /// Waits until so many reads have begun.
    pub async fn read_by(&self, readers: usize) {
        while self.reads() < readers {
            tokio::task::yield_now().await;
        }
    }

    fn checked(&self) -> Result<(), StoreError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(StoreError::Timeout(Duration::from_secs(1)));
        }
        Ok(())
    }

    async fn wait(&self) {
        if let Some(gate) = &self.gate {
            gate.notified().await;
        }
    }
}

impl Store for Watched {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.checked()?;
        let found = self.store.get(key).await;
        self.wait().await;
        found
    }

    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Stored>>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.asked.fetch_add(keys.len(), Ordering::SeqCst);
        self.checked()?;
        let found = self.store.get_many(keys).await;
        self.wait().await;
        found
    }

    async fn set(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<(), StoreError> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.checked()?;
        if let Some(barrier) = &self.barrier {
            barrier.notified().await;
        }
        self.store.set(key, value, ttl).await
    }

    async fn delete(&self, key: &str) -> Result<bool, StoreError> {
        self.deletes.fetch_add(1, Ordering::SeqCst);
        self.checked()?;
        self.store.delete(key).await
    }

    async fn delete_many(&self, keys: &[&str]) -> Result<u64, StoreError> {
        self.deletes.fetch_add(1, Ordering::SeqCst);
        self.checked()?;
        self.store.delete_many(keys).await
    }

    async fn clear(&self) -> Result<(), StoreError> {
        self.checked()?;
        self.store.clear().await
    }
}

impl ScanStore for Watched {
    async fn scan(&self, prefix: &str, most: usize) -> Result<Vec<String>, StoreError> {
        self.checked()?;
        self.store.scan(prefix, most).await
    }

    async fn count(&self) -> Result<u64, StoreError> {
        self.checked()?;
        self.store.count().await
    }
}
