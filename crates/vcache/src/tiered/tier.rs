//! One tier: a store with a time limit, a circuit breaker, a longest life and figures of its own.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::breaker::{Breaker, BreakerConfig, BreakerState};
use super::lifetime::shorter;
use crate::clock::{Clock, SystemClock, nanos};
use crate::metrics::{Asked, StoreMeters};
use crate::store::{Keeping, Moment, Outdated, ScanStore, Store, StoreError, Stored, TagStore};

/// Settings of a [`Tier`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct TierConfig {
    /// The longest that this tier keeps anything. Default: none, what is stored says how long.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration::option"))]
    pub ttl: Option<Duration>,
    /// How long one call of the store may take. Default: none, the store's own limit. It needs
    /// tokio's timer: outside of a runtime there is no limit.
    #[cfg(feature = "tokio")]
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration::option"))]
    pub timeout: Option<Duration>,
    /// When the store is left alone.
    pub breaker: BreakerConfig,
}

/// What became of a tier's calls so far: totals since it was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TierStats {
    /// Reads that found a value, one for each key.
    pub hits: u64,
    /// Reads that found none.
    pub misses: u64,
    /// Reads that failed.
    pub read_errors: u64,
    /// Reads that found bytes which are no value: of another version or another program.
    pub undecodable: u64,
    /// Reads that were not made, because the breaker was open.
    pub skipped: u64,
    /// All calls that failed, reads included.
    pub errors: u64,
    /// How often the breaker opened.
    pub opened: u64,
    /// What the breaker does now.
    pub breaker: BreakerState,
}

/// A [`Store`] as one of several tiers: its calls end in time, and while it is away it is left
/// alone.
///
/// After [`failures`](BreakerConfig::failures) in a row that time may heal
/// ([`StoreError::is_transient`]) the breaker opens: reads and `set` fail at once with
/// [`StoreError::Away`]. After a pause one call tries the store; if it succeeds all is as before, if
/// not the pause doubles. `delete`, `delete_many` and `clear` are always tried: a removal that did
/// not reach the store is not one. What changes is told by the log (target `vcache`), by
/// [`stats`](Self::stats) and by metrics.
///
/// [`Tiered`](crate::Tiered) makes one of the store that it is given; make your own for the stores
/// of a [`Chain`](crate::Chain). Cloning gives another handle to the same tier.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use std::time::Duration;
/// use vcache::{MemoryStore, Store, Tier, TierConfig};
///
/// let hour = TierConfig { ttl: Some(Duration::from_secs(3600)), ..TierConfig::default() };
/// let tier = Tier::new("warm", MemoryStore::new(MemoryStore::sized(16 << 20).build()?), hour);
/// tier.set("greeting", "hello".into(), None).await?;
/// assert!(tier.get("greeting").await?.unwrap().left <= Some(Duration::from_secs(3600)));
/// assert_eq!(tier.stats().hits, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct Tier<S> {
    inner: Arc<Inner<S>>,
}

struct Inner<S> {
    store: S,
    config: TierConfig,
    name: Box<str>,
    clock: Arc<dyn Clock>,
    /// None for a store that has tiers of its own.
    breaker: Option<Breaker>,
    meters: StoreMeters,
    hits: AtomicU64,
    misses: AtomicU64,
    read_errors: AtomicU64,
    undecodable: AtomicU64,
    skipped: AtomicU64,
    errors: AtomicU64,
    opened: AtomicU64,
}

impl<S: Store> Tier<S> {
    /// A tier of `store`; `name` stands in metrics and the log, one of few.
    #[must_use]
    pub fn new(name: &str, store: S, config: TierConfig) -> Self {
        Self::with_clock(name, store, config, Arc::new(SystemClock::new()))
    }

    /// The same on a clock of its own, which the breaker's pauses run on.
    #[must_use]
    pub fn with_clock(name: &str, store: S, config: TierConfig, clock: Arc<dyn Clock>) -> Self {
        let zero = || AtomicU64::new(0);
        let breaker = (!store.is_guarded()).then(|| Breaker::new(config.breaker));
        let inner = Inner {
            store,
            config,
            name: name.into(),
            clock,
            breaker,
            meters: StoreMeters::new(name),
            hits: zero(),
            misses: zero(),
            read_errors: zero(),
            undecodable: zero(),
            skipped: zero(),
            errors: zero(),
            opened: zero(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &S {
        &self.inner.store
    }

    /// The figures.
    #[must_use]
    pub fn stats(&self) -> TierStats {
        let inner = &self.inner;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TierStats {
            hits: read(&inner.hits),
            misses: read(&inner.misses),
            read_errors: read(&inner.read_errors),
            undecodable: read(&inner.undecodable),
            skipped: read(&inner.skipped),
            errors: read(&inner.errors),
            opened: read(&inner.opened),
            breaker: inner.breaker.as_ref().map_or(BreakerState::Closed, Breaker::state),
        }
    }

    /// A read whose outcome, if there is one, the caller will tell.
    pub(super) async fn look(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        let read = self.guarded(false, self.inner.store.get(key)).await;
        self.noted_read(&read, 1);
        read
    }

    /// The same for many keys.
    pub(super) async fn look_many(&self, keys: &[&str]) -> Result<Vec<Option<Stored>>, StoreError> {
        let read = self.guarded(false, self.inner.store.get_many(keys)).await;
        self.noted_read(&read, keys.len());
        read
    }

    fn noted_read<T>(&self, read: &Result<T, StoreError>, keys: usize) {
        let asked = match read {
            Ok(_) => return,
            Err(StoreError::Away) => Asked::Skipped,
            Err(_) => Asked::Error,
        };
        (0..keys).for_each(|_| self.asked(asked));
    }

    /// Counts what came of a read.
    pub(super) fn asked(&self, asked: Asked) {
        let counter = match asked {
            Asked::Hit => &self.inner.hits,
            Asked::Miss => &self.inner.misses,
            Asked::Error => &self.inner.read_errors,
            Asked::Undecodable => &self.inner.undecodable,
            Asked::Skipped => &self.inner.skipped,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.inner.meters.asked(asked);
    }

    fn found(&self, found: Option<&Stored>) {
        self.asked(if found.is_some() { Asked::Hit } else { Asked::Miss });
    }

    /// Whether a call would fail at once.
    pub(super) fn is_open(&self) -> bool {
        let open = |breaker: &Breaker| breaker.state() == BreakerState::Open;
        self.inner.breaker.as_ref().is_some_and(open)
    }

    /// Counts a failure that is not the store's.
    pub(super) fn failed(&self) {
        self.inner.errors.fetch_add(1, Ordering::Relaxed);
        self.inner.meters.failed();
    }

    /// Makes a call if the breaker lets it, or if `insist` says so. The call is in a box: those of
    /// some stores are large, and all of them take long enough.
    pub(super) fn guarded<T: Send>(
        &self,
        insist: bool,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> impl Future<Output = Result<T, StoreError>> + Send {
        let call = Box::pin(call);
        async move {
            let Some(breaker) = &self.inner.breaker else {
                return self.counted(self.in_time(call).await);
            };
            let now = || nanos(self.inner.clock.now());
            let admission = match breaker.ask(now) {
                Some((admission, half)) => {
                    if half {
                        self.changed(BreakerState::HalfOpen);
                    }
                    admission
                }
                None if insist => breaker.insist(),
                None => return Err(StoreError::Away),
            };
            let result = self.counted(self.in_time(call).await);
            let failed = result.as_ref().is_err_and(StoreError::is_transient);
            if let Some(state) = admission.end(failed, now) {
                self.changed(state);
            }
            result
        }
    }

    fn counted<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if result.is_err() {
            self.failed();
        }
        result
    }

    #[cfg(feature = "tokio")]
    async fn in_time<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        match self.inner.config.timeout {
            Some(limit) if tokio::runtime::Handle::try_current().is_ok() => {
                let ended = tokio::time::timeout(limit, call).await;
                ended.unwrap_or(Err(StoreError::Timeout(limit)))
            }
            _ => call.await,
        }
    }

    #[cfg(not(feature = "tokio"))]
    fn in_time<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> impl Future<Output = Result<T, StoreError>> {
        call
    }

    fn changed(&self, state: BreakerState) {
        let tier = &*self.inner.name;
        match state {
            BreakerState::Open => {
                self.inner.opened.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(tier, "the store is away: it is left alone for a while");
            }
            BreakerState::HalfOpen => tracing::debug!(tier, "trying the store"),
            BreakerState::Closed => tracing::info!(tier, "the store is back"),
        }
        self.inner.meters.breaker(state == BreakerState::Open);
    }

    pub(super) fn capped(&self, ttl: Option<Duration>) -> Option<Duration> {
        shorter(ttl, self.inner.config.ttl)
    }
}

impl<S: Store> Store for Tier<S> {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        let found = self.look(key).await?;
        self.found(found.as_ref());
        Ok(found)
    }

    async fn set(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<(), StoreError> {
        self.guarded(false, self.inner.store.set(key, value, self.capped(ttl))).await
    }

    async fn delete(&self, key: &str) -> Result<bool, StoreError> {
        self.guarded(true, self.inner.store.delete(key)).await
    }

    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Stored>>, StoreError> {
        let found = self.look_many(keys).await?;
        found.iter().for_each(|found| self.found(found.as_ref()));
        Ok(found)
    }

    async fn delete_many(&self, keys: &[&str]) -> Result<u64, StoreError> {
        self.guarded(true, self.inner.store.delete_many(keys)).await
    }

    async fn set_many(
        &self,
        entries: &[(&str, Bytes)],
        ttl: Option<Duration>,
    ) -> Result<(), StoreError> {
        self.guarded(false, self.inner.store.set_many(entries, self.capped(ttl))).await
    }

    async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        self.guarded(false, self.inner.store.exists(key)).await
    }

    /// No time limit: it may have much to do.
    async fn clear(&self) -> Result<(), StoreError> {
        self.counted(self.inner.store.clear().await)
    }

    fn outdated(&self, what: Outdated<'_>) {
        self.inner.store.outdated(what);
    }

    fn is_guarded(&self) -> bool {
        true
    }
}

impl<S: TagStore> TagStore for Tier<S> {
    async fn set_tagged(
        &self,
        key: &str,
        value: Bytes,
        keeping: Keeping<'_>,
    ) -> Result<(), StoreError> {
        let keeping = Keeping { ttl: self.capped(keeping.ttl), ..keeping };
        self.guarded(false, self.inner.store.set_tagged(key, value, keeping)).await
    }

    async fn invalidate_tags(&self, tags: &[&str]) -> Result<(), StoreError> {
        self.guarded(true, self.inner.store.invalidate_tags(tags)).await
    }

    fn moment(&self) -> Moment {
        self.inner.store.moment()
    }
}

/// No time limits here.
impl<S: ScanStore> ScanStore for Tier<S> {
    async fn scan(&self, prefix: &str, most: usize) -> Result<Vec<String>, StoreError> {
        self.counted(self.inner.store.scan(prefix, most).await)
    }

    async fn count(&self) -> Result<u64, StoreError> {
        self.counted(self.inner.store.count().await)
    }

    async fn delete_prefix(&self, prefix: &str) -> Result<u64, StoreError> {
        self.counted(self.inner.store.delete_prefix(prefix).await)
    }
}

impl<S> Clone for Tier<S> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<S: fmt::Debug> fmt::Debug for Tier<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tier")
            .field("name", &self.inner.name)
            .field("config", &self.inner.config)
            .field("store", &self.inner.store)
            .finish_non_exhaustive()
    }
}
