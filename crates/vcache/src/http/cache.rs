//! The handle of an HTTP cache: build, purge, figures.

use std::fmt;
use std::sync::Arc;

use vhttp::CacheVerdict;

use crate::http::background::Background;
use crate::http::config::{BuildError, Config};
use crate::http::engine::Engine;
use crate::http::purge::{Purge, PurgeError, Purged};
use crate::memory::{Curve, Stats};

/// A shared HTTP cache in memory (RFC 9111).
///
/// Cloning gives another handle to the same cache; layers and services hold one each. Background
/// refreshes and fills end with the last handle and the last body that is read from a fill.
#[derive(Clone)]
pub struct HttpCache {
    pub(crate) engine: Arc<Engine>,
    pub(crate) background: Arc<Background>,
}

/// Figures of an [`HttpCache`]; the counters run since it was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct HttpStats {
    /// Requests answered from the store, fresh.
    pub hits: u64,
    /// Requests answered from the store, past the lifetime.
    pub stale: u64,
    /// Requests answered from the store after the origin confirmed it.
    pub revalidated: u64,
    /// Requests answered by another request's fetch.
    pub collapsed: u64,
    /// Requests answered by the origin.
    pub misses: u64,
    /// Requests that are not for a cache.
    pub bypassed: u64,
    /// Refreshes begun before the end of a lifetime.
    pub early: u64,
    /// Keys present, those included whose time is over and that were not met yet.
    pub keys: usize,
    /// Bytes that all stored responses take.
    pub bytes: u64,
    /// Fetches under way whose answers may be stored, whoever waits for them.
    pub fetches: usize,
    /// Fetches under way that nobody waits for: background refreshes, and fills whose clients have
    /// all left.
    pub refreshes: usize,
}

impl HttpCache {
    /// Checks the settings and makes an empty cache.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn new(config: Config) -> Result<Self, BuildError> {
        let max = usize::try_from(config.max_refreshes).unwrap_or(usize::MAX);
        let background = Arc::new(Background::new(max, config.refresh_timeout));
        Ok(Self { engine: Arc::new(Engine::new(config)?), background })
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.engine.config
    }

    /// Purges what `purge` names, and says how much that was.
    ///
    /// When it returns, no request that comes later is answered with anything that the origin was
    /// asked for before: what is on its way then is not stored, and not joined by others. By URL
    /// and by tag the cost is that of the responses that are there; by prefix, by host and of
    /// everything it is that of looking at every key once, some tens of nanoseconds each.
    ///
    /// Cancel safety: a dropped future has purged everything if it was polled, or nothing.
    ///
    /// # Errors
    ///
    /// When the purge names nothing; see [`PurgeError`].
    pub async fn purge(&self, purge: &Purge) -> Result<Purged, PurgeError> {
        self.engine.purge(purge)
    }

    /// Removes every variant that is stored for an absolute URL, and returns how many there were;
    /// as a hard [`purge`](Self::purge). A text that is no absolute URL names nothing: 0.
    #[must_use = "0 says that nothing was stored under this URL"]
    pub fn purge_url(&self, url: &str) -> usize {
        self.engine.purge(&Purge::url(url).hard()).map_or(0, |purged| purged.responses)
    }

    /// Removes everything, and what is on its way; as a hard [`purge`](Self::purge).
    pub fn clear(&self) {
        // Everything is always something.
        let _ = self.engine.purge(&Purge::everything().hard());
    }

    /// The figures of the memory that holds the responses, by key: look-ups, evictions and
    /// expirations by cause, weight.
    #[must_use]
    pub fn memory_stats(&self) -> Stats {
        self.engine.memory().stats()
    }

    /// How often a cache of another size would find a key, if
    /// [`Config::curve_keys`] says to watch that and the cache was ever asked.
    #[must_use]
    pub fn curve(&self) -> Option<Curve> {
        self.engine.memory().curve()
    }

    /// The cache's figures.
    #[must_use]
    pub fn stats(&self) -> HttpStats {
        let counted = |verdict| self.engine.counted(verdict);
        let memory = self.engine.memory();
        HttpStats {
            hits: counted(CacheVerdict::Hit),
            stale: counted(CacheVerdict::Stale),
            revalidated: counted(CacheVerdict::Revalidated),
            collapsed: counted(CacheVerdict::Collapsed),
            misses: counted(CacheVerdict::Miss),
            bypassed: counted(CacheVerdict::Bypass),
            early: self.engine.counted_early(),
            keys: memory.len(),
            bytes: memory.weight(),
            fetches: self.background.under_way(),
            refreshes: self.background.len(),
        }
    }
}

impl fmt::Debug for HttpCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpCache")
            .field("name", &self.engine.config.name)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
