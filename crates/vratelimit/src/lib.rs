#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod builder;
mod concurrency;
mod config;
mod decision;
mod error;
mod gcra;
#[cfg(feature = "http")]
mod http;
mod key;
mod limiter;
mod metrics;
mod quota;
mod store;

pub use builder::LimiterBuilder;
pub use concurrency::{ConcurrencyConfig, ConcurrencyLimit, ConcurrencyStats, Permit, Shed};
#[cfg(feature = "http")]
pub use concurrency::{ConcurrencyFuture, ConcurrencyLimitLayer, ConcurrencyLimited};
pub use config::{Config, KeySource};
pub use decision::Decision;
pub use error::{BuildError, KeySourceError, StoreError};
#[cfg(feature = "http")]
pub use http::{Head, KeyBy, RateLimit, RateLimitFuture, RateLimitLayer};
pub use key::Key;
pub use limiter::Limiter;
pub use quota::Quota;
pub use store::Store;
pub use store::memory::{MemoryStore, StoreStats};
