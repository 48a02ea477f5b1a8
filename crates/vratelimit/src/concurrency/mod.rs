//! In flight: so many requests at once, a bounded queue, and 503 for the rest.

#[cfg(feature = "http")]
mod body;
mod config;
#[cfg(feature = "http")]
mod future;
#[cfg(feature = "http")]
mod layer;
mod limit;
#[cfg(feature = "http")]
mod service;

pub use config::ConcurrencyConfig;
#[cfg(feature = "http")]
pub use future::ConcurrencyFuture;
#[cfg(feature = "http")]
pub use layer::ConcurrencyLimitLayer;
pub use limit::{ConcurrencyLimit, ConcurrencyStats, Permit, Shed};
#[cfg(feature = "http")]
pub use service::ConcurrencyLimited;
