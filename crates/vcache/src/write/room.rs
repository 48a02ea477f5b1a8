//! The room for pending writes: how many keys, and how many bytes.

use std::fmt;

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit, TryAcquireError};

use super::buffer::Change;
use super::config::{WhenFull, WriteBehindConfig};
use super::error::WriteError;
use super::metrics::WriteMeters;

/// What a pending write takes beside its key, which is held twice, and its value.
const OVERHEAD: u64 = 128;

/// Says how many bytes a write holds beyond the fixed sizes of its key and value.
pub(super) type Weigher<K, V> = Box<dyn Fn(&K, Option<&V>) -> u64 + Send + Sync>;

/// The room, and how it is counted.
pub(super) struct Room<K, V> {
    keys: Semaphore,
    bytes: Semaphore,
    /// What a single write takes at most: the whole room, if that is less than 4 GiB.
    most: u32,
    weigher: Option<Weigher<K, V>>,
    max_keys: usize,
    max_bytes: u64,
    when_full: WhenFull,
}

/// Room that a write has been given and that is not taken yet; given back when dropped.
#[derive(Default)]
pub(super) struct Given<'a> {
    key: Option<SemaphorePermit<'a>>,
    bytes: Option<SemaphorePermit<'a>>,
}

/// Room that a write lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lack {
    Key,
    Bytes(u32),
}

/// What was restored above the bounds: it gives no room when it leaves.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Surplus {
    keys: usize,
    bytes: usize,
}

impl<K, V> Room<K, V> {
    pub(super) fn new(config: &WriteBehindConfig, weigher: Option<Weigher<K, V>>) -> Self {
        let bytes = usize::try_from(config.max_pending_size).unwrap_or(usize::MAX);
        let bytes = bytes.min(Semaphore::MAX_PERMITS);
        Self {
            keys: Semaphore::new(config.max_pending.min(Semaphore::MAX_PERMITS)),
            bytes: Semaphore::new(bytes),
            most: u32::try_from(bytes).unwrap_or(u32::MAX),
            weigher,
            max_keys: config.max_pending,
            max_bytes: config.max_pending_size,
            when_full: config.when_full,
        }
    }

    /// What a write weighs, in bytes.
    pub(super) fn weigh(&self, key: &K, change: &Change<V>) -> u64 {
        let value = match change {
            Change::Put(value) => Some(value),
            Change::Remove => None,
        };
        let own = self.weigher.as_ref().map_or(0, |weigh| weigh(key, value));
        let fixed = u64::try_from(2 * size_of::<K>() + size_of::<V>()).unwrap_or(u64::MAX);
        own.saturating_add(fixed).saturating_add(OVERHEAD)
    }

    /// What a write of this weight takes of the room.
    fn units(&self, weight: u64) -> u32 {
        u32::try_from(weight).unwrap_or(u32::MAX).min(self.most)
    }

    /// Takes the room of what was pending in another life, as far as there is room.
    pub(super) fn occupy(&self, weights: &[u64]) -> Surplus {
        let bytes = weights.iter().map(|weight| size(self.units(*weight))).sum();
        Surplus {
            keys: weights.len() - self.keys.forget_permits(weights.len()),
            bytes: bytes - self.bytes.forget_permits(bytes),
        }
    }

    /// What a write of `weight` lacks to take the place of one of the weight `before`.
    pub(super) fn lack(&self, before: Option<u64>, weight: u64, given: &Given<'_>) -> Option<Lack> {
        if before.is_none() && given.key.is_none() {
            return Some(Lack::Key);
        }
        let more = self.units(weight).saturating_sub(before.map_or(0, |it| self.units(it)));
        let has = given.bytes.as_ref().map_or(0, SemaphorePermit::num_permits);
        (has < size(more)).then_some(Lack::Bytes(more))
    }

    /// Gives what is lacking, or says no. Whoever waits holds no bytes, so that nobody who has a
    /// key waits for one who waits for a key.
    pub(super) async fn give<'a>(
        &'a self,
        given: &mut Given<'a>,
        lack: Lack,
        meters: &WriteMeters,
    ) -> Result<(), WriteError> {
        given.bytes = None;
        let (semaphore, permits) = match lack {
            Lack::Key => (&self.keys, 1),
            Lack::Bytes(bytes) => (&self.bytes, bytes),
        };
        let permit = match self.when_full {
            WhenFull::Wait => semaphore.acquire_many(permits).await.map_err(closed)?,
            WhenFull::Reject => {
                semaphore.try_acquire_many(permits).map_err(|error| match error {
                    TryAcquireError::Closed => WriteError::Closed,
                    TryAcquireError::NoPermits => {
                        meters.refused();
                        self.full(lack)
                    }
                })?
            }
        };
        match lack {
            Lack::Key => given.key = Some(permit),
            Lack::Bytes(_) => given.bytes = Some(permit),
        }
        Ok(())
    }

    const fn full(&self, lack: Lack) -> WriteError {
        match lack {
            Lack::Key => WriteError::Full { max: self.max_keys },
            Lack::Bytes(_) => WriteError::FullSize { max: self.max_bytes },
        }
    }

    /// A write that lacks nothing takes what it was given; what it does not need goes back.
    pub(super) fn take(
        &self,
        before: Option<u64>,
        weight: u64,
        given: Given<'_>,
        surplus: &mut Surplus,
    ) {
        let (before_units, units) = (before.map_or(0, |it| self.units(it)), self.units(weight));
        let had = given.bytes.as_ref().map_or(0, SemaphorePermit::num_permits);
        if before.is_none()
            && let Some(key) = given.key
        {
            key.forget();
        }
        if let Some(bytes) = given.bytes {
            bytes.forget();
        }
        // Nothing is lacking: what was given and what stood there is enough.
        self.release(0, (had + size(before_units)).saturating_sub(size(units)), surplus);
    }

    /// Gives the room of a write back that has left.
    pub(super) fn leave(&self, weight: u64, surplus: &mut Surplus) {
        self.release(1, size(self.units(weight)), surplus);
    }

    fn release(&self, keys: usize, bytes: usize, surplus: &mut Surplus) {
        let (over_keys, over_bytes) = (keys.min(surplus.keys), bytes.min(surplus.bytes));
        surplus.keys -= over_keys;
        surplus.bytes -= over_bytes;
        self.keys.add_permits(keys - over_keys);
        self.bytes.add_permits(bytes - over_bytes);
    }

    /// Lets nobody in any longer.
    pub(super) fn close(&self) {
        self.keys.close();
        self.bytes.close();
    }
}

fn closed(_: AcquireError) -> WriteError {
    WriteError::Closed
}

fn size(units: u32) -> usize {
    usize::try_from(units).unwrap_or(usize::MAX)
}

impl<K, V> fmt::Debug for Room<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room")
            .field("keys", &self.keys.available_permits())
            .field("bytes", &self.bytes.available_permits())
            .finish_non_exhaustive()
    }
}
