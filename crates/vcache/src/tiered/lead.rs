//! Who loads: this process for itself, or one for all that share the store.

use std::future::Future;
use std::time::Duration;

use super::second::Second;
use crate::store::Store;
use crate::store::codec::Codec;
#[cfg(feature = "tokio")]
use crate::{
    store::{Keeping, lease::Lease},
    tiered::fleet::Turn,
};

/// Who loads.
pub(super) enum Lead<V> {
    /// Nobody any more: another process has.
    #[cfg_attr(not(feature = "tokio"), expect(dead_code, reason = "leases need a timer"))]
    Found(V, Option<Duration>),
    /// This process, for all.
    #[cfg(feature = "tokio")]
    Fleet(Lease, tokio::time::Instant),
    /// This process, for itself.
    Alone,
}

impl<S: Store, C> Second<S, C> {
    /// Finds out who loads `key`, waiting for another process if it does.
    pub(super) async fn lead<V>(&self, key: &str) -> Lead<V>
    where
        C: Codec<V>,
    {
        #[cfg(feature = "tokio")]
        if let Some(leasing) = self.leasing().filter(|_| !self.is_away()) {
            return match leasing.turn(&self.store, key, || self.read::<V>(key)).await {
                Turn::Ours(lease) => Lead::Fleet(lease, tokio::time::Instant::now()),
                Turn::Theirs((value, left)) => Lead::Found(value, left),
                Turn::Everybodys => Lead::Alone,
            };
        }
        let _ = key;
        Lead::Alone
    }

    /// Loads.
    pub(super) async fn led<V, T>(&self, lead: &Lead<V>, load: impl Future<Output = T>) -> T {
        #[cfg(feature = "tokio")]
        if let (Lead::Fleet(lease, _), Some(leasing)) = (lead, self.leasing()) {
            return leasing.led(&self.store, lease, load).await;
        }
        let _ = lead;
        load.await
    }

    /// Stores what was loaded, if there is something to store.
    pub(super) async fn end<V>(
        &self,
        lead: Lead<V>,
        key: &str,
        value: Option<&V>,
        ttl: Option<Duration>,
    ) where
        C: Codec<V>,
    {
        #[cfg(feature = "tokio")]
        if let (Lead::Fleet(lease, begun), Some(leasing)) = (&lead, self.leasing()) {
            match value.and_then(|value| self.encoded(value)) {
                Some(bytes) => {
                    let load_time = Some(begun.elapsed());
                    let keeping = Keeping { ttl, load_time, ..Keeping::default() };
                    drop(self.noted(leasing.fill(&self.store, lease, bytes, keeping).await));
                }
                None => leasing.give_up(&self.store, lease).await,
            }
            return;
        }
        drop(lead);
        if let Some(value) = value {
            self.fill(key, value, ttl).await;
        }
    }
}
