//! Who loads: this process for itself, or one for all that share the store.

use std::future::Future;

#[cfg(feature = "tokio")]
use bytes::Bytes;

use super::below::{Below, Birth, Found, Ways};
#[cfg(feature = "tokio")]
use super::fleet::Turn;
use crate::load::loaded::Loaded;
#[cfg(feature = "tokio")]
use crate::store::Keeping;
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

    /// Stores what was loaded; if that fails, the next one loads again.
    pub(super) async fn fill<V>(
        &self,
        (ways, lead): (Ways<S>, Lead<V>),
        key: &str,
        loaded: &Loaded<V>,
        birth: Birth,
        unwritten: impl Fn() -> bool,
    ) where
        C: Codec<V>,
    {
        let bytes = self.encode(&loaded.value).ok().filter(|_| !self.tier.is_open());
        let Some(bytes) = bytes else {
            return self.give_up(lead).await;
        };
        match &lead {
            #[cfg(feature = "tokio")]
            Lead::Fleet(lease) => self.fill_fenced(lease, bytes, loaded, birth).await,
            _ => drop(self.put(ways, key, bytes, loaded, birth).await),
        }
        if !unwritten() {
            // It was written or removed meanwhile, and this may have come later.
            let _ = self.tier.delete(key).await;
        }
    }

    #[cfg(feature = "tokio")]
    async fn fill_fenced<V>(&self, lease: &Lease, bytes: Bytes, loaded: &Loaded<V>, birth: Birth) {
        let tags: Vec<&str> = loaded.tags.iter().map(|tag| &**tag).collect();
        let Birth { since, load_time } = birth;
        let ttl = self.tier.capped(loaded.ttl);
        let keeping = Keeping { ttl, tags: &tags, since, load_time };
        if let Some(leasing) = self.leasing() {
            let fill = leasing.fill(self.tier.store(), lease, bytes, keeping);
            drop(self.tier.guarded(true, fill).await);
        }
    }
}
