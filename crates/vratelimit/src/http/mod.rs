//! The rate limit as a layer: who is asking, 429, and what the client is told.

mod fields;
mod future;
mod key;
mod layer;
mod service;

pub use future::RateLimitFuture;
pub use key::{Head, KeyBy};
pub use layer::RateLimitLayer;
pub use service::RateLimit;
