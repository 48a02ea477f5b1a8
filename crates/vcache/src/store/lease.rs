//! Leases: who may load a key, of all processes that share a store.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;

use crate::store::{Keeping, Store, StoreError};

/// A store that grants leases of keys, one at a time for each key, for whoever loads it.
///
/// - A lease ends when it is given back, or when its time is over without having been extended:
///   whoever holds it may have died.
/// - Each lease has a token, larger than those of all leases of that key before it. A holder that
///   was away for longer than its lease cannot fill in what it loaded, and a source that remembers
///   the largest token it has seen can refuse what it wants to write (a fencing token: M. Kleppmann,
///   "How to do distributed locking", 2016).
/// - A lease guards the loading of a value, not the value: anybody may `set` and `delete`.
/// - Servers that replicate later than they acknowledge may grant a lease twice after a failover.
///   Then two load.
pub trait LeaseStore: Store {
    /// Takes the lease of `key` for `ttl` if nobody has it.
    ///
    /// # Errors
    ///
    /// When the store cannot tell; it may have been taken, for `ttl`.
    fn acquire(
        &self,
        key: &str,
        ttl: Duration,
    ) -> impl Future<Output = Result<Acquired, StoreError>> + Send;

    /// Holds on for `ttl` from now; false if the lease is over already.
    ///
    /// # Errors
    ///
    /// When the store cannot tell.
    fn extend(
        &self,
        lease: &Lease,
        ttl: Duration,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Keeps `value` and gives the lease back, in one step, and tells those who wait. False, and
    /// nothing is kept, if the lease is over already.
    ///
    /// # Errors
    ///
    /// When the value may not have been kept. The lease may still be held.
    fn fill(
        &self,
        lease: &Lease,
        value: Bytes,
        keeping: Keeping<'_>,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Gives the lease back without a value, and tells those who wait; false if it is over already.
    ///
    /// # Errors
    ///
    /// When the store cannot tell.
    fn release(&self, lease: &Lease) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Waits until whoever holds the lease of `key` gives it back or lets it end, but no longer than
    /// `most`.
    ///
    /// # Errors
    ///
    /// When the store cannot tell.
    fn released(
        &self,
        key: &str,
        most: Duration,
    ) -> impl Future<Output = Result<Released, StoreError>> + Send;
}

/// A lease of one key.
#[derive(Debug)]
pub struct Lease {
    pub(crate) key: String,
    /// Differs from all others.
    #[cfg(feature = "redis")]
    pub(crate) owner: String,
    pub(crate) token: u64,
}

impl Lease {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The fencing token: larger than that of each lease of this key before.
    #[must_use]
    pub const fn token(&self) -> u64 {
        self.token
    }
}

/// What came of asking for a lease.
#[derive(Debug)]
#[non_exhaustive]
pub enum Acquired {
    /// It is ours.
    Held(Lease),
    /// Somebody else has it.
    Busy,
}

/// How the wait for a lease's end ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Released {
    /// It was given back with a value, which can be read now.
    Filled,
    /// It was given back without one.
    GivenUp,
    /// It has ended, nobody knows how, or the time to wait is over.
    Unknown,
}
