//! The side of coherence that a cache holds: it announces, and owns the task that listens.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::runtime::Handle;
use tokio::sync::watch;
use vtask::Task;

use super::config::{CoherenceConfig, CoherenceMode};
use super::metrics::CoherenceMeters;
use super::push::Figures;
use super::session::{Listener, Voice};
use super::{Invalidation, message};
use crate::random::Random;
use crate::store::StoreError;
use crate::store::redis::RedisStore;
use crate::tiered::error::TieredBuildError;
use crate::tiered::near::Near;

/// How a process hears of the changes that others make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CoherenceStats {
    /// Whether it does now. If not, memory keeps nothing for longer than
    /// [`offline_ttl`](CoherenceConfig::offline_ttl).
    pub connected: bool,
    /// How it does, or did last; `None` until it was in touch for the first time.
    pub mode: Option<CoherenceMode>,
    /// What others have invalidated, and this process itself where the server tells it so.
    pub invalidations: u64,
    /// How often touch was lost, and memory emptied.
    pub losses: u64,
}

pub(crate) struct Link {
    near: Arc<Near>,
    figures: Arc<Figures>,
    voice: watch::Receiver<Voice>,
    own: u64,
    config: CoherenceConfig,
    /// Ended by dropping it.
    _task: Task,
}

impl Link {
    pub(crate) fn new(
        name: &str,
        store: &RedisStore,
        config: &CoherenceConfig,
        near: Arc<Near>,
    ) -> Result<Self, TieredBuildError> {
        Handle::try_current().map_err(|_| TieredBuildError::NoRuntime)?;
        let figures = Arc::new(Figures {
            meters: CoherenceMeters::new(name),
            invalidations: AtomicU64::new(0),
            losses: AtomicU64::new(0),
        });
        let own = Random::new().next();
        let (tell, voice) = watch::channel(Voice::Unknown);
        let listener = Listener::new(name, store, *config, own, Arc::clone(&near), tell);
        let task = Task::spawn(listener.run(Arc::clone(&figures)));
        Ok(Self { near, figures, voice, own, config: *config, _task: task })
    }

    pub(crate) fn stats(&self) -> CoherenceStats {
        let mode = match &*self.voice.borrow() {
            Voice::Unknown => None,
            Voice::Server => Some(CoherenceMode::Tracking),
            Voice::Own(_) | Voice::Lost => Some(CoherenceMode::Publish),
        };
        CoherenceStats {
            connected: self.near.is_connected(),
            mode,
            invalidations: self.figures.invalidations.load(Ordering::Relaxed),
            losses: self.figures.losses.load(Ordering::Relaxed),
        }
    }

    /// Tells the others what this process has changed in the store, unless the server does.
    pub(crate) async fn announce(&self, what: Invalidation<'_>) -> Result<(), StoreError> {
        if self.config.mode == CoherenceMode::Tracking {
            return Ok(());
        }
        let limit = self.config.timeout;
        let told = async {
            let mut voice = self.voice.clone();
            // Out of touch, it waits for the next connection.
            let known = voice.wait_for(|voice| !matches!(voice, Voice::Unknown | Voice::Lost));
            let voice = match known.await {
                Ok(voice) => voice.clone(),
                Err(_) => return Err(StoreError::Closed),
            };
            match voice {
                Voice::Own(publisher) => publisher.publish(&message::seal(self.own, what)).await,
                _ => Ok(()),
            }
        };
        tokio::time::timeout(limit, told).await.unwrap_or(Err(StoreError::Timeout(limit)))
    }
}
