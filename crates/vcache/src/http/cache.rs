//! The handle of an HTTP cache: build, purge, figures.

use std::fmt;
use std::sync::Arc;

use vhttp::CacheVerdict;

use crate::http::config::{BuildError, Config};
use crate::http::engine::Engine;
use crate::http::key::Key;
use crate::http::refresh::Refreshes;

/// A shared HTTP cache in memory (RFC 9111).
///
/// Cloning gives another handle to the same cache; layers and services hold one each. Background
/// refreshes end with the last handle.
#[derive(Clone)]
pub struct HttpCache {
    pub(crate) engine: Arc<Engine>,
    pub(crate) refreshes: Arc<Refreshes>,
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
    /// Keys present, those included whose time is over and that were not met yet.
    pub keys: usize,
    /// Bytes that all stored responses take.
    pub bytes: u64,
    /// Background refreshes under way.
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
        let refreshes = Refreshes::new(max, config.refresh_timeout);
        Ok(Self { engine: Arc::new(Engine::new(config)?), refreshes: Arc::new(refreshes) })
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.engine.config
    }

    /// Removes every variant that is stored for an absolute URL, and returns how many there were.
    ///
    /// What was asked of the origin before and has not arrived is not stored either. A text that
    /// is no absolute URL names nothing: 0.
    #[must_use = "0 says that nothing was stored under this URL"]
    pub fn purge_url(&self, url: &str) -> usize {
        let key = Key::of_url(url).map(|key| self.engine.query.apply(key));
        key.map_or(0, |key| self.engine.purge(&key))
    }

    /// Removes everything, and what is on its way.
    pub fn clear(&self) {
        self.engine.clear();
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
            keys: memory.len(),
            bytes: memory.weight(),
            refreshes: self.refreshes.len(),
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
