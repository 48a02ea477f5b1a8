//! What to warm: keys or who makes them, and who fetches their values.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::error::{BoxError, LoadError};
use crate::load::loaded::Loaded;

type Making<K> = BoxFuture<'static, Result<Vec<K>, LoadError>>;
type Fetched<V> = BoxFuture<'static, Result<Loaded<V>, LoadError>>;
type Make<K> = Arc<dyn Fn() -> Making<K> + Send + Sync>;

/// Keys to warm; with [`fetch`](Self::fetch) and what it gives, a warmer can begin.
#[must_use = "a pattern does nothing until it is given to a warmer"]
pub struct Pattern<K> {
    name: Cow<'static, str>,
    keys: Make<K>,
    ttl: Option<Duration>,
    priority: i32,
}

impl<K: Clone + Send + Sync + 'static> Pattern<K> {
    /// These keys.
    pub fn keys(name: impl Into<Cow<'static, str>>, keys: impl IntoIterator<Item = K>) -> Self {
        let keys: Vec<K> = keys.into_iter().collect();
        Self::generated(name, move || std::future::ready(Ok::<_, LoadError>(keys.clone())))
    }

    /// The keys that `make` gives, anew in each round: the most read of yesterday, say.
    pub fn generated<F, Fut, E>(name: impl Into<Cow<'static, str>>, make: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<K>, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let keys = move || {
            let keys = make();
            async { keys.await.map_err(LoadError::failed) }.boxed()
        };
        Self { name: name.into(), keys: Arc::new(keys), ttl: None, priority: 0 }
    }

    /// How long what is fetched is fresh. Default: as the cache has it.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Which patterns go first: the higher. Default: 0.
    pub const fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Says where values come from.
    pub fn fetch<V, F, Fut, E>(self, fetch: F) -> Fetching<K, V>
    where
        F: Fn(K) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let ttl = self.ttl;
        let fetch = move |key| {
            let value = fetch(key);
            let dated = async move {
                let mut loaded = Loaded::new(value.await.map_err(LoadError::failed)?);
                loaded.ttl = ttl;
                Ok(loaded)
            };
            dated.boxed()
        };
        let Self { name, keys, priority, .. } = self;
        Fetching { name, keys, fetch: Arc::new(fetch), priority }
    }
}

/// A pattern with its fetcher.
#[must_use = "a pattern does nothing until it is given to a warmer"]
pub struct Fetching<K, V> {
    name: Cow<'static, str>,
    pub(super) keys: Make<K>,
    pub(super) fetch: Arc<dyn Fn(K) -> Fetched<V> + Send + Sync>,
    pub(super) priority: i32,
}

impl<K> fmt::Debug for Pattern<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pattern")
            .field("name", &self.name)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}

impl<K, V> fmt::Debug for Fetching<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetching")
            .field("name", &self.name)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}
