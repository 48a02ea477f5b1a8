//! Building the engine: the settings, checked once.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::Memory;
use super::engine::{Blueprint, Engine, Weigher};
use super::keep::Life;
use super::listener::Listener;
use super::sampler::Sampler;
use crate::cause::Cause;
use crate::clock::{Clock, SystemClock};
use crate::metrics::Meters;

/// A shard is worth its lock from this share of the bound on.
const LEAST_SHARE: u64 = 64 * 1024;
/// Shards beyond this only cost memory.
const MOST_SHARDS: usize = 256;

/// Why a cache could not be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The bound is below one entry's own overhead and not zero; it counts bytes, not entries.
    #[error("a cache of {max_weight} bytes holds nothing: one entry alone takes {least}")]
    TooSmall {
        /// The bound that was asked for.
        max_weight: u64,
        /// The smallest bound.
        least: u64,
    },
    /// The number of shards is zero, above 256, or not a power of two.
    #[error("{0} shards; the number must be a power of two, and 256 at most")]
    Shards(usize),
    /// No load may run at all.
    #[error("max_loads is 0, so that nothing could ever be loaded")]
    NoLoads,
}

/// Builds a [`Memory`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct MemoryBuilder<K, V> {
    max_weight: u64,
    ttl: Option<Duration>,
    tti: Option<Duration>,
    jitter_percent: u8,
    shards: Option<usize>,
    weigher: Weigher<K, V>,
    listener: Option<Listener<K, V>>,
    curve_keys: usize,
    clock: Arc<dyn Clock>,
    name: Cow<'static, str>,
    of: PhantomData<(K, V)>,
}

impl<K, V> MemoryBuilder<K, V> {
    pub(super) fn new() -> Self {
        Self {
            max_weight: 64 << 20,
            ttl: None,
            tti: None,
            jitter_percent: 0,
            shards: None,
            weigher: None,
            listener: None,
            curve_keys: 0,
            clock: Arc::new(SystemClock::new()),
            name: Cow::Borrowed("memory"),
            of: PhantomData,
        }
    }

    /// The bound in bytes on all entries together. Default: 64 MiB.
    ///
    /// An entry weighs what the weigher says and [`Memory::overhead`] on top, and 24 bytes more
    /// with a time to idle. Zero stores nothing; [`Memory::resize`] changes it later.
    pub const fn max_weight(mut self, bytes: u64) -> Self {
        self.max_weight = bytes;
        self
    }

    /// How long an entry lives when its insertion does not say. Default: `None`, until it is
    /// evicted. Zero means that nothing is stored; centuries mean for ever.
    pub const fn ttl(mut self, ttl: Option<Duration>) -> Self {
        self.ttl = ttl;
        self
    }

    /// How long an entry stays since it was last returned, when its insertion does not say.
    /// Default: `None`. Zero means that nothing is stored; centuries mean for ever. Every hit
    /// then asks the clock: [`CoarseClock`](crate::CoarseClock) is the cheap one.
    pub const fn tti(mut self, tti: Option<Duration>) -> Self {
        self.tti = tti;
        self
    }

    /// By how many percent at most a TTL is shortened, each time at random, so that what was
    /// stored together does not expire together. Default: 0. Above 100 counts as 100.
    pub const fn ttl_jitter_percent(mut self, percent: u8) -> Self {
        self.jitter_percent = percent;
        self
    }

    /// Called for each entry that leaves, and for each value that is not stored, with the cause;
    /// not for what is there when the cache is dropped. It runs on the thread whose call made the
    /// entry leave, after the locks are released and before the call returns.
    ///
    /// It may call the cache. Calls of itself that it causes so run inside of it, eight deep at
    /// most; what leaves deeper down is not told, and counted in
    /// [`Stats::listener_unheard`](crate::Stats::listener_unheard). Its panics end with it, are
    /// counted in [`Stats::listener_panics`](crate::Stats::listener_panics), and change nothing.
    /// Threads may be inside of it at once; for one key, two calls of different threads may come
    /// in another order than the entries left.
    ///
    /// ```
    /// use std::sync::mpsc::channel;
    /// use vcache::{Cause, Memory};
    ///
    /// let (sender, left) = channel();
    /// let cache = Memory::builder()
    ///     .listener(move |key: &&str, value: &u32, cause| {
    ///         let _ = sender.send((*key, *value, cause));
    ///     })
    ///     .build()?;
    /// cache.insert("a", 1);
    /// cache.insert("a", 2);
    /// cache.remove("a");
    /// let left: Vec<_> = left.try_iter().collect();
    /// assert_eq!(left, [("a", 1, Cause::Replaced), ("a", 2, Cause::Removed)]);
    /// # Ok::<(), vcache::BuildError>(())
    /// ```
    pub fn listener(mut self, call: impl Fn(&K, &V, Cause) + Send + Sync + 'static) -> Self {
        self.listener = Some(Listener::new(call));
        self
    }

    /// Watches so many keys to tell how often a cache of another size would hit:
    /// [`Memory::curve`]. Default: 0, which costs nothing. 4,096 are exact to a point or two; each
    /// takes some 100 bytes beside the bound. A look-up of one of them takes a lock that all
    /// share, which shows in caches that hold no more keys than that.
    pub const fn curve_keys(mut self, keys: usize) -> Self {
        self.curve_keys = keys;
        self
    }

    /// Says how many bytes a key and a value hold beyond their own fixed sizes: what their
    /// `String`s and `Vec`s point to. Default: none. Zero is allowed, the overhead stays; sums
    /// saturate, and what comes out as [`u64::MAX`] fits no cache.
    ///
    /// Called once for each insertion, outside the locks, but for [`Memory::update`].
    pub fn weigher(mut self, weigh: impl Fn(&K, &V) -> u64 + Send + Sync + 'static) -> Self {
        self.weigher = Some(Box::new(weigh));
        self
    }

    /// The clock that TTLs run on. Default: [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The cache's name in metrics, one of few. Default: `memory`.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }

    /// How many independently locked parts the cache has. Default: four for each core, fewer for
    /// small caches. They share one bound, so the number never limits how heavy an entry may be.
    /// One shard evicts by one order; many let more threads write at once.
    pub const fn shards(mut self, shards: usize) -> Self {
        self.shards = Some(shards);
        self
    }

    /// Checks the settings and makes the cache.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn build(self) -> Result<Memory<K, V>, BuildError> {
        let least = Memory::<K, V>::overhead();
        if (1..least).contains(&self.max_weight) {
            return Err(BuildError::TooSmall { max_weight: self.max_weight, least });
        }
        let shards = self.shards.unwrap_or_else(|| shards_for(self.max_weight));
        if !shards.is_power_of_two() || shards > MOST_SHARDS {
            return Err(BuildError::Shards(shards));
        }
        let meters = Meters::new(&self.name);
        let plan = Blueprint {
            shards,
            max_weight: self.max_weight,
            life: Life::new(self.ttl, self.tti),
            jitter: f64::from(self.jitter_percent.min(100)) / 100.0,
            weigher: self.weigher,
            listener: self.listener,
            sampler: (self.curve_keys > 0).then(|| Box::new(Sampler::new(self.curve_keys))),
            clock: self.clock,
        };
        Ok(Memory::from_engine(Engine::new(plan, meters)))
    }
}

impl<K, V> fmt::Debug for MemoryBuilder<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBuilder")
            .field("max_weight", &self.max_weight)
            .field("ttl", &self.ttl)
            .field("shards", &self.shards)
            .finish_non_exhaustive()
    }
}

fn shards_for(max_weight: u64) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let worth = usize::try_from(max_weight / LEAST_SHARE).unwrap_or(MOST_SHARDS);
    let most = (4 * cores).next_power_of_two().min(MOST_SHARDS);
    // The largest power of two that the bound is worth.
    let worth = worth.checked_ilog2().map_or(1, |log| 1 << log);
    most.min(worth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_caches_have_few_shards() {
        assert_eq!(shards_for(1024), 1);
        assert_eq!(shards_for(3 * LEAST_SHARE), 2);
        assert!(shards_for(u64::MAX).is_power_of_two());
        assert!(shards_for(u64::MAX) <= MOST_SHARDS);
    }

    #[test]
    fn mistakes_are_refused() {
        let build = |max_weight, shards| {
            Memory::<u8, u8>::builder().max_weight(max_weight).shards(shards).build().map(|_| ())
        };
        let too_small = BuildError::TooSmall { max_weight: 8, least: Memory::<u8, u8>::overhead() };
        assert_eq!(build(8, 1), Err(too_small));
        assert_eq!(build(1024, 0), Err(BuildError::Shards(0)));
        assert_eq!(build(1024, 3), Err(BuildError::Shards(3)));
        assert_eq!(build(1024, 512), Err(BuildError::Shards(512)));
        assert_eq!((build(1024, 1), build(0, 1)), (Ok(()), Ok(())));
    }
}
