//! The layer that puts a cache in front of a service.

use std::fmt;
use std::sync::Arc;

use tower_layer::Layer;

use crate::http::cache::HttpCache;
use crate::http::encodings::Encode;
use crate::http::service::Cache;

/// Puts an [`HttpCache`] in front of a service; see [`Cache`].
#[derive(Clone)]
pub struct CacheLayer {
    cache: HttpCache,
    encode: Option<Arc<dyn Encode>>,
}

impl CacheLayer {
    /// A layer with a handle to `cache`. Layers with handles to one cache share what is stored.
    #[must_use]
    pub const fn new(cache: HttpCache) -> Self {
        Self { cache, encode: None }
    }

    /// Answers hits in a coding that the client takes; each is made once and kept beside the
    /// stored body.
    ///
    /// Layers that share a cache should share the hook: a coding is kept by its name alone.
    #[must_use]
    pub fn encode(mut self, encode: Arc<dyn Encode>) -> Self {
        self.encode = Some(encode);
        self
    }
}

impl<S> Layer<S> for CacheLayer {
    type Service = Cache<S>;

    fn layer(&self, inner: S) -> Cache<S> {
        Cache::new(inner, self.cache.clone(), self.encode.clone())
    }
}

impl fmt::Debug for CacheLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheLayer")
            .field("cache", &self.cache)
            .field("encode", &self.encode.is_some())
            .finish()
    }
}
