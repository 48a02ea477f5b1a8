//! Building a cache of several tiers.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::Tiered;
use super::below::Below;
use super::chain::WritePolicy;
use super::error::TieredBuildError;
#[cfg(feature = "tokio")]
use super::fleet::{Fleet, Leasing};
use super::near::{Drops, Memories, Near};
use super::tier::{Tier, TierConfig};
use crate::builder::CacheBuilder;
use crate::cache::Cache;
use crate::clock::{Clock, SystemClock};
#[cfg(feature = "redis")]
use crate::coherence::config::CoherenceConfig;
#[cfg(feature = "redis")]
use crate::coherence::link::Link;
use crate::config::Config;
use crate::load::account::Account;
use crate::load::flight::Flight;
use crate::store::codec::Codec;
#[cfg(feature = "tokio")]
use crate::store::lease::LeaseStore;
#[cfg(feature = "redis")]
use crate::store::redis::RedisStore;
use crate::store::{Outdated, Store};

/// Builds a [`Tiered`] cache.
#[must_use = "a builder does nothing until `build` is called"]
pub struct TieredBuilder<V, S, C> {
    config: Config,
    name: Cow<'static, str>,
    first: CacheBuilder<Arc<str>, V>,
    store: S,
    codec: C,
    clock: Arc<dyn Clock>,
    tier: TierConfig,
    policy: WritePolicy,
    #[cfg(feature = "redis")]
    coherence: Option<(RedisStore, CoherenceConfig)>,
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
            tier: TierConfig::default(),
            policy: WritePolicy::default(),
            #[cfg(feature = "redis")]
            coherence: None,
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

    /// Settings of the memory tier, and of loads.
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

    /// The clock of the memory tier's TTLs and of the breaker's pauses. Default: [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Settings of the store's tier: longest life, time limit and breaker. A store that is a
    /// [`Tier`] or a [`Chain`](crate::Chain) has its own, and no others.
    pub const fn tier(mut self, tier: TierConfig) -> Self {
        self.tier = tier;
        self
    }

    /// Whether what is inserted stays in memory. Default: it does.
    pub const fn write_policy(mut self, policy: WritePolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Keeps the memories of all processes coherent that share `redis`: what one changes, the
    /// others drop. Give a handle of the store behind memory; no tier may stand between them,
    /// because it would keep what memory has dropped. Needs a tokio runtime. The README says what
    /// is guaranteed.
    #[cfg(feature = "redis")]
    pub fn coherent(mut self, redis: &RedisStore, config: CoherenceConfig) -> Self {
        self.coherence = Some((redis.clone(), config));
        self
    }

    /// Checks the settings and makes the cache.
    ///
    /// # Errors
    ///
    /// See [`TieredBuildError`].
    pub fn build(self) -> Result<Tiered<V, S, C>, TieredBuildError> {
        let max = self.config.max_loads;
        let account = Arc::new(Account::new(&format!("{}-reads", self.name)));
        let reads = Flight::counted(max, account);
        let clock = Arc::clone(&self.clock);
        let first = self.first.config(self.config).name(self.name.clone()).clock(self.clock);
        let first = first.build()?;
        let tier = Tier::with_clock(&self.name, self.store, self.tier, Arc::clone(&clock));
        let memories = Arc::new(Memories {
            first: first.clone(),
            reads: reads.clone(),
            store: {
                let tier = tier.clone();
                Box::new(move |what| tier.outdated(what))
            },
        });
        #[cfg(feature = "redis")]
        let terms = self.coherence.as_ref().map(|(_, config)| config.terms()).transpose()?;
        #[cfg(not(feature = "redis"))]
        let terms = None;
        let drops: Arc<dyn Drops> = Arc::clone(&memories) as Arc<dyn Drops>;
        if terms.is_some() {
            // Until a connection is there that tells.
            drops.tell(Outdated::Unheard);
        }
        let near = Arc::new(Near::new(Arc::downgrade(&drops), clock, terms));
        #[cfg(feature = "redis")]
        let link = match &self.coherence {
            Some((redis, config)) => {
                Some(Arc::new(Link::new(&self.name, redis, config, Arc::clone(&near))?))
            }
            None => None,
        };
        let below = Below::new(tier, self.codec);
        #[cfg(feature = "tokio")]
        let below = below.leased(checked(self.leasing)?);
        Ok(Tiered {
            first,
            reads,
            memories,
            below: Arc::new(below),
            near,
            policy: self.policy,
            #[cfg(feature = "redis")]
            link,
        })
    }
}

#[cfg(feature = "tokio")]
fn checked<S: Store>(leasing: Option<Leasing<S>>) -> Result<Option<Leasing<S>>, TieredBuildError> {
    match &leasing {
        Some(leasing) if leasing.is_void() => Err(TieredBuildError::NoLease),
        _ => Ok(leasing),
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
            .field("tier", &self.tier)
            .finish_non_exhaustive()
    }
}
