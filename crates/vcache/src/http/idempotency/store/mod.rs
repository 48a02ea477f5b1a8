//! Where keys are claimed and answers kept: the trait, its contract, and its form for any store.

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;

use crate::http::idempotency::digest::Digest;
use crate::store::StoreError;

pub(crate) mod memory;
#[cfg(feature = "redis")]
pub(crate) mod redis;

/// Tells one holder of a key from every other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token([u8; 16]);

impl Token {
    /// A token that no other holder has, in this process or another.
    #[must_use]
    pub fn unique() -> Self {
        static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0_u8));
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(((u128::from(*PROCESS) << 64) | u128::from(number)).to_be_bytes())
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The key is the claimant's, for its lease.
    Won,
    /// Another holds it.
    Running {
        /// The fingerprint that the other claimed it with.
        fingerprint: Digest,
    },
    /// It was carried out.
    Done {
        /// The fingerprint that it was claimed with.
        fingerprint: Digest,
        /// What the holder left.
        answer: Bytes,
    },
}

/// Gives keys to one holder at a time, and keeps what the holder leaves.
///
/// - **Atomicity.** Each call is one step for its key. Of two claims without a release between
///   them at most one wins, until the lease of the first is over.
/// - **Leases.** A key whose lease is over can be claimed by another. Until one does, its former
///   holder may still complete it; afterwards nothing that the former holder does has any effect.
/// - **Repeating** a call with the same token is harmless: a claim that won wins again.
/// - **Cancel safety.** A dropped call has happened or not, or happens yet.
/// - **Errors** say nothing about the key: the step may have been done or not.
pub trait ReplayStore: Send + Sync + 'static {
    /// Claims `key` for the holder `token`, for `lease`.
    ///
    /// # Errors
    ///
    /// When the store cannot tell who holds it.
    fn claim(
        &self,
        key: &Digest,
        fingerprint: &Digest,
        token: Token,
        lease: Duration,
    ) -> impl Future<Output = Result<Claim, StoreError>> + Send;

    /// Lets the lease begin anew; whether `token` still holds `key`.
    ///
    /// # Errors
    ///
    /// When the lease may run on as it was.
    fn renew(
        &self,
        key: &Digest,
        token: Token,
        lease: Duration,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Keeps `answer` for `ttl` and ends the claim; false when another holds `key` by now, or has
    /// completed it.
    ///
    /// # Errors
    ///
    /// When the answer may not be kept.
    fn complete(
        &self,
        key: &Digest,
        fingerprint: &Digest,
        token: Token,
        answer: Bytes,
        ttl: Duration,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Ends the claim without an answer, so that another can claim `key`; whether `token` held it.
    ///
    /// # Errors
    ///
    /// When `key` may be held until its lease is over.
    fn release(
        &self,
        key: &Digest,
        token: Token,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Resolves when `key` may not be held any longer, or earlier; at once when it is not.
    fn changed(&self, key: &Digest) -> impl Future<Output = ()> + Send;
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Any [`ReplayStore`] behind a pointer.
pub(crate) trait AnyStore: Send + Sync {
    fn claim<'a>(
        &'a self,
        key: &'a Digest,
        fingerprint: &'a Digest,
        token: Token,
        lease: Duration,
    ) -> Boxed<'a, Result<Claim, StoreError>>;

    fn renew<'a>(
        &'a self,
        key: &'a Digest,
        token: Token,
        lease: Duration,
    ) -> Boxed<'a, Result<bool, StoreError>>;

    fn complete<'a>(
        &'a self,
        key: &'a Digest,
        fingerprint: &'a Digest,
        token: Token,
        answer: Bytes,
        ttl: Duration,
    ) -> Boxed<'a, Result<bool, StoreError>>;

    fn release<'a>(&'a self, key: &'a Digest, token: Token) -> Boxed<'a, Result<bool, StoreError>>;

    fn changed<'a>(&'a self, key: &'a Digest) -> Boxed<'a, ()>;
}

impl<S: ReplayStore> AnyStore for S {
    fn claim<'a>(
        &'a self,
        key: &'a Digest,
        fingerprint: &'a Digest,
        token: Token,
        lease: Duration,
    ) -> Boxed<'a, Result<Claim, StoreError>> {
        Box::pin(ReplayStore::claim(self, key, fingerprint, token, lease))
    }

    fn renew<'a>(
        &'a self,
        key: &'a Digest,
        token: Token,
        lease: Duration,
    ) -> Boxed<'a, Result<bool, StoreError>> {
        Box::pin(ReplayStore::renew(self, key, token, lease))
    }

    fn complete<'a>(
        &'a self,
        key: &'a Digest,
        fingerprint: &'a Digest,
        token: Token,
        answer: Bytes,
        ttl: Duration,
    ) -> Boxed<'a, Result<bool, StoreError>> {
        Box::pin(ReplayStore::complete(self, key, fingerprint, token, answer, ttl))
    }

    fn release<'a>(&'a self, key: &'a Digest, token: Token) -> Boxed<'a, Result<bool, StoreError>> {
        Box::pin(ReplayStore::release(self, key, token))
    }

    fn changed<'a>(&'a self, key: &'a Digest) -> Boxed<'a, ()> {
        Box::pin(ReplayStore::changed(self, key))
    }
}
