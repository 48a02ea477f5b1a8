//! The tiers below an HTTP cache's memory: this machine's disk, and the Redis of all gateways.

#[cfg(any(feature = "disk", feature = "redis"))]
mod build;
#[cfg(any(feature = "disk", feature = "redis"))]
mod desk;
#[cfg(any(feature = "disk", feature = "redis"))]
mod find;
#[cfg(any(feature = "disk", feature = "redis"))]
mod handle;
#[cfg(any(feature = "disk", feature = "redis"))]
mod inner;
#[cfg(any(feature = "disk", feature = "redis"))]
mod journal;
#[cfg(any(feature = "disk", feature = "redis"))]
mod keep;
#[cfg(feature = "redis")]
mod lease;
#[cfg(feature = "redis")]
mod listen;
#[cfg(any(feature = "disk", feature = "redis"))]
mod metrics;
mod near;
#[cfg(not(any(feature = "disk", feature = "redis")))]
mod off;
#[cfg(any(feature = "disk", feature = "redis"))]
mod place;
#[cfg(feature = "redis")]
mod remote;
#[cfg(any(feature = "disk", feature = "redis"))]
mod shelf;
mod stats;
#[cfg(any(feature = "disk", feature = "redis"))]
mod tell;
#[cfg(any(feature = "disk", feature = "redis"))]
mod trust;

#[cfg(any(feature = "disk", feature = "redis"))]
pub(crate) use handle::Tiers;
#[cfg(feature = "redis")]
pub(crate) use lease::Whose;
pub(crate) use near::Near;
#[cfg(not(any(feature = "disk", feature = "redis")))]
pub(crate) use off::Tiers;
pub use stats::{TierState, TiersStats};
