//! The handle: build, figures.

use std::fmt;
use std::sync::Arc;

use vhttp::ReplayVerdict;

use crate::http::idempotency::config::{BuildError, Config};
use crate::http::idempotency::runs::Runs;
use crate::http::idempotency::shared::Shared;
use crate::http::idempotency::store::memory::MemoryReplays;
#[cfg(feature = "redis")]
use crate::http::idempotency::store::redis::RedisReplays;
use crate::http::idempotency::store::{AnyStore, ReplayStore};
#[cfg(feature = "redis")]
use crate::store::redis::RedisStore;

/// Keys, answers and what is under way; see the [module](super).
///
/// Cloning gives another handle to the same; layers and services hold one each. What is under way
/// ends with the last one.
#[derive(Clone)]
pub struct Idempotency {
    pub(crate) shared: Arc<Shared>,
    pub(crate) runs: Arc<Runs>,
}

/// Figures of an [`Idempotency`]; the counters run since it was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Requests carried out as the first of their key.
    pub ran: u64,
    /// Requests answered with what the first one got.
    pub replayed: u64,
    /// Requests answered 409.
    pub conflicts: u64,
    /// Requests answered 422.
    pub mismatches: u64,
    /// Requests answered 400 or 413.
    pub refused: u64,
    /// Requests that passed without protection, because the store could not be asked.
    pub unprotected: u64,
    /// Requests answered 503.
    pub unavailable: u64,
    /// Calls that the store failed.
    pub store_errors: u64,
    /// Requests under way.
    pub running: usize,
    /// Requests that wait for another's answer.
    pub waiting: usize,
}

impl Idempotency {
    /// Checks the settings; keys and answers are kept in memory, or in Redis if the settings say
    /// so. Connects with the first request.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn new(config: Config) -> Result<Self, BuildError> {
        config.check()?;
        #[cfg(feature = "redis")]
        if let Some(redis) = &config.redis {
            let name = format!("idempotency-{}", config.name);
            let store = RedisReplays::new(RedisStore::named(&name, redis)?, config.poll);
            return Self::build(config, Box::new(store));
        }
        // Those that wait hold no key.
        let most = usize::try_from(config.max_running).unwrap_or(usize::MAX);
        let most = most.saturating_mul(2);
        let store = MemoryReplays::new(&config.name, config.max_size, most);
        let store = store.map_err(|_| BuildError::Zero("max_size"))?;
        Self::build(config, Box::new(store))
    }

    /// Checks the settings; keys and answers are kept in `store`.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn with_store(config: Config, store: impl ReplayStore) -> Result<Self, BuildError> {
        Self::build(config, Box::new(store))
    }

    fn build(config: Config, store: Box<dyn AnyStore>) -> Result<Self, BuildError> {
        let shared = Arc::new(Shared::new(config, store)?);
        Ok(Self { shared, runs: Arc::default() })
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// The figures.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let shared = &self.shared;
        Stats {
            ran: shared.counted(ReplayVerdict::Ran),
            replayed: shared.counted(ReplayVerdict::Replayed),
            conflicts: shared.counted(ReplayVerdict::Conflict),
            mismatches: shared.counted(ReplayVerdict::Mismatch),
            refused: shared.counted(ReplayVerdict::Refused),
            unprotected: shared.counted(ReplayVerdict::Unprotected),
            unavailable: shared.counted(ReplayVerdict::Unavailable),
            store_errors: shared.store_errors(),
            running: shared.running(),
            waiting: shared.waiting(),
        }
    }
}

impl fmt::Debug for Idempotency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idempotency")
            .field("name", &self.shared.config.name)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
