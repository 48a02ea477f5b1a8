//! Who loads: this process for itself, or one for all that share the store.

use std::future::Future;

#[cfg(feature = "tokio")]
use bytes::Bytes;

use super::below::{Below, Birth, Found, Ways};
#[cfg(feature = "tokio")]
use super::fleet::{Held, Turn};
use crate::load::loaded::Loaded;
#[cfg(feature = "tokio")]
use crate::store::Keeping;
use crate::store::Store;
use crate::store::codec::Codec;

/// Who loads.
pub(super) enum Lead<V, S: Store> {
    /// Nobody any more: another process has.
    #[cfg_attr(not(feature = "tokio"), expect(dead_code, reason = "leases need a timer"))]
    Found(Found<V>),
    /// This process, for all.
    #[cfg(feature = "tokio")]
    Fleet(Held<S>),
    #[cfg(not(feature = "tokio"))]
    #[expect(dead_code, reason = "leases need a timer")]
    Fleet(std::marker::PhantomData<S>),
    /// This process, for itself.
    Alone,
}

impl<S: Store, C> Below<S, C> {
    /// Finds out who loads `key`, waiting for another process if it does. `enough` says which values
    /// will do.
    pub(super) async fn lead<V>(&self, key: &str, enough: impl Fn(&Found<V>) -> bool) -> Lead<V, S>
    where
        C: Codec<V>,
    {
        #[cfg(feature = "tokio")]
        if let Some(leasing) = self.leasing().filter(|_| !self.tier.is_open()) {
            let read = || async { self.read::<V>(key).await.filter(&enough) };
            return match leasing.turn(&self.tier, key, read).await {
                Turn::Ours(held) => Lead::Fleet(held),
                Turn::Theirs(found) => Lead::Found(found),
                Turn::Everybodys => Lead::Alone,
            };
        }
        let _ = (key, enough);
        Lead::Alone
    }

    /// Loads.
    pub(super) async fn led<V, T>(&self, lead: &Lead<V, S>, load: impl Future<Output = T>) -> T {
        #[cfg(feature = "tokio")]
        if let (Lead::Fleet(held), Some(leasing)) = (lead, self.leasing()) {
            return leasing.led(held, load).await;
        }
        let _ = lead;
        load.await
    }

    /// There is nothing to store.
    pub(super) async fn give_up<V>(&self, lead: Lead<V, S>) {
        match lead {
            #[cfg(feature = "tokio")]
            Lead::Fleet(held) => held.give_up().await,
            lead => drop(lead),
        }
    }

    /// Stores what was loaded; if that fails, the next one loads again.
    pub(super) async fn fill<V>(
        &self,
        (ways, lead): (Ways<S>, Lead<V, S>),
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
        match lead {
            #[cfg(feature = "tokio")]
            Lead::Fleet(held) => self.fill_fenced(held, bytes, loaded, birth).await,
            _ => drop(self.put(ways, key, bytes, loaded, birth).await),
        }
        if !unwritten() {
            // It was written or removed meanwhile, and this may have come later.
            let _ = self.tier.delete(key).await;
        }
    }

    #[cfg(feature = "tokio")]
    async fn fill_fenced<V>(&self, held: Held<S>, bytes: Bytes, loaded: &Loaded<V>, birth: Birth) {
        let tags: Vec<&str> = loaded.tags.iter().map(|tag| &**tag).collect();
        let Birth { since, load_time } = birth;
        let ttl = self.tier.capped(loaded.ttl);
        let keeping = Keeping { ttl, tags: &tags, since, load_time };
        if let Some(leasing) = self.leasing() {
            let fill = leasing.fill(held, bytes, keeping);
            drop(self.tier.guarded(true, fill).await);
        }
    }
}
