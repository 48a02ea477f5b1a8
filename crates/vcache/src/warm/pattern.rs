//! What to warm: keys or who makes them, and what is done for each.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::target::{Target, Warmed};
use crate::error::BoxError;
use crate::load::loaded::Loaded;

type Making<T> = BoxFuture<'static, Result<T, BoxError>>;
type Make<K> = Arc<dyn Fn() -> Making<Vec<K>> + Send + Sync>;
type Begin = Arc<dyn Fn(Duration) -> Making<Errands> + Send + Sync>;

/// Keys to warm; with [`fill`](Self::fill) or [`visit`](Self::visit) and what it gives, a warmer
/// can begin.
#[must_use = "a pattern does nothing until it is given to a warmer"]
pub struct Pattern<K> {
    name: Cow<'static, str>,
    keys: Make<K>,
    ttl: Option<Duration>,
    priority: i32,
    interval: Option<Duration>,
}

impl<K: Clone + Send + Sync + 'static> Pattern<K> {
    /// These keys.
    pub fn keys(name: impl Into<Cow<'static, str>>, keys: impl IntoIterator<Item = K>) -> Self {
        let keys: Vec<K> = keys.into_iter().collect();
        Self::generated(name, move || std::future::ready(Ok::<_, BoxError>(keys.clone())))
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
            async { keys.await.map_err(Into::into) }.boxed()
        };
        let (ttl, interval) = (None, None);
        Self { name: name.into(), keys: Arc::new(keys), ttl, priority: 0, interval }
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

    /// How often these keys are warmed. Default: as the warmer has it.
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Fills `target`, a [`Cache`](crate::Cache) say, with what `fetch` brings. What is there, and
    /// stays fresh until the next round, is left alone.
    pub fn fill<C, V, F, Fut, E>(self, target: &C, fetch: F) -> Job
    where
        C: Target<K, V>,
        V: Send + 'static,
        F: Fn(K) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let (target, fetch, ttl) = (target.clone(), Arc::new(fetch), self.ttl);
        self.visit(move |key, stay| {
            let (target, fetch) = (target.clone(), Arc::clone(&fetch));
            let dated = move |key| {
                let value = fetch(key);
                async move {
                    let mut loaded = Loaded::new(value.await.map_err(Into::into)?);
                    loaded.ttl = ttl;
                    Ok(loaded)
                }
            };
            async move { target.warm(key, stay, dated).await }
        })
    }

    /// Does for each key what `visit` says, which is told how long the key is to stay fresh: until
    /// the next round, zero if there is none. For what is no [`Target`].
    pub fn visit<F, Fut, E>(self, visit: F) -> Job
    where
        F: Fn(K, Duration) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Warmed, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let Self { name, keys, priority, interval, .. } = self;
        let visit = Arc::new(visit);
        let begin = move |stay| {
            let (making, visit) = (keys(), Arc::clone(&visit));
            let errand = move |key| -> Making<Warmed> {
                let visit = Arc::clone(&visit);
                async move { visit(key, stay).await.map_err(Into::into) }.boxed()
            };
            async move {
                let keys = making.await?;
                Ok(Errands { count: keys.len(), each: Box::new(keys.into_iter().map(errand)) })
            }
            .boxed()
        };
        Job { name, priority, interval, begin: Arc::new(begin) }
    }
}

/// A pattern, and what is done for each of its keys.
#[must_use = "a job does nothing until it is given to a warmer"]
pub struct Job {
    pub(super) name: Cow<'static, str>,
    pub(super) priority: i32,
    pub(super) interval: Option<Duration>,
    pub(super) begin: Begin,
}

/// What one round has to do for a pattern.
pub(super) struct Errands {
    pub(super) count: usize,
    pub(super) each: Box<dyn Iterator<Item = Making<Warmed>> + Send>,
}

impl<K> fmt::Debug for Pattern<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pattern")
            .field("name", &self.name)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("name", &self.name)
            .field("priority", &self.priority)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}
