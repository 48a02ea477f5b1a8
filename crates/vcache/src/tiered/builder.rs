//! Building a cache of two tiers.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Tiered;
#[cfg(feature = "tokio")]
use super::fleet::{Fleet, Leasing};
use super::second::Second;
use crate::builder::CacheBuilder;
use crate::cache::Cache;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::load::account::Account;
use crate::load::flight::Flight;
use crate::memory::BuildError;
use crate::metrics::StoreMeters;
use crate::store::Store;
use crate::store::codec::Codec;
#[cfg(feature = "tokio")]
use crate::store::lease::LeaseStore;

/// Builds a [`Tiered`] cache.
#[must_use = "a builder does nothing until `build` is called"]
pub struct TieredBuilder<V, S, C> {
    config: Config,
    name: Cow<'static, str>,
    first: CacheBuilder<Arc<str>, V>,
    store: S,
    codec: C,
    clock: Arc<dyn Clock>,
    pause: Duration,
    #[cfg(feature = "tokio")]
    leasing: Option<Leasing<S>>,
}

impl<V, S, C> TieredBuilder<V, S, C>
where
    V: Clone + Send + Sync + 'static,
    S: Store,
    C: Codec<V>,
{
    pub(super) fn new(store: S, codec: C) -> Self {
        Self {
            config: Config::default(),
            name: Cow::Borrowed("tiered"),
            // Weighing keys is right for any value; what values hold, only the user knows.
            first: Cache::builder().weigher(|key: &Arc<str>, _| length(key)),
            store,
            codec,
            clock: Arc::new(SystemClock::new()),
            pause: Duration::from_secs(1),
            #[cfg(feature = "tokio")]
            leasing: None,
        }
    }

    /// Has processes that share the store load a missing key once for all of them: one takes a
    /// lease and loads, the others wait for its value and load none. If the one that loads dies,
    /// another takes over; if its load fails, or the store is away, each loads for itself. Costs
    /// two more round trips a load.
    ///
    /// Loads need a tokio runtime with a timer then.
    #[cfg(feature = "tokio")]
    pub fn fleet(mut self, fleet: Fleet) -> Self
    where
        S: LeaseStore,
    {
        self.leasing = Some(Leasing::new(fleet));
        self
    }

    /// Settings of the memory tier.
    pub const fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The cache's name in metrics, one of few. Default: `tiered`.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Says how many bytes a value holds in memory beyond its own fixed size. Default: none;
    /// keys are weighed in any case.
    pub fn weigher(mut self, weigh: impl Fn(&V) -> u64 + Send + Sync + 'static) -> Self {
        self.first = self
            .first
            .weigher(move |key: &Arc<str>, value| weigh(value).saturating_add(length(key)));
        self
    }

    /// The clock of the memory tier's TTLs and of the pause. Default: [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// How long reads leave the store alone after a failure that time may heal. Default: one
    /// second. Shorter recovers sooner; zero makes every miss wait for the store's timeout while
    /// it is away.
    pub const fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Checks the settings and makes the cache.
    ///
    /// # Errors
    ///
    /// See [`BuildError`](crate::BuildError).
    pub fn build(self) -> Result<Tiered<V, S, C>, BuildError> {
        let max = self.config.max_loads;
        let meters = StoreMeters::new(&self.name);
        let reads = Arc::new(Account::new(&format!("{}-reads", self.name)));
        let first = self
            .first
            .config(self.config)
            .name(self.name)
            .clock(Arc::clone(&self.clock))
            .build()?;
        let second = Second::new(self.store, self.codec, self.clock, self.pause, meters);
        #[cfg(feature = "tokio")]
        let second = second.leased(self.leasing);
        Ok(Tiered::from_parts(first, Flight::counted(max, reads), second))
    }
}

/// What a shared key holds: its bytes and two reference counts.
fn length(key: &Arc<str>) -> u64 {
    u64::try_from(key.len() + 2 * size_of::<usize>()).unwrap_or(u64::MAX)
}

impl<V, S, C> fmt::Debug for TieredBuilder<V, S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TieredBuilder")
            .field("config", &self.config)
            .field("name", &self.name)
            .field("pause", &self.pause)
            .finish_non_exhaustive()
    }
}
