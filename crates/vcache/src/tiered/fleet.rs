//! One load for all processes that share a store.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, Either, select};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use super::tier::Tier;
use crate::store::lease::{Acquired, Lease, LeaseStore, Released};
use crate::store::{Keeping, Store, StoreError};

/// How processes that share a store load a missing key once for all of them; see
/// [`TieredBuilder::fleet`](crate::TieredBuilder::fleet).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Fleet {
    /// How long the process that loads may give no sign of life before another takes over. Default:
    /// 3 s. It gives one every third of it, as long as the load may take. Short survives its end
    /// sooner; shorter than a process or the network may pause, two load.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub lease: Duration,
    /// How long a process waits for another's load in all; then it loads by itself. Default: 10 s.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub wait: Duration,
}

impl Default for Fleet {
    fn default() -> Self {
        Self { lease: Duration::from_secs(3), wait: Duration::from_secs(10) }
    }
}

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

type Release<S> = for<'a> fn(&'a S, &'a Lease) -> Answer<'a, bool>;

/// A [`LeaseStore`]'s methods for one that is only known as a store.
pub(super) struct Leasing<S> {
    fleet: Fleet,
    acquire: for<'a> fn(&'a S, &'a str, Duration) -> Answer<'a, Acquired>,
    extend: for<'a> fn(&'a S, &'a Lease, Duration) -> Answer<'a, bool>,
    fill: for<'a> fn(&'a S, &'a Lease, Bytes, Keeping<'a>) -> Answer<'a, bool>,
    release: Release<S>,
    released: for<'a> fn(&'a S, &'a str, Duration) -> Answer<'a, Released>,
}

impl<S: LeaseStore> Leasing<S> {
    pub(super) fn new(fleet: Fleet) -> Self {
        Self {
            fleet,
            acquire: |store, key, ttl| Box::pin(store.acquire(key, ttl)),
            extend: |store, lease, ttl| Box::pin(store.extend(lease, ttl)),
            fill: |store, lease, value, keeping| Box::pin(store.fill(lease, value, keeping)),
            release: |store, lease| Box::pin(store.release(lease)),
            released: |store, key, most| Box::pin(store.released(key, most)),
        }
    }
}

impl<S: Store> Leasing<S> {
    /// Whether each lease would be over at once.
    pub(super) const fn is_void(&self) -> bool {
        self.fleet.lease.is_zero()
    }
}

/// A lease that is ours. Dropped before its end was told, because the load was dropped, it is given
/// back in the background: nobody waits for a value that will not come.
pub(super) struct Held<S: Store> {
    lease: Option<Lease>,
    tier: Tier<S>,
    release: Release<S>,
    runtime: Handle,
}

impl<S: Store> Held<S> {
    const fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// There will be no value.
    pub(super) async fn give_up(mut self) {
        if let Some(lease) = &self.lease {
            // If that fails, the lease ends by itself.
            drop((self.release)(self.tier.store(), lease).await);
        }
        self.lease = None;
    }
}

impl<S: Store> Drop for Held<S> {
    fn drop(&mut self) {
        let Some(lease) = self.lease.take() else { return };
        let (tier, release) = (self.tier.clone(), self.release);
        // A task without an owner, because whoever could own it is going. It ends within the
        // store's own limits.
        drop(self.runtime.spawn(async move { drop((release)(tier.store(), &lease).await) }));
    }
}

/// Whose turn it is.
pub(super) enum Turn<T, S: Store> {
    /// Ours, for all.
    Ours(Held<S>),
    /// Somebody else's, and this is what came of it.
    Theirs(T),
    /// Each loads for itself: the store cannot tell, or whose turn it was has failed or takes too
    /// long.
    Everybodys,
}

impl<S: Store> Leasing<S> {
    /// Takes the turn or waits for the one whose turn it is. `read` looks whether there is a value.
    ///
    /// Whose turn it is has a lease. If it ends without a value because the load failed, the others
    /// do not take turns at failing: then each loads for itself, all at once.
    pub(super) async fn turn<T, Fut>(
        &self,
        tier: &Tier<S>,
        key: &str,
        read: impl Fn() -> Fut,
    ) -> Turn<T, S>
    where
        Fut: Future<Output = Option<T>>,
    {
        // None is never.
        let end = Instant::now().checked_add(self.fleet.wait);
        loop {
            match self.acquired(tier, key).await {
                Ok(Some(held)) => return begun(held, read().await).await,
                Ok(None) => {}
                Err(_) => return Turn::Everybodys,
            }
            let left =
                end.map_or(self.fleet.wait, |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Turn::Everybodys;
            }
            let Ok(released) = (self.released)(tier.store(), key, left).await else {
                return Turn::Everybodys;
            };
            match read().await {
                Some(found) => return Turn::Theirs(found),
                None if released == Released::GivenUp => return Turn::Everybodys,
                None => {}
            }
        }
    }

    /// Takes the lease, if nobody has it. In a task of its own: if nobody waits for the answer any
    /// more when it comes, the lease is given back.
    async fn acquired(&self, tier: &Tier<S>, key: &str) -> Result<Option<Held<S>>, StoreError> {
        let runtime = Handle::current();
        let (acquire, release, ttl) = (self.acquire, self.release, self.fleet.lease);
        let (tier, key, own) = (tier.clone(), key.to_owned(), runtime.clone());
        let acquiring = runtime.spawn(async move {
            match acquire(tier.store(), &key, ttl).await? {
                Acquired::Held(lease) => {
                    Ok(Some(Held { lease: Some(lease), tier, release, runtime: own }))
                }
                Acquired::Busy => Ok(None),
            }
        });
        acquiring.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Loads, and meanwhile gives signs of life.
    pub(super) async fn led<T>(&self, held: &Held<S>, load: impl Future<Output = T>) -> T {
        let Some(lease) = held.lease() else { return load.await };
        let store = held.tier.store();
        let mut load = pin!(load);
        loop {
            let pause = pin!(sleep(self.fleet.lease / 3));
            match select(load, pause).await {
                Either::Left((loaded, _)) => return loaded,
                Either::Right(((), rest)) => load = rest,
            }
            // If that fails, the lease may end, and then two load.
            let extended = pin!((self.extend)(store, lease, self.fleet.lease));
            match select(load, extended).await {
                Either::Left((loaded, _)) => return loaded,
                Either::Right((_, rest)) => load = rest,
            }
        }
    }

    /// Keeps what was loaded, for all.
    pub(super) async fn fill(
        &self,
        mut held: Held<S>,
        value: Bytes,
        keeping: Keeping<'_>,
    ) -> Result<(), StoreError> {
        let Some(lease) = held.lease() else { return Ok(()) };
        let filled = (self.fill)(held.tier.store(), lease, value, keeping).await;
        match filled {
            Ok(_) => held.lease = None,
            Err(_) => held.give_up().await,
        }
        // If the lease was over, somebody else has loaded, later.
        filled.map(drop)
    }
}

/// Begins a turn, unless the one before has just ended with a value.
async fn begun<T, S: Store>(held: Held<S>, found: Option<T>) -> Turn<T, S> {
    let Some(found) = found else { return Turn::Ours(held) };
    held.give_up().await;
    Turn::Theirs(found)
}
