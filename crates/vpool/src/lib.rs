#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod builder;
mod config;
mod error;
#[cfg(feature = "http")]
pub mod http;
mod keeper;
mod limited;
mod metrics;
mod pool;
#[cfg(feature = "redis")]
pub mod redis;
mod stats;
mod upkeep;

pub use builder::Builder;
pub use config::Config;
pub use deadpool::managed::{Manager, Metrics as ObjectMetrics, RecycleError, RecycleResult};
pub use error::{BuildError, GetError};
pub use pool::{Pool, Pooled};
pub use stats::Stats;
