//! Who loads: this process for itself, or one for all that share the store.

use std::future::Future;

use super::below::{Below, Found};
#[cfg(feature = "tokio")]
use super::fleet::Turn;
use crate::store::Store;
use crate::store::codec::Codec;
#[cfg(feature = "tokio")]
use crate::store::lease::Lease;

/// Who loads.
pub(super) enum Lead<V> {
    /// Nobody any more: another process has.
    #[cfg_attr(not(feature = "tokio"), expect(dead_code, reason = "leases need a timer"))]
    Found(Found<V>),
    /// This process, for all.
    #[cfg(feature = "tokio")]
    Fleet(Lease),
    /// This process, for itself.
    Alone,
}

impl<S: Store, C> Below<S, C> {
    /// Finds out who loads `key`, waiting for another process if it does. `enough` says which values
    /// will do.
    pub(super) async fn lead<V>(&self, key: &str, enough: impl Fn(&Found<V>) -> bool) -> Lead<V>
    where
        C: Codec<V>,
    {
        #[cfg(feature = "tokio")]
        if let Some(leasing) = self.leasing().filter(|_| !self.tier.is_open()) {
            let read = || async { self.read::<V>(key).await.filter(&enough) };
            return match leasing.turn(self.tier.store(), key, read).await {
                Turn::Ours(lease) => Lead::Fleet(lease),
                Turn::Theirs(found) => Lead::Found(found),
                Turn::Everybodys => Lead::Alone,
            };
        }
        let _ = (key, enough);
        Lead::Alone
    }

    /// Loads.
    pub(super) async fn led<V, T>(&self, lead: &Lead<V>, load: impl Future<Output = T>) -> T {
        #[cfg(feature = "tokio")]
        if let (Lead::Fleet(lease), Some(leasing)) = (lead, self.leasing()) {
            return leasing.led(self.tier.store(), lease, load).await;
        }
        let _ = lead;
        load.await
    }

    /// There is nothing to store.
    pub(super) async fn give_up<V>(&self, lead: Lead<V>) {
        #[cfg(feature = "tokio")]
        if let (Lead::Fleet(lease), Some(leasing)) = (&lead, self.leasing()) {
            leasing.give_up(self.tier.store(), lease).await;
        }
        drop(lead);
    }
}
