//! The tower layer that measures requests: rate, errors and duration per route.

mod body;
mod future;
mod layer;
mod method;
mod names;
mod observe;
mod route;
mod service;
mod slots;

pub use future::ResponseFuture;
pub use layer::MetricsLayer;
pub use service::Metrics;
