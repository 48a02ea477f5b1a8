//! The second tier: a store that may be away, and values as bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;

use crate::clock::{Clock, nanos};
use crate::metrics::{Asked, StoreMeters};
use crate::store::codec::Codec;
use crate::store::{Store, StoreError, Stored};
#[cfg(feature = "tokio")]
use crate::tiered::fleet::Leasing;

/// The store with what is known about it.
pub(super) struct Second<S, C> {
    pub(super) store: S,
    pub(super) codec: C,
    clock: Arc<dyn Clock>,
    pause: Duration,
    /// Until when, in nanoseconds on the clock, the store is left alone.
    away: AtomicU64,
    meters: StoreMeters,
    #[cfg(feature = "tokio")]
    leasing: Option<Leasing<S>>,
}

impl<S: Store, C> Second<S, C> {
    pub(super) fn new(
        store: S,
        codec: C,
        clock: Arc<dyn Clock>,
        pause: Duration,
        meters: StoreMeters,
    ) -> Self {
        Self {
            store,
            codec,
            clock,
            pause,
            away: AtomicU64::new(0),
            meters,
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
    pub(super) fn leasing(&self) -> Option<&Leasing<S>> {
        self.leasing.as_ref()
    }

    pub(super) async fn read<V>(&self, key: &str) -> Option<(V, Option<Duration>)>
    where
        C: Codec<V>,
    {
        if self.is_away() {
            self.meters.asked(Asked::Skipped);
            return None;
        }
        let (asked, read) = match self.noted(self.store.get(key).await) {
            Err(_) => (Asked::Error, None),
            Ok(None) => (Asked::Miss, None),
            Ok(Some(Stored { value, left, .. })) => match self.codec.decode(value) {
                Err(_) => (Asked::Undecodable, None),
                Ok(value) => (Asked::Hit, Some((value, left))),
            },
        };
        self.meters.asked(asked);
        read
    }

    /// Whether the store has something; if it is away, nothing.
    pub(super) async fn exists(&self, key: &str) -> bool {
        !self.is_away() && self.noted(self.store.exists(key).await).unwrap_or(false)
    }

    /// Stores what was loaded; if that fails, the next one loads again.
    pub(super) async fn fill<V>(&self, key: &str, value: &V, ttl: Option<Duration>)
    where
        C: Codec<V>,
    {
        if self.is_away() {
            return;
        }
        if let Some(bytes) = self.encoded(value) {
            drop(self.noted(self.store.set(key, bytes, ttl).await));
        }
    }

    /// The value as bytes; that it has no such form is counted.
    pub(super) fn encoded<V>(&self, value: &V) -> Option<Bytes>
    where
        C: Codec<V>,
    {
        self.codec.encode(value).inspect_err(|_| self.meters.failed()).ok()
    }

    pub(super) fn is_away(&self) -> bool {
        let away = self.away.load(Ordering::Relaxed);
        away > 0 && nanos(self.clock.now()) < away
    }

    /// Counts a failure, and leaves the store alone for a while if time may heal it.
    pub(super) fn noted<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &result {
            self.meters.failed();
            if error.is_transient() {
                let until = nanos(self.clock.now().saturating_add(self.pause));
                self.away.store(until, Ordering::Relaxed);
            }
        }
        result
    }
}
