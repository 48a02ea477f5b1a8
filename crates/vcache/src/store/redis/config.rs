//! The settings of the Redis store.

use std::fmt;
use std::time::Duration;

/// Settings of a [`RedisStore`](crate::RedisStore).
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct RedisConfig {
    /// Where the server is: `redis://[user:password@]host[:port][/db]` or `unix:///path`.
    /// Default: `redis://127.0.0.1:6379`. `rediss://` (TLS) needs a redis crate built with it.
    pub url: String,
    /// Begins every key of this store, so that several share a server. Default: `vcache:`. Must
    /// not be empty, because `clear` deletes whatever begins with it.
    pub prefix: String,
    /// How long any one call may take, connecting and waiting in the queue included. Default:
    /// 250 ms. Shorter than what the source takes, or the cache makes misses slower.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub timeout: Duration,
    /// How long values stay that are stored without a time of their own. Default: one hour.
    /// `None` keeps them until Redis evicts, which it does only if it has a `maxmemory` and a
    /// policy: without those they pile up.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration::option"))]
    pub ttl: Option<Duration>,
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379".to_owned(),
            prefix: "vcache:".to_owned(),
            timeout: Duration::from_millis(250),
            ttl: Some(Duration::from_secs(3600)),
        }
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfig")
            // It may hold a password.
            .field("url", &"…")
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .field("ttl", &self.ttl)
            .finish()
    }
}
