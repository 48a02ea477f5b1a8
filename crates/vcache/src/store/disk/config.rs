//! The settings of the store on disk.

use std::path::PathBuf;
use std::time::Duration;

use crate::sqlite::failure::OpenError;
use crate::sqlite::file::{Durability, OnCorrupt};

/// The smallest bound: below, SQLite's own pages would be most of it.
const LEAST_SIZE: u64 = 1 << 20;
const MOST_READERS: usize = 64;

/// Settings of a [`DiskStore`](crate::DiskStore).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct DiskConfig {
    /// The file; made if it is not there, in a folder that is. Default: `vcache.sqlite`. Beside it
    /// stand two more, `-wal` and `-shm`. Not on a network file system: locks do not hold there.
    pub path: PathBuf,
    /// Most bytes of the file that are in use, SQLite's own included. Default: 1 GiB; at least
    /// 1 MiB. The oldest entries make room, those used since being spared once. The log beside
    /// the file takes some 40 MiB more.
    #[cfg_attr(feature = "serde", serde(with = "vunit::size"))]
    pub max_size: u64,
    /// How long values stay that are stored without a time of their own. Default: none, until
    /// they make room.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration::option"))]
    pub ttl: Option<Duration>,
    /// How often what has expired is looked for, so that its room can be used again. Default: one
    /// minute. It is never returned, swept or not.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub sweep: Duration,
    /// Threads that read, each with a connection. Default: 2, at most 64. More help where the
    /// disk is slow, not where it is cached.
    pub readers: usize,
    /// Pages that each connection keeps in memory, in bytes. Default: 8 MiB. The system caches
    /// the file as well.
    #[cfg_attr(feature = "serde", serde(with = "vunit::size"))]
    pub cache_size: u64,
    /// Bytes of writes that may wait; who comes later waits for room first. Default: 16 MiB.
    #[cfg_attr(feature = "serde", serde(with = "vunit::size"))]
    pub queue_size: u64,
    /// Most invalidated tags that the file remembers, some 50 bytes each. Default: 65,536; at
    /// least 1. When one is forgotten, all tagged entries older than its invalidation count as
    /// invalidated.
    pub max_tags: usize,
    /// What a write survives once it is acknowledged. Default: the end of the process.
    pub durability: Durability,
    /// What to do with a file that is damaged, another program's or another version's. Default:
    /// opening fails.
    pub on_corrupt: OnCorrupt,
    /// Whether the whole file is checked when it is opened. Default: no. It takes about a second
    /// for a GiB; without it damage is met, and told, when it is read.
    pub verify: bool,
}

impl Default for DiskConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("vcache.sqlite"),
            max_size: 1 << 30,
            ttl: None,
            sweep: Duration::from_secs(60),
            readers: 2,
            cache_size: 8 << 20,
            queue_size: 16 << 20,
            max_tags: 65_536,
            durability: Durability::default(),
            on_corrupt: OnCorrupt::default(),
            verify: false,
        }
    }
}

impl DiskConfig {
    /// Checks what no type can say, without looking at the file.
    ///
    /// # Errors
    ///
    /// [`OpenError::Setting`].
    pub fn check(&self) -> Result<(), OpenError> {
        let refused = |name, value, wanted| Err(OpenError::Setting { name, value, wanted });
        if self.max_size < LEAST_SIZE {
            return refused("max_size", self.max_size, "1 MiB or more");
        }
        if !(1..=MOST_READERS).contains(&self.readers) {
            return refused("readers", u64::try_from(self.readers).unwrap_or(u64::MAX), "1 to 64");
        }
        if self.queue_size == 0 {
            return refused("queue_size", 0, "more than 0");
        }
        if self.max_tags == 0 {
            return refused("max_tags", 0, "more than 0");
        }
        if self.sweep.is_zero() {
            return refused("sweep", 0, "more than 0");
        }
        Ok(())
    }
}
