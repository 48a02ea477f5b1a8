//! The layer: one limit for all services made from it.

use tower_layer::Layer;

use crate::concurrency::limit::ConcurrencyLimit;
use crate::concurrency::service::ConcurrencyLimited;

/// Puts a [`ConcurrencyLimited`] around a service.
///
/// All services made from one layer, and all layers made from clones of one limit, share the
/// places. Its place in a stack is after the rate limit and before any work.
#[derive(Debug, Clone)]
pub struct ConcurrencyLimitLayer {
    limit: ConcurrencyLimit,
}

impl ConcurrencyLimitLayer {
    /// A layer of that limit.
    #[must_use]
    pub const fn new(limit: ConcurrencyLimit) -> Self {
        Self { limit }
    }
}

impl<S> Layer<S> for ConcurrencyLimitLayer {
    type Service = ConcurrencyLimited<S>;

    fn layer(&self, inner: S) -> ConcurrencyLimited<S> {
        ConcurrencyLimited::new(inner, self.limit.clone())
    }
}
