#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod builder;
mod cache;
mod clock;
mod config;
mod error;
#[cfg(feature = "http")]
pub mod http;
mod load;
mod memory;
mod metrics;
mod store;
mod tiered;

pub use builder::CacheBuilder;
pub use cache::Cache;
#[cfg(feature = "tokio")]
pub use clock::TokioClock;
pub use clock::{Clock, ManualClock, SystemClock};
pub use config::Config;
pub use error::LoadError;
pub use hashbrown::Equivalent;
pub use load::flight::{Flight, Ticket};
pub use memory::{BuildError, Memory, MemoryBuilder, Stats};
#[cfg(feature = "json")]
pub use store::codec::Json;
pub use store::codec::{Codec, Raw};
pub use store::memory::MemoryStore;
#[cfg(feature = "redis")]
pub use store::redis::{RedisBuildError, RedisConfig, RedisStore};
pub use store::{Store, StoreError, Stored};
pub use tiered::{Tiered, TieredBuilder};
