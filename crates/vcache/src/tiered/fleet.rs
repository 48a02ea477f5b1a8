//! One load for all processes that share a store.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, Either, select};
use tokio::time::{Instant, sleep};

use crate::store::lease::{Acquired, Lease, LeaseStore, Released};
use crate::store::{Keeping, StoreError};

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

/// A [`LeaseStore`]'s methods for one that is only known as a store.
pub(super) struct Leasing<S> {
    fleet: Fleet,
    acquire: for<'a> fn(&'a S, &'a str, Duration) -> Answer<'a, Acquired>,
    extend: for<'a> fn(&'a S, &'a Lease, Duration) -> Answer<'a, bool>,
    fill: for<'a> fn(&'a S, &'a Lease, Bytes, Keeping<'a>) -> Answer<'a, bool>,
    release: for<'a> fn(&'a S, &'a Lease) -> Answer<'a, bool>,
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

impl<S> Leasing<S> {
    /// Whether each lease would be over at once.
    pub(super) const fn is_void(&self) -> bool {
        self.fleet.lease.is_zero()
    }
}

/// Whose turn it is.
pub(super) enum Turn<T> {
    /// Ours, for all.
    Ours(Lease),
    /// Somebody else's, and this is what came of it.
    Theirs(T),
    /// Each loads for itself: the store cannot tell, or whose turn it was has failed or takes too
    /// long.
    Everybodys,
}

impl<S> Leasing<S> {
    /// Takes the turn or waits for the one whose turn it is. `read` looks whether there is a value.
    ///
    /// Whose turn it is has a lease. If it ends without a value because the load failed, the others
    /// do not take turns at failing: then each loads for itself, all at once.
    pub(super) async fn turn<T, Fut>(&self, store: &S, key: &str, read: impl Fn() -> Fut) -> Turn<T>
    where
        Fut: Future<Output = Option<T>>,
    {
        // None is never.
        let end = Instant::now().checked_add(self.fleet.wait);
        loop {
            match (self.acquire)(store, key, self.fleet.lease).await {
                Ok(Acquired::Held(lease)) => return self.begun(store, lease, read().await).await,
                Ok(Acquired::Busy) => {}
                Err(_) => return Turn::Everybodys,
            }
            let left =
                end.map_or(self.fleet.wait, |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Turn::Everybodys;
            }
            let Ok(released) = (self.released)(store, key, left).await else {
                return Turn::Everybodys;
            };
            match read().await {
                Some(found) => return Turn::Theirs(found),
                None if released == Released::GivenUp => return Turn::Everybodys,
                None => {}
            }
        }
    }

    /// Begins a turn, unless the one before has just ended with a value.
    async fn begun<T>(&self, store: &S, lease: Lease, found: Option<T>) -> Turn<T> {
        let Some(found) = found else { return Turn::Ours(lease) };
        self.give_up(store, &lease).await;
        Turn::Theirs(found)
    }

    /// Loads, and meanwhile gives signs of life.
    pub(super) async fn led<T>(
        &self,
        store: &S,
        lease: &Lease,
        load: impl Future<Output = T>,
    ) -> T {
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
        store: &S,
        lease: &Lease,
        value: Bytes,
        keeping: Keeping<'_>,
    ) -> Result<(), StoreError> {
        let filled = (self.fill)(store, lease, value, keeping).await;
        if filled.is_err() {
            self.give_up(store, lease).await;
        }
        // If the lease was over, somebody else has loaded, later.
        filled.map(drop)
    }

    /// There will be no value.
    pub(super) async fn give_up(&self, store: &S, lease: &Lease) {
        // If that fails, the lease ends by itself.
        drop((self.release)(store, lease).await);
    }
}
