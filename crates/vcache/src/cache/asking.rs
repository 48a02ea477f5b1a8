//! A look-up in async code that is over at its first poll if the value is there.
//!
//! By hand, because an async block moves what it has found twice more before its caller gets it: a
//! hit took 1.3 times as long as the sync one.

use std::future::Future;
use std::hash::Hash;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;

use super::Cache;
use crate::error::LoadError;
use crate::shelf::{Look, Termed};

/// Looks when it is polled first; what follows is made only if that was no plain hit, and is in a
/// box, so that a hit need not carry the room for it.
pub(super) struct Asking<'a, K, V, F> {
    cache: &'a Cache<K, V>,
    /// The key and what follows; until the first poll, and after a hit.
    first: Option<(K, F)>,
    follows: Option<BoxFuture<'a, Result<V, LoadError>>>,
}

/// Nothing in it is pinned but what stands in the box.
impl<K, V, F> Unpin for Asking<'_, K, V, F> {}

impl<'a, K, V, F> Asking<'a, K, V, F>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    F: FnOnce(Look<V>, K) -> BoxFuture<'a, Result<V, LoadError>>,
{
    pub(super) const fn new(cache: &'a Cache<K, V>, key: K, follow: F) -> Self {
        Self { cache, first: Some((key, follow)), follows: None }
    }

    /// Goes on after a look that was no plain hit.
    #[cold]
    fn go_on(
        &mut self,
        termed: Option<Termed<V>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<V, LoadError>> {
        if let Some((key, follow)) = self.first.take() {
            let found = self.cache.inner.shelf.judged(termed);
            if let Look::Hit(value) = found {
                return Poll::Ready(Ok(value));
            }
            self.follows = Some(follow(found, key));
        }
        self.follows.as_mut().map_or(Poll::Pending, |follows| follows.as_mut().poll(cx))
    }
}

impl<'a, K, V, F> Future for Asking<'a, K, V, F>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    F: FnOnce(Look<V>, K) -> BoxFuture<'a, Result<V, LoadError>>,
{
    type Output = Result<V, LoadError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut termed = None;
        let mut answer = match &self.first {
            Some((key, _)) => {
                let shelf = &self.cache.inner.shelf;
                shelf.seen(key, &mut termed, |value| Poll::Ready(Ok(value)), || Poll::Pending)
            }
            None => Poll::Pending,
        };
        if answer.is_pending() {
            answer = self.go_on(termed, cx);
        }
        answer
    }
}
