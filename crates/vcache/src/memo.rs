//! A tower service that remembers its answers by key.
//!
//! For any request and response types, and so outside of HTTP's rules, for which there is
//! `vcache::http`: a client of an API, a query, a computation.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! use tower::{Layer, ServiceExt, service_fn};
//! use vcache::Cache;
//! use vcache::memo::MemoLayer;
//!
//! let cache = Cache::<u64, u64>::builder().name("squares").build()?;
//! // Requests without a key pass through.
//! let layer = MemoLayer::new(cache, |number: &u64| (*number < 1000).then_some(*number));
//! let square = layer.layer(service_fn(|number: u64| async move {
//!     Ok::<_, std::io::Error>(number * number)
//! }));
//! assert_eq!(square.clone().oneshot(7).await?, 49);
//! assert_eq!(square.oneshot(7).await?, 49); // Not computed again.
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tower_layer::Layer;
use tower_service::Service;

use crate::cache::Cache;
use crate::error::{BoxError, LoadError};
use crate::shelf::Look;

/// Puts a [`Memo`] around services. All that it makes share one cache.
pub struct MemoLayer<K, V, F> {
    cache: Cache<K, V>,
    key: Arc<F>,
}

impl<K, V, F> MemoLayer<K, V, F> {
    /// Answers requests from `cache` under the key that `key` gives them. `None` passes a request
    /// through. The key must hold all that the answer depends on, who asks included.
    pub fn new(cache: Cache<K, V>, key: F) -> Self {
        Self { cache, key: Arc::new(key) }
    }
}

/// A service that answers from a cache and lets one request per key through.
///
/// Concurrent requests for one key are one call of the inner service; it and its failures follow
/// the rules of [`Cache::get_or_load`] and of the cache's [`Loading`](crate::Loading). Errors are
/// [`LoadError`]s, because many callers share them: [`LoadError::downcast_ref`] gives the inner
/// service's own.
pub struct Memo<S, K, V, F> {
    inner: S,
    cache: Cache<K, V>,
    key: Arc<F>,
}

impl<S, K, V, F> Layer<S> for MemoLayer<K, V, F> {
    type Service = Memo<S, K, V, F>;

    fn layer(&self, inner: S) -> Self::Service {
        Memo { inner, cache: self.cache.clone(), key: Arc::clone(&self.key) }
    }
}

impl<S, K, V, F, R> Service<R> for Memo<S, K, V, F>
where
    S: Service<R, Response = V> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    F: Fn(&R) -> Option<K>,
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    R: Send + 'static,
{
    type Response = V;
    type Error = LoadError;
    type Future = ResponseFuture<V>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LoadError>> {
        self.inner.poll_ready(cx).map_err(LoadError::failed)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let Some(key) = (self.key)(&request) else {
            let answer = self.inner.call(request);
            return ResponseFuture::new(async { answer.await.map_err(LoadError::failed) });
        };
        let found = match self.cache.look(&key) {
            Look::Hit(value) => return ResponseFuture { answer: Answer::Hit(Some(value)) },
            found => found,
        };
        // The ready one goes along, its clone stays.
        let next = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, next);
        let cache = self.cache.clone();
        ResponseFuture::new(async move {
            cache.follow_up(found, key, move || inner.call(request)).await
        })
    }
}

/// The future of a [`Memo`].
///
/// A hit allocates nothing.
///
/// Cancel safety: dropping it leaves a call of the inner service to others who wait for it.
pub struct ResponseFuture<V> {
    answer: Answer<V>,
}

enum Answer<V> {
    /// Known at once: `None` when it has been given.
    Hit(Option<V>),
    Coming(BoxFuture<'static, Result<V, LoadError>>),
}

impl<V> ResponseFuture<V> {
    fn new(answer: impl Future<Output = Result<V, LoadError>> + Send + 'static) -> Self {
        Self { answer: Answer::Coming(answer.boxed()) }
    }
}

// Nothing in it is pinned in place: what is coming has a box of its own.
impl<V> Unpin for ResponseFuture<V> {}

impl<V> Future for ResponseFuture<V> {
    type Output = Result<V, LoadError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.answer {
            Answer::Hit(value) => {
                value.take().map_or(Poll::Pending, |value| Poll::Ready(Ok(value)))
            }
            Answer::Coming(answer) => answer.poll_unpin(cx),
        }
    }
}

impl<V> fmt::Debug for ResponseFuture<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

impl<K, V, F> Clone for MemoLayer<K, V, F> {
    fn clone(&self) -> Self {
        Self { cache: self.cache.clone(), key: Arc::clone(&self.key) }
    }
}

impl<S: Clone, K, V, F> Clone for Memo<S, K, V, F> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), cache: self.cache.clone(), key: Arc::clone(&self.key) }
    }
}

impl<K, V, F> fmt::Debug for MemoLayer<K, V, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoLayer").field("cache", &self.cache).finish_non_exhaustive()
    }
}

impl<S, K, V, F> fmt::Debug for Memo<S, K, V, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memo").field("cache", &self.cache).finish_non_exhaustive()
    }
}
