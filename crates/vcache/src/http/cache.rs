//! The handle of an HTTP cache: build, purge, figures.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use vhttp::CacheVerdict;

use crate::http::background::Background;
use crate::http::config::{BuildError, Config};
use crate::http::engine::Engine;
use crate::http::purge::{Purge, PurgeError, Purged};
use crate::http::tiers::TiersStats;
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
    /// Checks the settings and makes an empty cache, in front of what its disk and its Redis have.
    ///
    /// A file is opened here; nothing is connected. What works for the tiers below memory begins in
    /// the runtime that this is called in, or else in that of the first miss, and ends with it.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn new(config: Config) -> Result<Self, BuildError> {
        let max = usize::try_from(config.max_refreshes).unwrap_or(usize::MAX);
        let background = Arc::new(Background::new(max, config.refresh_timeout));
        let engine = Arc::new(Engine::new(config)?);
        engine.start();
        Ok(Self { engine, background })
    }

    /// The settings that it was made with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.engine.config
    }

    /// Sets another bound than [`Config::max_size`] while the cache is in use, and returns when what
    /// is there fits it: how many keys left for that. A cache made much smaller gives memory back.
    pub fn resize(&self, max_size: u64) -> usize {
        self.engine.memory().resize(max_size)
    }

    /// Purges what `purge` names, and says how much that was.
    ///
    /// When it returns, no request that comes later is answered with anything that the origin was
    /// asked for before: what is on its way then is not stored, and not joined by others. By URL
    /// and by tag the cost is that of the responses that are there; by prefix, by host and of
    /// everything it is that of looking at every key once, some tens of nanoseconds each.
    ///
    /// With tiers below memory it is written where all of them find it first, and returns when that
    /// is done: no process that shares the Redis serves from there what was stored before, and
    /// their memories hear of it at once, mostly within milliseconds.
    ///
    /// Cancel safety: a dropped future has purged everything or nothing. With tiers below, these
    /// may have been purged and memory not.
    ///
    /// # Errors
    ///
    /// When the purge names nothing; or when the tiers below cannot be told now, memory being
    /// purged all the same. See [`PurgeError`].
    pub async fn purge(&self, purge: &Purge) -> Result<Purged, PurgeError> {
        self.engine.purge_everywhere(purge).await
    }

    /// The figures of the tiers below memory; `None` where the settings ask for none.
    #[must_use]
    pub fn tiers(&self) -> Option<TiersStats> {
        self.engine.tiers.as_ref().map(|tiers| tiers.stats(self.engine.now()))
    }

    /// Waits until what was stored is on the tiers below memory as well, but no longer than `most`;
    /// whether it is.
    ///
    /// Cancel safety: a dropped future has waited for nothing.
    pub async fn flush(&self, most: Duration) -> bool {
        match &self.engine.tiers {
            Some(tiers) => tiers.flush(most).await,
            None => true,
        }
    }

    /// Waits as [`flush`](Self::flush) does, and closes the tier on disk. To be called at the end:
    /// what waits is lost otherwise, though nothing is damaged.
    ///
    /// Cancel safety: a dropped future has closed the disk or not.
    pub async fn close(&self, most: Duration) -> bool {
        match &self.engine.tiers {
            Some(tiers) => tiers.close(most).await,
            None => true,
        }
    }

    /// Gives back the memory of all that is stored. What is on the tiers below stays there, and is
    /// found there again; without tiers it is lost. This is no [`purge`](Self::purge).
    pub fn empty_memory(&self) {
        self.engine.memory().clear();
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
