//! Tags and leases of a chain: the farther store's, and what they do to the nearer one.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;

use super::chain::Chain;
use super::tier::Tier;
use crate::store::lease::{Acquired, Lease, LeaseStore, Released};
use crate::store::{Keeping, Moment, Store, StoreError, Stored, TagStore};

/// Both stores keep the tags, if the chain was made by [`tagged`](Chain::tagged); else what has
/// tags is in the farther one alone. What was loaded since an earlier [`moment`](TagStore::moment)
/// goes to the farther one, which knows what was invalidated meanwhile.
impl<A: TagStore, B: TagStore> TagStore for Chain<A, B> {
    async fn set_tagged(
        &self,
        key: &str,
        value: Bytes,
        keeping: Keeping<'_>,
    ) -> Result<(), StoreError> {
        let far = self.far().set_tagged(key, value.clone(), keeping);
        let near = keeping.since.is_none().then(|| stored(value, keeping));
        self.written(key, far, |()| true, near).await
    }

    async fn invalidate_tags(&self, tags: &[&str]) -> Result<(), StoreError> {
        let far = self.far().invalidate_tags(tags).await;
        let near = self.everywhere(self.near().invalidate_tags(tags)).await;
        far.and(near)
    }

    fn moment(&self) -> Moment {
        self.far().moment()
    }
}

/// The farther store's leases: it is what processes share.
impl<A: Store, B: LeaseStore> LeaseStore for Chain<A, B> {
    async fn acquire(&self, key: &str, ttl: Duration) -> Result<Acquired, StoreError> {
        self.far().acquire(key, ttl).await
    }

    async fn extend(&self, lease: &Lease, ttl: Duration) -> Result<bool, StoreError> {
        self.far().extend(lease, ttl).await
    }

    async fn fill(
        &self,
        lease: &Lease,
        value: Bytes,
        keeping: Keeping<'_>,
    ) -> Result<bool, StoreError> {
        let far = self.far().fill(lease, value.clone(), keeping);
        // Without tags it does not matter what was invalidated since.
        let fits = keeping.since.is_none() || keeping.tags.is_empty();
        let near = fits.then(|| stored(value, keeping));
        self.written(lease.key(), far, |filled| *filled, near).await
    }

    async fn release(&self, lease: &Lease) -> Result<bool, StoreError> {
        self.far().release(lease).await
    }

    async fn released(&self, key: &str, most: Duration) -> Result<Released, StoreError> {
        self.far().released(key, most).await
    }
}

fn stored(value: Bytes, keeping: Keeping<'_>) -> Stored {
    Stored::new(value, keeping.ttl).tagged(keeping.tags.iter().copied())
}

/// Waiting for a lease's end has no other limit than its own.
impl<S: LeaseStore> LeaseStore for Tier<S> {
    async fn acquire(&self, key: &str, ttl: Duration) -> Result<Acquired, StoreError> {
        self.guarded(false, self.store().acquire(key, ttl)).await
    }

    async fn extend(&self, lease: &Lease, ttl: Duration) -> Result<bool, StoreError> {
        self.guarded(false, self.store().extend(lease, ttl)).await
    }

    async fn fill(
        &self,
        lease: &Lease,
        value: Bytes,
        keeping: Keeping<'_>,
    ) -> Result<bool, StoreError> {
        let keeping = Keeping { ttl: self.capped(keeping.ttl), ..keeping };
        self.guarded(true, self.store().fill(lease, value, keeping)).await
    }

    async fn release(&self, lease: &Lease) -> Result<bool, StoreError> {
        self.guarded(true, self.store().release(lease)).await
    }

    fn released(
        &self,
        key: &str,
        most: Duration,
    ) -> impl Future<Output = Result<Released, StoreError>> + Send {
        self.store().released(key, most)
    }
}
