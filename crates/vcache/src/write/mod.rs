//! Writing to the source: before the cache, or after it and in batches.

#[cfg(feature = "write-behind")]
pub(crate) mod back;
#[cfg(feature = "write-behind")]
pub(crate) mod behind;
#[cfg(feature = "write-behind")]
pub(crate) mod buffer;
#[cfg(feature = "write-behind")]
pub(crate) mod builder;
#[cfg(feature = "write-behind")]
pub(crate) mod config;
#[cfg(feature = "write-behind")]
pub(crate) mod error;
#[cfg(all(feature = "disk", feature = "write-behind"))]
pub(crate) mod journal;
#[cfg(feature = "write-behind")]
mod log;
#[cfg(feature = "write-behind")]
mod metrics;
#[cfg(feature = "write-behind")]
mod room;
pub(crate) mod through;
#[cfg(feature = "write-behind")]
pub(crate) mod worker;
