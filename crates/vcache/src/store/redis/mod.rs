//! The store in Redis or Valkey.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::redis::io::tcp::TcpSettings;
use ::redis::{Client, Cmd, IntoConnectionInfo, RedisError};
use bytes::Bytes;

use crate::error::BoxError;
use crate::store::wall::{millis, now};
use crate::store::{ScanStore, Store, StoreError, Stored};

mod config;
mod envelope;
mod link;

pub use config::RedisConfig;
use envelope::Opened;
use link::Link;

/// Keys that one step of `clear` looks at.
const SCANNED: usize = 500;
/// A hundred years. Redis refuses times that overflow, and this is for ever.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Keeps bytes in Redis or Valkey, over one multiplexed connection that comes back by itself.
///
/// - Every call, connecting included, ends within [`RedisConfig::timeout`]. While the server is
///   away calls fail, mostly at once; the first call after its return connects again.
/// - Values stand in a small envelope (a mark, a version, written and expiry times). Bytes
///   without it, or of another version, count as absent; see [`foreign`](Self::foreign).
/// - The time left is told by the envelope, so clocks that differ between machines shorten it;
///   they never lengthen a value's whole life.
/// - `clear` walks the keyspace with `SCAN` and unlinks what begins with the prefix: as long as
///   the keyspace is large, but no step blocks the server.
/// - One server or a proxy in front of several; not a Redis Cluster client.
///
/// Nothing is connected before the first call, which needs a tokio runtime. Cloning gives
/// another handle to the same connection.
#[derive(Clone)]
pub struct RedisStore {
    inner: Arc<Inner>,
}

struct Inner {
    link: Link,
    prefix: String,
    ttl: Option<Duration>,
    foreign: AtomicU64,
}

/// Why a Redis store could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedisBuildError {
    /// The URL is not one, or names a feature that this build does not have.
    #[error("the redis URL cannot be used")]
    Url(#[source] BoxError),
    /// Without a prefix `clear` would delete the whole database.
    #[error("the prefix is empty, so that clearing the store would delete the whole database")]
    NoPrefix,
    /// No call would ever succeed.
    #[error("the timeout is zero")]
    NoTime,
}

impl RedisStore {
    /// A store with the settings of `config`; connects with the first call.
    ///
    /// # Errors
    ///
    /// See [`RedisBuildError`]. An absent server is none.
    pub fn new(config: &RedisConfig) -> Result<Self, RedisBuildError> {
        if config.prefix.is_empty() {
            return Err(RedisBuildError::NoPrefix);
        }
        if config.timeout.is_zero() {
            return Err(RedisBuildError::NoTime);
        }
        let client = client(&config.url).map_err(|error| RedisBuildError::Url(error.into()))?;
        Ok(Self {
            inner: Arc::new(Inner {
                link: Link::new(client, config.timeout),
                prefix: config.prefix.clone(),
                ttl: config.ttl,
                foreign: AtomicU64::new(0),
            }),
        })
    }

    /// How many reads met bytes under our prefix that are no entry of this version.
    #[must_use]
    pub fn foreign(&self) -> u64 {
        self.inner.foreign.load(Ordering::Relaxed)
    }

    /// The key that Redis has for ours.
    pub(crate) fn key(&self, key: &str) -> String {
        format!("{}{key}", self.inner.prefix)
    }

    /// Sends a command, which must be harmless to repeat.
    #[cfg(feature = "http")]
    pub(crate) async fn call<T: ::redis::FromRedisValue>(
        &self,
        command: &Cmd,
    ) -> Result<T, StoreError> {
        self.inner.link.call(command).await
    }

    fn opened(&self, bytes: Option<Vec<u8>>) -> Option<Stored> {
        match envelope::open(&Bytes::from(bytes?), now()) {
            Opened::Value(value, left) => Some(Stored { value, left }),
            Opened::Expired => None,
            Opened::Foreign => {
                self.inner.foreign.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }

    /// One step of a walk over what begins with our prefix and then `prefix`: keys as Redis has
    /// them, and the cursor of the next step.
    async fn step(
        &self,
        prefix: &str,
        cursor: u64,
    ) -> Result<(Vec<Vec<u8>>, Option<u64>), StoreError> {
        let mut command = Cmd::new();
        command.arg("SCAN").arg(cursor);
        command.arg("MATCH").arg(pattern(&self.key(prefix)));
        command.arg("COUNT").arg(SCANNED);
        let (next, keys): (u64, Vec<Vec<u8>>) = self.inner.link.call(&command).await?;
        Ok((keys, (next > 0).then_some(next)))
    }

    async fn unlink(&self, keys: &[Vec<u8>]) -> Result<u64, StoreError> {
        let mut command = Cmd::new();
        command.arg("UNLINK").arg(keys);
        self.inner.link.call(&command).await
    }
}

fn client(url: &str) -> Result<Client, RedisError> {
    let info = url.into_connection_info()?;
    // Small commands must not wait for the acknowledgement of the one before (Nagle).
    Client::open(info.set_tcp_settings(TcpSettings::default().set_nodelay(true)))
}

/// A prefix as the beginning of a pattern of `SCAN`, in which some characters have a meaning.
fn pattern(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len() + 8);
    for c in prefix.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('*');
    pattern
}

impl Store for RedisStore {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        let command = Cmd::get(self.key(key));
        let bytes = self.inner.link.call::<Option<Vec<u8>>>(&command).await?;
        Ok(self.opened(bytes))
    }

    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Stored>>, StoreError> {
        let mut found = Vec::with_capacity(keys.len());
        for keys in keys.chunks(SCANNED) {
            let mut command = Cmd::new();
            command.arg("MGET");
            for key in keys {
                command.arg(self.key(key));
            }
            let values: Vec<Option<Vec<u8>>> = self.inner.link.call(&command).await?;
            found.extend(values.into_iter().map(|bytes| self.opened(bytes)));
        }
        Ok(found)
    }

    async fn delete_many(&self, keys: &[&str]) -> Result<u64, StoreError> {
        let mut deleted = 0;
        for keys in keys.chunks(SCANNED) {
            let keys: Vec<_> = keys.iter().map(|key| self.key(key).into_bytes()).collect();
            deleted += self.unlink(&keys).await?;
        }
        Ok(deleted)
    }

    async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        // The envelope without the value.
        let mut command = Cmd::new();
        command.arg("GETRANGE").arg(self.key(key)).arg(0).arg(envelope::HEAD - 1);
        let head: Vec<u8> = self.inner.link.call(&command).await?;
        Ok(matches!(envelope::open(&Bytes::from(head), now()), Opened::Value(..)))
    }

    async fn set(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<(), StoreError> {
        let ttl = ttl.or(self.inner.ttl).filter(|ttl| *ttl < LONGEST);
        if ttl == Some(Duration::ZERO) {
            return self.delete(key).await.map(|_| ());
        }
        let mut command = Cmd::set(self.key(key), envelope::seal(&value, now(), ttl));
        if let Some(ttl) = ttl {
            command.arg("PX").arg(millis(ttl));
        }
        self.inner.link.call(&command).await
    }

    async fn delete(&self, key: &str) -> Result<bool, StoreError> {
        Ok(self.unlink(&[self.key(key).into_bytes()]).await? > 0)
    }

    async fn clear(&self) -> Result<(), StoreError> {
        let mut cursor = Some(0);
        while let Some(at) = cursor {
            let (keys, next) = self.step("", at).await?;
            if !keys.is_empty() {
                self.unlink(&keys).await?;
            }
            cursor = next;
        }
        Ok(())
    }
}

/// Walks go over the whole keyspace with `SCAN`, in small steps. Keys that are no text are not
/// this store's. Bytes under our prefix that are no entry of this version count and are deleted
/// with the others.
impl ScanStore for RedisStore {
    async fn scan(&self, prefix: &str, most: usize) -> Result<Vec<String>, StoreError> {
        // `SCAN` may give a key twice.
        let (mut found, mut cursor) = (HashSet::new(), Some(0));
        while let Some(at) = cursor.filter(|_| found.len() < most) {
            let (keys, next) = self.step(prefix, at).await?;
            let ours = keys.into_iter().filter_map(|key| {
                let key = String::from_utf8(key).ok()?;
                key.strip_prefix(&self.inner.prefix).map(str::to_owned)
            });
            found.extend(ours);
            cursor = next;
        }
        Ok(found.into_iter().take(most).collect())
    }

    async fn count(&self) -> Result<u64, StoreError> {
        let keys = self.scan("", usize::MAX).await?.len();
        Ok(u64::try_from(keys).unwrap_or(u64::MAX))
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("prefix", &self.inner.prefix)
            .field("ttl", &self.inner.ttl)
            .field("foreign", &self.foreign())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_means_itself_in_a_pattern() {
        assert_eq!(pattern("a*[b]"), "a\\*\\[b\\]*");
        assert_eq!(pattern("plain:"), "plain:*");
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let with = |url: &str, prefix: &str| {
            RedisStore::new(&RedisConfig {
                url: url.to_owned(),
                prefix: prefix.to_owned(),
                ..RedisConfig::default()
            })
        };
        let refused = with("http://127.0.0.1", "p:");
        assert!(matches!(refused, Err(RedisBuildError::Url(_))));
        let refused = with("redis://127.0.0.1", "");
        assert!(matches!(refused, Err(RedisBuildError::NoPrefix)));
        assert!(with("redis://127.0.0.1", "p:").is_ok());
    }

    #[test]
    fn the_password_is_not_shown() {
        let config =
            RedisConfig { url: "redis://:secret@host".to_owned(), ..RedisConfig::default() };
        assert!(!format!("{config:?}").contains("secret"));
    }
}
