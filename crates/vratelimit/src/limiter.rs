//! `Limiter`: a quota and a store make a decision.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use crate::decision::Decision;
use crate::error::{BuildError, StoreError};
use crate::key::Key;
use crate::metrics::Meters;
use crate::quota::Quota;
use crate::store::Store;
use crate::store::memory::{MemoryStore, StoreStats};

/// Decides by one quota for many keys.
///
/// A handle: clones share the quota and the state, and so do the layers and workers that hold
/// them. Made by [`Limiter::builder`] or [`Limiter::new`].
///
/// ```
/// use vratelimit::{Config, Limiter};
///
/// let limiter = Limiter::new(&Config {
///     rate: "1/m".parse().unwrap(),
///     ..Config::default()
/// })
/// .unwrap();
/// assert!(limiter.check_now("alice").allowed);
/// assert!(!limiter.check_now("alice").allowed);
/// assert!(limiter.check_now("bob").allowed);
/// ```
pub struct Limiter<S = MemoryStore> {
    inner: Arc<Inner<S>>,
}

struct Inner<S> {
    name: Arc<str>,
    quota: ArcSwap<Quota>,
    cost: NonZeroU32,
    store: S,
    meters: Meters,
}

impl<S> Limiter<S> {
    pub(crate) fn from_parts(name: Arc<str>, quota: Quota, cost: NonZeroU32, store: S) -> Self {
        let meters = Meters::new(&name);
        Self {
            inner: Arc::new(Inner {
                name,
                quota: ArcSwap::from_pointee(quota),
                cost,
                store,
                meters,
            }),
        }
    }

    /// The limiter's name, as in metrics and in `RateLimit-Policy`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The quota in force.
    #[must_use]
    pub fn quota(&self) -> Quota {
        **self.inner.quota.load()
    }

    /// Puts another quota in force, for all handles and from the next decision on. What keys have
    /// spent stays spent: it is kept as the time until they have all back.
    ///
    /// # Errors
    ///
    /// Fails when a request costs more than the new burst.
    pub fn set_quota(&self, quota: Quota) -> Result<(), BuildError> {
        let (burst, cost) = (quota.burst(), self.inner.cost);
        if burst < cost {
            return Err(BuildError::BurstBelowCost { burst, cost });
        }
        self.inner.quota.store(Arc::new(quota));
        Ok(())
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &S {
        &self.inner.store
    }
}

impl<S: Store> Limiter<S> {
    /// Decides on one request of `key`, in any store.
    ///
    /// Cancel safe: dropped before it is done, it has spent the request's cost or nothing.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot answer; that says nothing about the key.
    pub async fn check(&self, key: impl Into<Key<'_>> + Send) -> Result<Decision, StoreError> {
        let (key, quota) = (key.into(), self.quota());
        let inner = &*self.inner;
        let decision = inner.store.spend(key, &quota, inner.cost).await?;
        inner.meters.decided(decision.allowed);
        Ok(decision)
    }
}

#[expect(single_use_lifetimes, reason = "anonymous lifetimes in `impl Trait` are unstable")]
impl Limiter<MemoryStore> {
    /// Decides on one request of `key`, now: without waiting and without allocation.
    #[must_use = "the decision is what the request was counted for"]
    pub fn check_now<'k>(&self, key: impl Into<Key<'k>>) -> Decision {
        self.check_at(key, Instant::now())
    }

    /// The same at `now`, for callers that have read the clock already.
    #[must_use = "the decision is what the request was counted for"]
    pub fn check_at<'k>(&self, key: impl Into<Key<'k>>, now: Instant) -> Decision {
        self.spend_at(key, self.inner.cost, now)
    }

    /// Spends `cost` units of `key` at `now`, if it has them, instead of what a request costs.
    #[must_use = "the decision is what the units were spent for"]
    pub fn spend_at<'k>(
        &self,
        key: impl Into<Key<'k>>,
        cost: NonZeroU32,
        now: Instant,
    ) -> Decision {
        let inner = &*self.inner;
        let quota = inner.quota.load();
        let spent = inner.store.spend_told(key.into(), &quota, cost, now);
        inner.meters.decided(spent.decision.allowed);
        if let Some(keys) = spent.keys {
            inner.meters.held(keys, spent.evicted);
        }
        spent.decision
    }

    /// What the limiter has seen since it was made; walks over all keys.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        self.inner.store.stats()
    }
}

impl<S> Clone for Limiter<S> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<S: fmt::Debug> fmt::Debug for Limiter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter")
            .field("name", &self.inner.name)
            .field("quota", &self.quota())
            .field("cost", &self.inner.cost)
            .field("store", &self.inner.store)
            .finish_non_exhaustive()
    }
}
