//! The layer that carries requests with a key out once.

use tower_layer::Layer;

use crate::http::idempotency::handle::Idempotency;
use crate::http::idempotency::service::Idempotent;

/// Puts an [`Idempotency`] in front of a service; see [`Idempotent`].
#[derive(Debug, Clone)]
pub struct IdempotencyLayer {
    idempotency: Idempotency,
}

impl IdempotencyLayer {
    /// A layer with a handle to `idempotency`. Layers with handles to one share its keys.
    #[must_use]
    pub const fn new(idempotency: Idempotency) -> Self {
        Self { idempotency }
    }
}

impl<S> Layer<S> for IdempotencyLayer {
    type Service = Idempotent<S>;

    fn layer(&self, inner: S) -> Idempotent<S> {
        Idempotent::new(inner, self.idempotency.clone())
    }
}
