//! The limit itself: permits, and a bounded queue in the order of arrival.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::concurrency::config::ConcurrencyConfig;
use crate::error::BuildError;
use crate::metrics::InFlightMeters;

/// So many requests at once, a bounded queue in the order of arrival, nobody else.
///
/// A handle: clones share the places, and so do the layers and workers that hold them.
#[derive(Clone)]
pub struct ConcurrencyLimit {
    shared: Arc<Shared>,
}

struct Shared {
    semaphore: Arc<Semaphore>,
    config: ConcurrencyConfig,
    queued: AtomicU32,
    admitted: AtomicU64,
    shed: AtomicU64,
    meters: InFlightMeters,
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Shed {
    /// All places are taken and the queue is full.
    #[error("all places are taken and the queue is full")]
    QueueFull,
    /// No place became free in time.
    #[error("no place became free in time")]
    QueueTimeout,
}

/// What a concurrency limit has seen since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConcurrencyStats {
    /// Requests in flight now.
    pub in_flight: usize,
    /// Requests that wait now.
    pub queued: u32,
    /// Requests that got a place.
    pub admitted: u64,
    /// Requests that were refused.
    pub shed: u64,
}

impl ConcurrencyLimit {
    /// Makes the limit; `name` is the label `limiter` of its metrics.
    ///
    /// # Errors
    ///
    /// Fails when `max_in_flight` is above what a semaphore counts (on 32-bit machines).
    pub fn new(name: &str, config: ConcurrencyConfig) -> Result<Self, BuildError> {
        let (max, most) = (config.max_in_flight.get(), Semaphore::MAX_PERMITS);
        let permits = usize::try_from(max).ok().filter(|permits| *permits <= most);
        let Some(permits) = permits else {
            return Err(BuildError::InFlight { max, most });
        };
        Ok(Self {
            shared: Arc::new(Shared {
                semaphore: Arc::new(Semaphore::new(permits)),
                config,
                queued: AtomicU32::new(0),
                admitted: AtomicU64::new(0),
                shed: AtomicU64::new(0),
                meters: InFlightMeters::new(&Arc::from(name)),
            }),
        })
    }

    /// Takes a place if one is free and nobody waits for it.
    #[must_use]
    pub fn try_acquire(&self) -> Option<Permit> {
        // A permit that comes free goes to whoever waits first; only when nobody does it can be
        // seen here.
        let permit = Arc::clone(&self.shared.semaphore).try_acquire_owned();
        permit.ok().map(|permit| self.admit(permit))
    }

    /// Takes a place, and waits for it in the order of arrival if it must.
    ///
    /// Cancel safe: dropped before it is done, it has left the queue and holds no place.
    ///
    /// # Errors
    ///
    /// Fails when the queue is full, at once, and when no place became free in time.
    pub async fn acquire(&self) -> Result<Permit, Shed> {
        match self.try_acquire() {
            Some(permit) => Ok(permit),
            None => self.enter_queue()?.wait().await,
        }
    }

    /// Takes a place in the queue, if there is one.
    pub(crate) fn enter_queue(&self) -> Result<Queued, Shed> {
        let most = self.shared.config.max_queue;
        let one_more = |queued| (queued < most).then_some(queued + 1);
        let queue = &self.shared.queued;
        match queue.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more) {
            Ok(_) => {
                self.shared.meters.queued();
                Ok(Queued { limit: self.clone() })
            }
            Err(_) => Err(self.refuse(Shed::QueueFull)),
        }
    }

    /// What the limit has seen.
    #[must_use]
    pub fn stats(&self) -> ConcurrencyStats {
        let shared = &self.shared;
        let places = usize::try_from(shared.config.max_in_flight.get()).unwrap_or(usize::MAX);
        ConcurrencyStats {
            in_flight: places.saturating_sub(shared.semaphore.available_permits()),
            queued: shared.queued.load(Ordering::Relaxed),
            admitted: shared.admitted.load(Ordering::Relaxed),
            shed: shared.shed.load(Ordering::Relaxed),
        }
    }

    /// What refused clients are told to wait.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        self.shared.config.retry_after
    }

    fn admit(&self, permit: OwnedSemaphorePermit) -> Permit {
        self.shared.admitted.fetch_add(1, Ordering::Relaxed);
        self.shared.meters.started();
        Permit { permit, shared: Arc::clone(&self.shared) }
    }

    fn refuse(&self, shed: Shed) -> Shed {
        self.shared.shed.fetch_add(1, Ordering::Relaxed);
        self.shared.meters.shed();
        shed
    }
}

/// A place in the queue; dropping it leaves the queue.
pub(crate) struct Queued {
    limit: ConcurrencyLimit,
}

impl Queued {
    /// Waits for a permit.
    pub(crate) async fn wait(self) -> Result<Permit, Shed> {
        let shared = &self.limit.shared;
        let permit = Arc::clone(&shared.semaphore).acquire_owned();
        match tokio::time::timeout(shared.config.queue_timeout, permit).await {
            Ok(Ok(permit)) => Ok(self.limit.admit(permit)),
            // The semaphore is never closed.
            Ok(Err(_)) | Err(_) => Err(self.limit.refuse(Shed::QueueTimeout)),
        }
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.limit.shared.queued.fetch_sub(1, Ordering::Relaxed);
        self.limit.shared.meters.left_queue();
    }
}

/// A place; dropping it frees it for whoever has waited longest.
#[must_use = "dropping a permit frees its place"]
pub struct Permit {
    permit: OwnedSemaphorePermit,
    shared: Arc<Shared>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shared.meters.ended();
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("places", &self.permit.num_permits()).finish_non_exhaustive()
    }
}

impl fmt::Debug for ConcurrencyLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConcurrencyLimit")
            .field("config", &self.shared.config)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
