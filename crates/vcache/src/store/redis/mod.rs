//! The store in Redis or Valkey.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::redis::{Cmd, FromRedisValue, Value};
use bytes::Bytes;

use crate::store::wall::{millis, now};
use crate::store::{Keeping, Store, StoreError, Stored};

mod breaker;
mod config;
mod dial;
mod entry;
mod envelope;
mod error;
mod fetch;
mod gather;
mod generations;
mod key;
mod lease;
mod leases;
mod link;
mod metrics;
mod nodes;
mod room;
mod script;
mod sentinel;
mod tags;
#[cfg(feature = "redis-tls")]
mod tls;
mod walk;

pub use config::{RedisConfig, RedisSentinel, RedisTls};
pub(crate) use dial::{Dedicated, Dialer};
pub use entry::RedisEntry;
use envelope::Head;
pub use error::RedisBuildError;
use error::is_wrong_type;
use gather::Gather;
use generations::Generations;
use key::Keys;
use leases::Leases;
use link::Link;
use metrics::RedisMeters;
pub use metrics::RedisStats;
#[cfg(feature = "http")]
pub(crate) use script::Script;

/// Keys of one command: enough that the way there does not count, and no command takes long.
const MANY: usize = 500;
/// A hundred years. Redis refuses times that overflow, and this is for ever.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
const MOST_CONNECTIONS: usize = 64;

/// Keeps bytes in Redis or Valkey: one server, the primary that Sentinel names, or a Cluster.
///
/// - **Waiting.** A call waits for its turn, for the answer, and where there is no connection for
///   connecting; each has its limit in [`RedisConfig`]. After failures in a row calls fail at once,
///   and the server is probed in the background until it answers, at first every 50 ms, at last
///   every 2 s. In a Cluster this goes by parts of the slots, so that one node's end leaves the
///   others' keys alone. Recovery needs no help, also when Sentinel or the Cluster has moved the
///   keys elsewhere.
/// - **Round trips.** Reads and writes take one, of many keys too as long as they are some
///   hundreds, with tags too: see [`TagStore`](crate::TagStore). Reads that many tasks make at the
///   same time are sent as one command, but not in a Cluster.
/// - **Entries** stand in a small envelope: a version, a checksum, written and expiry times, tags.
///   Bytes without it, of another version or damaged count as absent and are counted:
///   [`stats`](Self::stats). The time left is told by the envelope, so clocks that differ between
///   machines shorten it; they never lengthen a value's whole life.
/// - **`clear`** walks the keyspace with `SCAN` and unlinks what begins with the prefix: as long as
///   the keyspace is large, but no step blocks the server. With [`RedisConfig::generations`] it is
///   one step.
/// - **Errors.** A server out of memory (`noeviction`) is [`StoreError::Full`] and still reads. A
///   replica refuses writes: [`StoreError::Refused`]. A key that is no string counts as absent.
///   Redis replicates later than it acknowledges: a failover may undo the last writes, deletions
///   and invalidations.
///
/// Nothing is connected before the first call, which needs a tokio runtime. Cloning gives
/// another handle to the same connections.
#[derive(Clone)]
pub struct RedisStore {
    inner: Arc<Inner>,
}

struct Inner {
    link: Link,
    gather: Gather,
    keys: Keys,
    ttl: Option<Duration>,
    generations: Generations,
    leases: Leases,
    /// Whether clearing is a step of the generations.
    clears_by_generation: bool,
    meters: Arc<RedisMeters>,
}

impl RedisStore {
    /// A store with the settings of `config`; connects with the first call.
    ///
    /// # Errors
    ///
    /// See [`RedisBuildError`]. An absent server is none.
    pub fn new(config: &RedisConfig) -> Result<Self, RedisBuildError> {
        Self::named("redis", config)
    }

    /// The same, with another name in metrics and the log, one of few, than `redis`.
    ///
    /// # Errors
    ///
    /// See [`RedisBuildError`].
    pub fn named(name: &str, config: &RedisConfig) -> Result<Self, RedisBuildError> {
        check(config)?;
        let dialer = Dialer::new(config)?;
        let meters = Arc::new(RedisMeters::new(name));
        let keys = Keys::new(config.prefix.clone());
        let joined = if dialer.is_cluster() { 0 } else { config.connections };
        Ok(Self {
            inner: Arc::new(Inner {
                link: Link::new(dialer, config, Arc::clone(&meters)),
                gather: Gather::new(joined),
                generations: Generations::new(&keys, config.max_tags, config.generations),
                leases: Leases::new(),
                keys,
                ttl: config.ttl,
                clears_by_generation: config.generations,
                meters,
            }),
        })
    }

    /// The figures since the store was made.
    #[must_use]
    pub fn stats(&self) -> RedisStats {
        self.inner.meters.stats()
    }

    /// Makes connections of their own for who needs pushes.
    pub(crate) fn dialer(&self) -> &Dialer {
        self.inner.link.dialer()
    }

    /// What every key of this store begins with.
    pub(crate) fn prefix(&self) -> &str {
        self.inner.keys.prefix()
    }

    /// The key that Redis has as `redis_key`; `None` of what is no entry of this store.
    pub(crate) fn key_of(&self, redis_key: &[u8]) -> Option<String> {
        self.inner.keys.of_entry(redis_key)
    }

    /// Runs a script for `what` of a key, in one step.
    #[cfg(feature = "http")]
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        (key, what): (&str, &str),
        args: &[&[u8]],
    ) -> Result<T, StoreError> {
        let (link, own) = (&self.inner.link, self.inner.keys.beside(key, what));
        read(link.run(link.spot(&own), script, &[&own], args).await?)
    }

    /// Whether a key that Redis has is the clock of what was invalidated.
    pub(crate) fn is_clock(&self, redis_key: &[u8]) -> bool {
        redis_key == self.inner.generations.clock_key.as_bytes()
    }

    /// Whether everything is forgotten by a tick of that clock.
    pub(crate) fn clears_by_generation(&self) -> bool {
        self.inner.clears_by_generation
    }

    /// The time to live of what is stored for `ttl` or for the store's own; `None` for ever.
    fn lifetime(&self, ttl: Option<Duration>) -> Option<Duration> {
        ttl.or(self.inner.ttl).filter(|ttl| *ttl < LONGEST)
    }

    async fn unlink(&self, entries: &[String]) -> Result<u64, StoreError> {
        let mut command = Cmd::new();
        command.arg("UNLINK").arg(entries);
        let link = &self.inner.link;
        read(link.call(link.spot_of(entries), &command).await?)
    }

    fn entries(&self, keys: &[&str]) -> Vec<String> {
        keys.iter().map(|key| self.inner.keys.entry(key)).collect()
    }
}

fn check(config: &RedisConfig) -> Result<(), RedisBuildError> {
    if config.prefix.is_empty() {
        return Err(RedisBuildError::NoPrefix);
    }
    if config.prefix.contains(['{', '}']) {
        return Err(RedisBuildError::Prefix(config.prefix.clone()));
    }
    if config.timeout.is_zero() || config.connect_timeout.is_zero() {
        return Err(RedisBuildError::NoTime);
    }
    let number = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
    let refused = |name, value, wanted| Err(RedisBuildError::Setting { name, value, wanted });
    if !(1..=MOST_CONNECTIONS).contains(&config.connections) {
        return refused("connections", number(config.connections), "1 to 64");
    }
    if config.max_in_flight == 0 || config.max_in_flight > tokio::sync::Semaphore::MAX_PERMITS {
        return refused("max_in_flight", number(config.max_in_flight), "more than 0");
    }
    if config.breaker_failures == 0 {
        return refused("breaker_failures", 0, "more than 0");
    }
    check_topology(config)
}

fn check_topology(config: &RedisConfig) -> Result<(), RedisBuildError> {
    let refused = |why| Err(RedisBuildError::Topology(why));
    match &config.sentinel {
        Some(_) if config.cluster => refused("both sentinel and cluster are set"),
        Some(sentinel) if sentinel.urls.is_empty() => refused("sentinel.urls is empty"),
        _ if !config.urls.is_empty() && !config.cluster => refused("urls is for a cluster only"),
        _ => Ok(()),
    }
}

/// What an answer says; an error if it is another kind of answer than the command has.
fn read<T: FromRedisValue>(value: Value) -> Result<T, StoreError> {
    ::redis::from_redis_value(value).map_err(|error| StoreError::Refused(error.into()))
}

impl Store for RedisStore {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        Ok(self.opened(key).await?.map(stored))
    }

    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Stored>>, StoreError> {
        let mut found = Vec::with_capacity(keys.len());
        for keys in keys.chunks(MANY) {
            let opened = self.opened_many(&self.entries(keys)).await?;
            found.extend(opened.into_iter().map(|opened| opened.map(stored)));
        }
        Ok(found)
    }

    async fn set(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<(), StoreError> {
        self.keep(key, value, Keeping { ttl, ..Keeping::default() }).await
    }

    async fn set_many(
        &self,
        entries: &[(&str, Bytes)],
        ttl: Option<Duration>,
    ) -> Result<(), StoreError> {
        for entries in entries.chunks(MANY) {
            self.keep_many(entries, ttl).await?;
        }
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<bool, StoreError> {
        Ok(self.unlink(&[self.inner.keys.entry(key)]).await? > 0)
    }

    async fn delete_many(&self, keys: &[&str]) -> Result<u64, StoreError> {
        let mut deleted = 0;
        for keys in keys.chunks(MANY) {
            deleted += self.unlink(&self.entries(keys)).await?;
        }
        Ok(deleted)
    }

    async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        let (entry, link) = (self.inner.keys.entry(key), &self.inner.link);
        let head = match link.call(link.spot(&entry), &head_of(&entry)).await {
            Err(error) if is_wrong_type(&error) => return Ok(false),
            head => head?,
        };
        match Head::of(&read::<Vec<u8>>(head)?) {
            // Whether it still counts, the rest says.
            Ok(head) if head.tagged || self.inner.clears_by_generation => {
                Ok(self.opened(key).await?.is_some())
            }
            Ok(head) => Ok(head.left(now()) != Some(Duration::ZERO)),
            Err(_) => Ok(false),
        }
    }

    async fn clear(&self) -> Result<(), StoreError> {
        if self.inner.clears_by_generation {
            return self.invalidate("all", &[]).await;
        }
        self.clear_by_walking().await
    }

    fn is_guarded(&self) -> bool {
        true
    }
}

fn stored(opened: envelope::Opened) -> Stored {
    Stored::new(opened.value, opened.left).tagged(opened.tags)
}

/// What asks for an entry without its value.
fn head_of(entry: &str) -> Cmd {
    let mut command = Cmd::new();
    command.arg("GETRANGE").arg(entry).arg(0).arg(envelope::HEAD - 1);
    command
}

/// What sets an entry that lives for `ttl`.
fn set(entry: &str, bytes: &[u8], ttl: Option<Duration>) -> Cmd {
    let mut command = Cmd::set(entry, bytes);
    if let Some(ttl) = ttl {
        command.arg("PX").arg(millis(ttl));
    }
    command
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("prefix", &self.prefix())
            .field("ttl", &self.inner.ttl)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
