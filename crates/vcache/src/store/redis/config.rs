//! The settings of the Redis store.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Settings of a [`RedisStore`](crate::RedisStore).
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct RedisConfig {
    /// Where the server is: `redis://[user:password@]host[:port][/db]`, `rediss://…` for TLS
    /// (feature `redis-tls`) or `unix:///path`. Default: `redis://127.0.0.1:6379`. Of a Cluster,
    /// one of its nodes. Behind Sentinel, the scheme, user, password and database that the
    /// servers take; the host and the port are not used.
    pub url: String,
    /// More nodes of a Cluster to begin with, should the first be away. Default: none; only with
    /// `cluster`.
    pub urls: Vec<String>,
    /// Whether it is a Redis Cluster. Default: no.
    pub cluster: bool,
    /// Sentinels that know the primary. Default: none.
    pub sentinel: Option<RedisSentinel>,
    /// Certificates for `rediss://`. Default: the system's roots, and no certificate of our own.
    pub tls: RedisTls,
    /// Begins every key of this store, so that several share a server. Default: `vcache:`. Must
    /// not be empty, because `clear` deletes whatever begins with it, and must hold no braces. All
    /// processes that share entries need the same.
    pub prefix: String,
    /// How long values stay that are stored without a time of their own. Default: one hour.
    /// `None` keeps them until Redis evicts, which it does only if it has a `maxmemory` and a
    /// policy: without those they pile up.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration::option"))]
    pub ttl: Option<Duration>,
    /// Connections, which calls share by key. Default: 1, at most 64. One carries some hundred
    /// thousand small calls a second on one core of the client; in a Cluster, one to each node.
    pub connections: usize,
    /// Most calls that are sent and not answered yet. Default: 4,096. More wait for their turn.
    /// Up to 64 reads that are made at the same time are one call.
    pub max_in_flight: usize,
    /// How long connecting may take, finding the primary and logging in included. Default: one
    /// second. Only the first call waits for it, and one that finds its connection broken.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub connect_timeout: Duration,
    /// How long a call waits for its turn when `max_in_flight` are under way. Default: 50 ms.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub enqueue_timeout: Duration,
    /// How long an answer may take once the call is queued. Default: 250 ms. Shorter than what the
    /// source takes, or the cache makes misses slower.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub timeout: Duration,
    /// Failures in a row, of those that time may heal, after which calls fail at once while the
    /// server is probed in the background. Default: 3; at least 1. A connection that cannot be
    /// made counts as that many.
    pub breaker_failures: u32,
    /// Whether everything can be forgotten in one step. Default: no. Then `clear` walks over the
    /// keys and deletes them, seconds for a million. With it `clear` takes one call, however much
    /// there is, but each read asks for the present generation beside the value, which costs some
    /// tenth of the throughput, and what was cleared stays in Redis until its time is over.
    pub generations: bool,
    /// Most invalidated tags that are remembered, in Redis and in each process, some 100 bytes
    /// each. Default: 65,536. When one has to be forgotten, all tagged entries older than that
    /// tag's invalidation count as invalidated.
    pub max_tags: usize,
}

/// Where Redis Sentinel is, and what it watches.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct RedisSentinel {
    /// What the Sentinels call the primary. Default: `mymaster`, which their own examples say.
    pub primary: String,
    /// The Sentinels, in the order in which they are asked: `redis://[user:password@]host:port`.
    /// The user and password are those of the Sentinels. At least one.
    pub urls: Vec<String>,
}

/// Certificates for connections with TLS, as PEM files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct RedisTls {
    /// Who signs the server's certificate. Default: the roots that the system trusts.
    pub ca: Option<PathBuf>,
    /// The certificate that we show. Default: none. Together with `key` only.
    pub certificate: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379".to_owned(),
            urls: Vec::new(),
            cluster: false,
            sentinel: None,
            tls: RedisTls::default(),
            prefix: "vcache:".to_owned(),
            ttl: Some(Duration::from_secs(3600)),
            connections: 1,
            max_in_flight: 4096,
            connect_timeout: Duration::from_secs(1),
            enqueue_timeout: Duration::from_millis(50),
            timeout: Duration::from_millis(250),
            breaker_failures: 3,
            generations: false,
            max_tags: 65_536,
        }
    }
}

impl Default for RedisSentinel {
    fn default() -> Self {
        Self { primary: "mymaster".to_owned(), urls: Vec::new() }
    }
}

/// A URL without what may be secret in it: user, password and parameters.
pub(super) fn shown(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let rest = rest.split(['?', '#']).next().unwrap_or("");
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://{host}")
}

fn all_shown(urls: &[String]) -> Vec<String> {
    urls.iter().map(|url| shown(url)).collect()
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfig")
            .field("url", &shown(&self.url))
            .field("urls", &all_shown(&self.urls))
            .field("cluster", &self.cluster)
            .field("sentinel", &self.sentinel)
            .field("tls", &self.tls)
            .field("prefix", &self.prefix)
            .field("ttl", &self.ttl)
            .field("connections", &self.connections)
            .field("max_in_flight", &self.max_in_flight)
            .field("connect_timeout", &self.connect_timeout)
            .field("enqueue_timeout", &self.enqueue_timeout)
            .field("timeout", &self.timeout)
            .field("breaker_failures", &self.breaker_failures)
            .field("generations", &self.generations)
            .field("max_tags", &self.max_tags)
            .finish()
    }
}

impl fmt::Debug for RedisSentinel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSentinel")
            .field("primary", &self.primary)
            .field("urls", &all_shown(&self.urls))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let config = RedisConfig {
            url: "redis://user:se@cret@host:1/2?password=secret".to_owned(),
            urls: vec!["rediss://:secret@other".to_owned()],
            sentinel: Some(RedisSentinel {
                urls: vec!["redis://user:secret@third:3".to_owned()],
                ..RedisSentinel::default()
            }),
            ..RedisConfig::default()
        };
        let text = format!("{config:?}");
        assert!(!text.contains("cret") && !text.contains("user"), "{text}");
        for host in ["redis://host:1/2", "rediss://other", "redis://third:3"] {
            assert!(text.contains(host), "{text}");
        }
        assert_eq!(shown("unix:///run/redis.sock?pass=x"), "unix:///run/redis.sock");
    }
}
