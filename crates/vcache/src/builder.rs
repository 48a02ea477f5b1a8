//! Building a cache: the settings of a file, and what no file can say.

use std::borrow::Cow;
use std::fmt;
use std::hash::Hash;

use crate::cache::Cache;
use crate::clock::Clock;
use crate::config::Config;
use crate::load::flight::Flight;
use crate::memory::{BuildError, Memory, MemoryBuilder};
use crate::metrics::LoadMeters;

/// Builds a [`Cache`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct CacheBuilder<K, V> {
    config: Config,
    name: Cow<'static, str>,
    memory: MemoryBuilder<K, V>,
}

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Starts building a cache.
    pub fn builder() -> CacheBuilder<K, V> {
        CacheBuilder {
            config: Config::default(),
            name: Cow::Borrowed("cache"),
            memory: Memory::builder(),
        }
    }
}

impl<K, V> CacheBuilder<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Takes every plain setting from `config`.
    pub const fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The cache's name in metrics, one of few. Default: `cache`.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Says how many bytes a key and a value hold beyond their own fixed sizes; see
    /// [`MemoryBuilder::weigher`].
    pub fn weigher(mut self, weigh: impl Fn(&K, &V) -> u64 + Send + Sync + 'static) -> Self {
        self.memory = self.memory.weigher(weigh);
        self
    }

    /// The clock that TTLs run on; see [`MemoryBuilder::clock`].
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.memory = self.memory.clock(clock);
        self
    }

    /// Checks the settings and makes the cache.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn build(self) -> Result<Cache<K, V>, BuildError> {
        if self.config.max_loads == 0 {
            return Err(BuildError::NoLoads);
        }
        let flight = Flight::metered(self.config.max_loads, LoadMeters::new(&self.name));
        let memory = self
            .memory
            .max_weight(self.config.max_size)
            .ttl(self.config.ttl)
            .name(self.name)
            .build()?;
        Ok(Cache::from_parts(memory, flight))
    }
}

impl<K, V> fmt::Debug for CacheBuilder<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheBuilder")
            .field("config", &self.config)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
