//! Where bytes are kept: the trait, its contract, and what can go wrong.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::error::BoxError;

pub(crate) mod codec;
#[cfg(feature = "zstd")]
pub(crate) mod compressed;
#[cfg(feature = "disk")]
pub(crate) mod disk;
pub(crate) mod lease;
pub(crate) mod memory;
#[cfg(feature = "redis")]
pub(crate) mod redis;
#[cfg(any(feature = "disk", feature = "redis"))]
mod taglist;
#[cfg(any(feature = "disk", feature = "redis", feature = "snapshot"))]
pub(crate) mod wall;

/// Keeps bytes under names, for a time.
///
/// - **Atomicity.** Each call is one step: a `get` sees the whole of one `set` or nothing of it,
///   and of two calls for one key the second sees what the first did. `clear` alone is not one
///   step: what is set meanwhile may stay or go.
/// - **Forgetting.** A store may drop any entry at any time to make room. It never returns a
///   value at or after its time, nor one that was deleted or replaced.
/// - **Cancel safety.** A dropped `set`, `delete` or `clear` has happened or not, or happens yet;
///   a dropped `get` leaves nothing behind.
/// - **Errors** say nothing about the key: the step may have been done or not.
/// - **Concurrency.** Calls do not wait for each other longer than one step takes.
pub trait Store: Send + Sync + 'static {
    /// What is kept under `key`, and the time it has left.
    ///
    /// # Errors
    ///
    /// When the store cannot tell; absence is `None`, and so are bytes that are not an entry of
    /// this store.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Stored>, StoreError>> + Send;

    /// Keeps `value` under `key` for `ttl` in place of what was there; without one for as long as
    /// the store does by default. Zero keeps nothing, and what was there is gone. Times are
    /// rounded up to whole milliseconds where a store counts in those.
    ///
    /// # Errors
    ///
    /// When the store may not have kept it; what was there may then be there still.
    fn set(
        &self,
        key: &str,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Forgets `key`; whether it was there.
    ///
    /// # Errors
    ///
    /// When it may still be there.
    fn delete(&self, key: &str) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// What is kept under each of `keys`, in their order. Not one step: each key for itself is.
    /// One round trip to a store elsewhere, as long as the keys are some hundreds.
    ///
    /// # Errors
    ///
    /// When the store cannot tell of one of them.
    fn get_many(
        &self,
        keys: &[&str],
    ) -> impl Future<Output = Result<Vec<Option<Stored>>, StoreError>> + Send {
        async move {
            let mut found = Vec::with_capacity(keys.len());
            for key in keys {
                found.push(self.get(key).await?);
            }
            Ok(found)
        }
    }

    /// Keeps each of `entries` for `ttl`. Not one step, as with [`get_many`](Self::get_many), and
    /// one round trip where that is.
    ///
    /// # Errors
    ///
    /// When some may not have been kept.
    fn set_many(
        &self,
        entries: &[(&str, Bytes)],
        ttl: Option<Duration>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        async move {
            for (key, value) in entries {
                self.set(key, value.clone(), ttl).await?;
            }
            Ok(())
        }
    }

    /// Forgets each of `keys`; how many were there. Not one step, as with
    /// [`get_many`](Self::get_many).
    ///
    /// # Errors
    ///
    /// When some may still be there.
    fn delete_many(&self, keys: &[&str]) -> impl Future<Output = Result<u64, StoreError>> + Send {
        async move {
            let mut deleted = 0;
            for key in keys {
                deleted += u64::from(self.delete(key).await?);
            }
            Ok(deleted)
        }
    }

    /// Whether there is something under `key`, without reading it; no use of it either, for
    /// stores that keep what is used. What [`get`](Self::get) finds damaged may count.
    ///
    /// # Errors
    ///
    /// When the store cannot tell.
    fn exists(&self, key: &str) -> impl Future<Output = Result<bool, StoreError>> + Send {
        async move { Ok(self.get(key).await?.is_some()) }
    }

    /// Forgets everything that this store kept.
    ///
    /// # Errors
    ///
    /// When some of it may still be there.
    fn clear(&self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Somebody else has changed something in a store that others share too: what this one keeps of
    /// it nearer counts as absent from now on. Does not wait. Nothing, for a store that keeps
    /// everything in one place.
    fn outdated(&self, what: Outdated<'_>) {
        let _ = what;
    }

    /// Whether it sees by itself to calls that take long and to a server that is away, so that a
    /// [`Tier`](crate::Tier) of it need not: true for stores that are made of tiers.
    fn is_guarded(&self) -> bool {
        false
    }
}

/// What somebody else has changed; see [`Store::outdated`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outdated<'a> {
    /// A key.
    Key(&'a str),
    /// All keys that begin so.
    Prefix(&'a str),
    /// All entries with this tag.
    Tag(&'a str),
    /// All entries with any tag.
    Tagged,
    /// Anything. From now on changes are told again, if they were not.
    Everything,
    /// Anything, and from now on nobody tells of changes.
    Unheard,
}

/// A store that can tell what it keeps, by walking over it: for operators and invalidation, not
/// for the way of a request.
///
/// Walks are not one step. What is set or deleted meanwhile may be seen or not, all else is.
pub trait ScanStore: Store {
    /// At most `most` keys that begin with `prefix`, in no order, each once.
    ///
    /// # Errors
    ///
    /// When the store cannot tell.
    fn scan(
        &self,
        prefix: &str,
        most: usize,
    ) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;

    /// How many keys there are. Those whose time is over may count until the store has swept them.
    ///
    /// # Errors
    ///
    /// When the store cannot tell.
    fn count(&self) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Forgets what begins with `prefix` and was there when this began; how many that were. Holds
    /// those keys in memory meanwhile.
    ///
    /// # Errors
    ///
    /// When some may still be there.
    fn delete_prefix(&self, prefix: &str) -> impl Future<Output = Result<u64, StoreError>> + Send {
        async move {
            let keys = self.scan(prefix, usize::MAX).await?;
            let mut deleted = 0;
            for keys in keys.chunks(DELETED) {
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                deleted += self.delete_many(&keys).await?;
            }
            Ok(deleted)
        }
    }
}

/// A store whose entries can have tags, and which forgets all entries of a tag in one step.
///
/// - **Generations.** An invalidation is a note of which tag and when; entries that are older than
///   it count as absent from then on, and go when somebody comes by or their time is over. So it
///   costs the same however many entries have the tag.
/// - **Order.** A read that begins after an invalidation was acknowledged sees nothing older with
///   that tag. What is set after it is there.
/// - **Bounds.** A store remembers so many invalidated tags. When it forgets one, all tagged
///   entries older than that tag's invalidation count as absent.
/// - **Walks** may count and list what was invalidated until it is gone; so may `delete`.
pub trait TagStore: Store {
    /// As [`set`](Store::set), and with tags. They replace the tags of what was there.
    ///
    /// # Errors
    ///
    /// When the store may not have kept it, or cannot keep so many tags.
    fn set_tagged(
        &self,
        key: &str,
        value: Bytes,
        keeping: Keeping<'_>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Forgets all entries that have one of `tags`, in one step up to some hundreds of tags.
    ///
    /// # Errors
    ///
    /// When some may still be there.
    fn invalidate_tags(&self, tags: &[&str])
    -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The present moment as far as this process knows, for [`Keeping::since`]: take it before the
    /// load of what will be kept.
    fn moment(&self) -> Moment;
}

/// How a value is kept.
#[derive(Debug, Clone, Copy, Default)]
pub struct Keeping<'a> {
    /// For how long; `None` for as long as the store does by default.
    pub ttl: Option<Duration>,
    /// Its tags. Default: none.
    pub tags: &'a [&'a str],
    /// When its load began: what was invalidated after that concerns it. Default: as it is kept.
    pub since: Option<Moment>,
    /// How long its load took, for whoever wants to know when it should be loaded again.
    pub load_time: Option<Duration>,
}

/// A moment in the life of one [`TagStore`], between two invalidations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub(crate) u64);

/// Keys of one call, where many are deleted: no step shall take long.
const DELETED: usize = 500;

/// What a store had.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// The bytes, as they were set.
    pub value: Bytes,
    /// The time left, more than zero; `None` if they stay until the store needs the room.
    pub left: Option<Duration>,
    /// Their tags, from a [`TagStore`]; none from other stores.
    pub tags: Vec<Arc<str>>,
}

impl Stored {
    /// Bytes with the time they have left.
    #[must_use]
    pub const fn new(value: Bytes, left: Option<Duration>) -> Self {
        Self { value, left, tags: Vec::new() }
    }

    /// Says which tags they have.
    #[must_use]
    pub fn tagged<T: Into<Arc<str>>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.tags.extend(tags.into_iter().map(Into::into));
        self
    }
}

/// Why a store could not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No answer within the store's timeout.
    #[error("the store did not answer within {0:?}")]
    Timeout(Duration),
    /// The store cannot be reached, or the connection broke.
    #[error("the store cannot be reached")]
    Unreachable(#[source] BoxError),
    /// The store answered with an error of its own.
    #[error("the store refused")]
    Refused(#[source] BoxError),
    /// There is no room left where the store keeps its bytes. What is there can still be read.
    #[error("the store has no room left")]
    Full(#[source] BoxError),
    /// The store met damage in what it keeps.
    #[error("the store is damaged")]
    Damaged(#[source] BoxError),
    /// The store was not asked, because it has just failed; see [`Tier`](crate::Tier).
    #[error("the store is left alone after failures")]
    Away,
    /// The store was closed.
    #[error("the store was closed")]
    Closed,
    /// The value could not be turned into bytes.
    #[error("the value could not be encoded")]
    Encode(#[source] BoxError),
}

impl StoreError {
    /// Whether asking the same store again later may succeed.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Timeout(_) | Self::Unreachable(_) | Self::Away)
    }
}
