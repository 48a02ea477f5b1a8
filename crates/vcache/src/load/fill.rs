//! A load that fills a cache: what runs inside of the flight.

use std::future::Future;
use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;

use crate::config::Loading;
use crate::error::LoadError;
use crate::load::flight::Ticket;
use crate::load::limits::Limits;
use crate::load::loaded::Loaded;
use crate::shelf::{Birth, Shelf};
use crate::terms::{Held, Terms};

/// What a load fills, and by which rules.
pub(crate) struct Fill<K, V> {
    pub(crate) shelf: Arc<Shelf<K, V>>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) loading: Loading,
    pub(crate) why: Why,
}

/// Why there is a load.
pub(crate) enum Why {
    /// Nothing was there.
    Missing,
    /// What was there under these terms is due.
    Due(Arc<Terms>),
    /// Somebody wants it anew, whatever is there.
    Anew,
}

impl<K, V> Fill<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Runs an async loader and keeps what it brings, unless the ticket is void by then.
    pub(crate) async fn run<F, Fut>(
        self,
        key: K,
        ticket: Ticket,
        load: F,
    ) -> Result<Held<V>, LoadError>
    where
        F: FnOnce(Ticket) -> Fut,
        Fut: Future<Output = Result<Loaded<V>, LoadError>>,
    {
        if let Some(known) = self.known(&key) {
            return known;
        }
        let (shelf, own) = (Arc::clone(&self.shelf), ticket.clone());
        let measured = async move {
            own.begin(shelf.tags.epoch());
            let (epoch, began) = (shelf.tags.epoch(), shelf.clock.now());
            // The loader's state is dropped by the panic; nobody sees it afterwards.
            let loaded = AssertUnwindSafe(async move { load(own).await }).catch_unwind().await;
            let load_time = shelf.clock.now().saturating_sub(began);
            Ok((loaded.unwrap_or(Err(LoadError::Panicked))?, Birth { epoch, load_time }))
        };
        let result = self.limits.run(&self.loading, measured).await;
        self.end(key, &ticket, result)
    }

    /// The same for a sync loader.
    pub(crate) fn run_sync(
        self,
        key: K,
        ticket: &Ticket,
        load: impl FnOnce() -> Result<Loaded<V>, LoadError>,
    ) -> Result<Held<V>, LoadError> {
        if let Some(known) = self.known(&key) {
            return known;
        }
        ticket.begin(self.shelf.tags.epoch());
        let (epoch, began) = (self.shelf.tags.epoch(), self.shelf.clock.now());
        let loaded = std::panic::catch_unwind(AssertUnwindSafe(load));
        let load_time = self.shelf.clock.now().saturating_sub(began);
        let result = loaded.unwrap_or(Err(LoadError::Panicked));
        let birth = Birth { epoch, load_time };
        self.end(key, ticket, result.map(|loaded| (loaded, birth)))
    }

    /// The answer if it is known by now: another load may have ended between the caller's look
    /// and this one's start.
    pub(crate) fn known(&self, key: &K) -> Option<Result<Held<V>, LoadError>> {
        match &self.why {
            Why::Anew => None,
            Why::Due(terms) => self.shelf.newer(key, Some(terms)).map(Ok),
            Why::Missing => {
                let newer = self.shelf.newer(key, None).map(Ok);
                newer.or_else(|| self.shelf.failure(key).map(Err))
            }
        }
    }

    fn end(
        &self,
        key: K,
        ticket: &Ticket,
        result: Result<(Loaded<V>, Birth), LoadError>,
    ) -> Result<Held<V>, LoadError> {
        match result {
            Ok((loaded, birth)) => {
                self.shelf.account.took(birth.load_time);
                Ok(self.brought(key, ticket, loaded, birth))
            }
            Err(error) => self.failed(key, ticket, error),
        }
    }

    /// Keeps what the source has for a key.
    pub(crate) fn brought(
        &self,
        key: K,
        ticket: &Ticket,
        loaded: Loaded<V>,
        birth: Birth,
    ) -> Held<V> {
        self.shelf.forgive(&key);
        // Under the lock that a removal takes too, after it has voided the ticket: either the
        // removal comes later and finds this value, or the ticket is void already.
        self.shelf.keep(key, loaded, &self.loading, birth, || ticket.is_current())
    }

    /// Keeps the failure of a key, if that is wanted.
    pub(crate) fn failed(
        &self,
        key: K,
        ticket: &Ticket,
        error: LoadError,
    ) -> Result<Held<V>, LoadError> {
        let ttl = self.loading.negative_ttl;
        self.shelf.fail(key, &error, ttl, || ticket.is_current());
        Err(error)
    }
}
