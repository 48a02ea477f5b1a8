//! Where bytes are kept: the trait, its contract, and what can go wrong.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;

use crate::error::BoxError;

pub(crate) mod codec;
#[cfg(feature = "disk")]
pub(crate) mod disk;
pub(crate) mod memory;
#[cfg(feature = "redis")]
pub(crate) mod redis;
#[cfg(any(feature = "disk", feature = "redis"))]
mod wall;

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

    /// Forgets everything that this store kept.
    ///
    /// # Errors
    ///
    /// When some of it may still be there.
    fn clear(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// What a store had.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// The bytes, as they were set.
    pub value: Bytes,
    /// The time left, more than zero; `None` if they stay until the store needs the room.
    pub left: Option<Duration>,
}

impl Stored {
    /// Bytes with the time they have left.
    #[must_use]
    pub const fn new(value: Bytes, left: Option<Duration>) -> Self {
        Self { value, left }
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
        matches!(self, Self::Timeout(_) | Self::Unreachable(_))
    }
}
