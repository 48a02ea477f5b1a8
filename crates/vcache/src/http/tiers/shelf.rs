//! One tier below memory: a store with its limits, and what became of the calls to it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;

use crate::http::tiers::metrics::{Figures, Read, Write};
#[cfg(feature = "disk")]
use crate::store::disk::DiskStore;
#[cfg(feature = "redis")]
use crate::store::redis::RedisStore;
use crate::store::{Store, StoreError};
#[cfg(feature = "disk")]
use crate::tiered::Tier;

/// Where responses are kept below memory.
pub(super) struct Shelf {
    pub(super) held: Held,
    /// Bytes that a body may have.
    pub(super) max_object: u64,
    /// How long a read may take.
    pub(super) limit: Duration,
    pub(super) figures: Figures,
    /// Whether the last write failed, so that only changes are told.
    failing: AtomicBool,
}

/// The store.
pub(super) enum Held {
    #[cfg(feature = "disk")]
    Disk(Tier<DiskStore>),
    #[cfg(feature = "redis")]
    Redis(RedisStore),
}

impl Shelf {
    pub(super) fn new(cache: &str, held: Held, max_object: u64, limit: Duration) -> Self {
        let figures = Figures::new(cache, held.name());
        Self { held, max_object, limit, figures, failing: AtomicBool::new(false) }
    }

    pub(super) const fn name(&self) -> &'static str {
        self.held.name()
    }

    /// Whether other processes put there what they fetched.
    pub(super) const fn is_shared(&self) -> bool {
        match self.held {
            #[cfg(feature = "disk")]
            Held::Disk(_) => false,
            #[cfg(feature = "redis")]
            Held::Redis(_) => true,
        }
    }

    /// What stands there, and how long it stays. A store that is away or too slow has nothing.
    pub(super) async fn get(&self, place: &str) -> Result<Option<(Bytes, Duration)>, StoreError> {
        let read = async {
            match &self.held {
                #[cfg(feature = "disk")]
                Held::Disk(tier) => tier.get(place).await,
                #[cfg(feature = "redis")]
                Held::Redis(store) => store.get(place).await,
            }
        };
        let ended = tokio::time::timeout(self.limit, Box::pin(read)).await;
        let found = ended.unwrap_or(Err(StoreError::Timeout(self.limit)));
        if let Err(error) = &found {
            self.figures.read(match error {
                StoreError::Away => Read::Skipped,
                _ => Read::Error,
            });
        }
        Ok(found?.map(|stored| (stored.value, stored.left.unwrap_or(Duration::MAX))))
    }

    /// Keeps bytes.
    pub(super) async fn set(
        &self,
        place: &str,
        bytes: Bytes,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        match &self.held {
            #[cfg(feature = "disk")]
            Held::Disk(tier) => tier.store().set(place, bytes, Some(ttl)).await,
            #[cfg(feature = "redis")]
            Held::Redis(store) => store.set(place, bytes, Some(ttl)).await,
        }
    }

    /// Counts what came of keeping a response; failures are told once.
    pub(super) fn wrote(&self, written: Result<bool, StoreError>) {
        let tier = self.name();
        match written {
            Ok(done) => {
                if self.failing.swap(false, Ordering::Relaxed) {
                    tracing::info!(tier, "responses are written there again");
                }
                self.figures.write(if done { Write::Written } else { Write::Overtaken });
            }
            Err(error) => {
                if !self.failing.swap(true, Ordering::Relaxed) {
                    let why: &dyn std::error::Error = &error;
                    tracing::warn!(tier, error = why, "responses cannot be written there");
                }
                self.figures.write(Write::Failed);
            }
        }
    }

    /// Finishes what is queued.
    pub(super) async fn close(&self) {
        match &self.held {
            #[cfg(feature = "disk")]
            Held::Disk(tier) => tier.store().close().await,
            #[cfg(feature = "redis")]
            Held::Redis(_) => {}
        }
    }

    /// Forgets what stands there; whether there was anything.
    pub(super) async fn delete(&self, place: &str) -> Result<bool, StoreError> {
        let delete = async {
            match &self.held {
                #[cfg(feature = "disk")]
                Held::Disk(tier) => {
                    // Looking is cheap, and mostly there is nothing.
                    Ok(tier.exists(place).await? && tier.store().delete(place).await?)
                }
                #[cfg(feature = "redis")]
                Held::Redis(store) => store.delete(place).await,
            }
        };
        let ended = tokio::time::timeout(self.limit, Box::pin(delete)).await;
        ended.unwrap_or(Err(StoreError::Timeout(self.limit)))
    }
}

impl Held {
    const fn name(&self) -> &'static str {
        match self {
            #[cfg(feature = "disk")]
            Self::Disk(_) => "disk",
            #[cfg(feature = "redis")]
            Self::Redis(_) => "redis",
        }
    }
}
