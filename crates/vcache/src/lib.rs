#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod builder;
mod cache;
mod cause;
mod clock;
mod coarse;
mod coherence;
mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
#[cfg(feature = "http")]
pub mod http;
mod load;
#[cfg(feature = "tower")]
pub mod memo;
mod memory;
mod metrics;
mod prefix;
mod random;
mod shelf;
mod size;
#[cfg(feature = "snapshot")]
mod snapshot;
#[cfg(feature = "disk")]
mod sqlite;
mod store;
mod sync;
mod tags;
mod terms;
mod tiered;
#[cfg(feature = "tokio")]
pub mod warm;
mod write;

pub use builder::CacheBuilder;
pub use cache::Cache;
pub use cause::Cause;
#[cfg(feature = "tokio")]
pub use clock::TokioClock;
pub use clock::{Clock, CoarseClock, ManualClock, SystemClock};
#[cfg(feature = "redis")]
pub use coherence::config::{CoherenceConfig, CoherenceMode};
#[cfg(feature = "redis")]
pub use coherence::link::CoherenceStats;
#[cfg(feature = "tokio")]
pub use config::Leader;
pub use config::{Config, Loading};
pub use error::LoadError;
pub use hashbrown::Equivalent;
pub use load::account::LoadStats;
pub use load::early::recompute_early;
pub use load::flight::{Flight, Ticket};
pub use load::loaded::Loaded;
pub use memory::{BuildError, Curve, Entry, Iter, Keep, Memory, MemoryBuilder, Op, Outcome, Stats};
#[cfg(feature = "snapshot")]
pub use snapshot::{Restored, Saved, SnapshotError};
#[cfg(feature = "disk")]
pub use sqlite::failure::OpenError;
#[cfg(feature = "disk")]
pub use sqlite::file::{Durability, OnCorrupt};
#[cfg(feature = "json")]
pub use store::codec::Json;
#[cfg(feature = "postcard")]
pub use store::codec::Postcard;
pub use store::codec::{Codec, Raw};
#[cfg(feature = "zstd")]
pub use store::compressed::Compressed;
#[cfg(feature = "disk")]
pub use store::disk::{DiskConfig, DiskStats, DiskStore};
pub use store::lease::{Acquired, Lease, LeaseStore, Released};
pub use store::memory::{MemoryEntry, MemoryStore};
#[cfg(feature = "redis")]
pub use store::redis::{
    RedisBuildError, RedisConfig, RedisEntry, RedisSentinel, RedisStats, RedisStore, RedisTls,
};
pub use store::{Keeping, Moment, Outdated, ScanStore, Store, StoreError, Stored, TagStore};
#[cfg(feature = "tokio")]
pub use tiered::Fleet;
pub use tiered::{BreakerConfig, BreakerState, Chain, Tier, TierConfig, TierStats};
pub use tiered::{Tiered, TieredBuildError, TieredBuilder, WritePolicy};
#[cfg(feature = "write-behind")]
pub use write::back::WriteBack;
#[cfg(feature = "write-behind")]
pub use write::behind::{WriteBehind, WriteReport};
#[cfg(feature = "write-behind")]
pub use write::buffer::Change;
#[cfg(feature = "write-behind")]
pub use write::builder::WriteBehindBuilder;
#[cfg(all(feature = "disk", feature = "write-behind"))]
pub use write::config::JournalConfig;
#[cfg(feature = "write-behind")]
pub use write::config::{WhenFull, WriteBehindConfig};
#[cfg(feature = "write-behind")]
pub use write::error::{WriteBehindBuildError, WriteError};
pub use write::through::WriteThrough;
#[cfg(feature = "write-behind")]
pub use write::worker::{DeadLetter, WriteBehindStats};
