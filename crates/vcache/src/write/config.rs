//! The settings of writing behind.

#[cfg(feature = "disk")]
use std::path::PathBuf;
use std::time::Duration;

#[cfg(feature = "disk")]
use crate::sqlite::file::{Durability, OnCorrupt};

/// Settings of a [`WriteBehind`](crate::WriteBehind).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct WriteBehindConfig {
    /// Keys of one batch at most; as many pending start one at once. Default: 100. A batch that
    /// fails is tried again by halves.
    pub batch: usize,
    /// Bytes of one batch at most, as the writer's weigher counts them; as many pending start one
    /// at once. Default: 8 MiB. A write that is larger goes alone.
    #[cfg_attr(feature = "serde", serde(with = "vunit::size"))]
    pub batch_size: u64,
    /// How long a write may wait for others to share its batch. Default: 1 second. Longer saves
    /// more writes of the same key, and keeps the source outdated for longer.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub interval: Duration,
    /// Keys that may be pending, those under way included. Default: 10,000. It bounds memory: with
    /// the source away, this is what piles up.
    pub max_pending: usize,
    /// Bytes that may be pending, as the writer's
    /// [weigher](crate::WriteBehindBuilder::weigher) counts them. Default: 64 MiB. A write that
    /// alone is larger takes all of it.
    #[cfg_attr(feature = "serde", serde(with = "vunit::size"))]
    pub max_pending_size: u64,
    /// What happens to a write for which there is no room. Default: it waits.
    pub when_full: WhenFull,
    /// How long the source may take for a batch; then it counts as failed and is tried again.
    /// Default: 30 seconds.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub timeout: Duration,
    /// The wait after a first failure stays below this, and doubles with each further one.
    /// Default: 100 ms.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub backoff: Duration,
    /// How often a write is tried alone before it is given up and handed to
    /// [`dead_letters`](crate::WriteBehindBuilder::dead_letters). Default: none, it is tried for
    /// ever. A source that is away counts as well: choose so many that it is back before.
    pub max_attempts: Option<u32>,
    /// No wait after a failure is longer. Default: 30 seconds.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub max_backoff: Duration,
}

impl Default for WriteBehindConfig {
    fn default() -> Self {
        Self {
            batch: 100,
            batch_size: 8 << 20,
            interval: Duration::from_secs(1),
            max_pending: 10_000,
            max_pending_size: 64 << 20,
            when_full: WhenFull::default(),
            timeout: Duration::from_secs(30),
            backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(30),
            max_attempts: None,
        }
    }
}

/// What happens to a write when as much is pending as may be. Dropping older ones is not offered:
/// they were acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum WhenFull {
    /// It waits for room, first come, first served.
    #[default]
    Wait,
    /// It is refused with an error.
    Reject,
}

/// Settings of the journal of a [`WriteBehind`](crate::WriteBehind).
#[cfg(feature = "disk")]
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct JournalConfig {
    /// The file; made if it is not there. Default: `vcache-journal.sqlite`. Two processes must
    /// not share one.
    pub path: PathBuf,
    /// What a write survives once it is acknowledged. Default: the end of the process.
    pub durability: Durability,
    /// What to do with a file that is damaged, another program's or another version's. Default:
    /// building fails. Recreating loses the writes in it, though not the file.
    pub on_corrupt: OnCorrupt,
    /// Bytes that may wait for the journal. Default: 16 MiB.
    #[cfg_attr(feature = "serde", serde(with = "vunit::size"))]
    pub queue_size: u64,
}

#[cfg(feature = "disk")]
impl Default for JournalConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("vcache-journal.sqlite"),
            durability: Durability::default(),
            on_corrupt: OnCorrupt::default(),
            queue_size: 16 << 20,
        }
    }
}
