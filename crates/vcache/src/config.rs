//! The settings of a cache that a file can hold.

use std::time::Duration;

/// Settings of a [`Cache`](crate::Cache), and of the first tier of a
/// [`Tiered`](crate::Tiered).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Config {
    /// Most bytes that all entries together may weigh, their own overhead included. Default:
    /// 64 MiB. Tables that grow by doubling may hold as much again in unused room, of the
    /// overhead only.
    #[cfg_attr(feature = "serde", serde(with = "vunit::size"))]
    pub max_size: u64,
    /// How long a value lives if nobody says otherwise. Default: none, until it is evicted. Zero
    /// stores nothing at all. Too long shows outdated values, too short loads more often.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration::option"))]
    pub ttl: Option<Duration>,
    /// Most loads under way at once, each for another key; one more is refused with an error.
    /// Default: 65,536. It bounds memory, not the load on the source: each holds some hundred
    /// bytes and whatever its loader holds.
    pub max_loads: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_size: 64 << 20, ttl: None, max_loads: 65_536 }
    }
}
