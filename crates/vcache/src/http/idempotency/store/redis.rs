//! Keys and answers in Redis, for all that share it.
//!
//! A key holds one text: `vi1`, a letter (`R` held, `D` done), the holder's token (16 bytes), the
//! fingerprint (32 bytes), and the answer. Every step is one script, which Redis runs alone.

use std::fmt;
use std::time::Duration;

use ::redis::Cmd;
use bytes::Bytes;

use crate::http::idempotency::digest::Digest;
use crate::http::idempotency::store::{Claim, ReplayStore, Token};
use crate::store::StoreError;
use crate::store::redis::RedisStore;

const HELD: &[u8; 4] = b"vi1R";
const DONE: &[u8; 4] = b"vi1D";
/// Bytes before the fingerprint.
const OWNER: usize = 20;
/// Bytes before the answer.
const HEAD: usize = OWNER + Digest::LENGTH;
/// A hundred years. Redis refuses times that overflow, and this is for ever.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// What is there, or our claim if there is nothing. A claim of ours that is there already won.
const CLAIM: &str = "\
local there = redis.call('GET', KEYS[1])
if there and string.sub(there, 5, 20) ~= string.sub(ARGV[1], 5, 20) then return there end
if not there then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return false";

/// Only the holder's lease is renewed.
const RENEW: &str = "\
if redis.call('GETRANGE', KEYS[1], 0, 19) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])";

/// The answer takes the place of our claim, or of nothing; never of another's.
const COMPLETE: &str = "\
local there = redis.call('GETRANGE', KEYS[1], 0, 19)
if there ~= '' and string.sub(there, 5, 20) ~= string.sub(ARGV[1], 5, 20) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1";

/// Only the holder's claim is given up.
const RELEASE: &str = "\
if redis.call('GETRANGE', KEYS[1], 0, 19) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])";

/// Keeps keys and answers in Redis or Valkey, over the connection of a [`RedisStore`].
///
/// Its keys begin with the store's prefix and `idempotency:`; clearing the store clears them.
/// Every call ends within the store's timeout. Leases and lifetimes run on the server's clock.
#[derive(Clone)]
pub struct RedisReplays {
    store: RedisStore,
    poll: Duration,
}

impl RedisReplays {
    /// Keeps them where `store` keeps its values; who waits asks every `poll`.
    #[must_use]
    pub const fn new(store: RedisStore, poll: Duration) -> Self {
        Self { store, poll }
    }

    fn script(&self, script: &str, key: &Digest) -> Cmd {
        let mut command = Cmd::new();
        let key = self.store.key(&format!("idempotency:{key}"));
        command.arg("EVAL").arg(script).arg(1).arg(key);
        command
    }
}

fn owner(state: &[u8; 4], token: Token) -> Vec<u8> {
    [state.as_slice(), token.as_bytes()].concat()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.min(LONGEST).as_millis()).unwrap_or(u64::MAX).max(1)
}

/// What another left; an error for bytes that nothing of ours wrote.
fn read(bytes: Vec<u8>) -> Result<Claim, StoreError> {
    let foreign = || StoreError::Refused("the key holds something else".into());
    let bytes = Bytes::from(bytes);
    let (head, _) = bytes.split_first_chunk::<HEAD>().ok_or_else(foreign)?;
    let (owner, fingerprint) = head.split_at(OWNER);
    let fingerprint = <[u8; Digest::LENGTH]>::try_from(fingerprint).map_err(|_| foreign())?;
    let fingerprint = Digest::from_bytes(fingerprint);
    match owner.first_chunk::<4>() {
        Some(HELD) => Ok(Claim::Running { fingerprint }),
        Some(DONE) => Ok(Claim::Done { fingerprint, answer: bytes.slice(HEAD..) }),
        _ => Err(foreign()),
    }
}

impl ReplayStore for RedisReplays {
    async fn claim(
        &self,
        key: &Digest,
        fingerprint: &Digest,
        token: Token,
        lease: Duration,
    ) -> Result<Claim, StoreError> {
        let mut command = self.script(CLAIM, key);
        let claim = [owner(HELD, token).as_slice(), fingerprint.as_bytes()].concat();
        command.arg(claim).arg(millis(lease));
        let there: Option<Vec<u8>> = self.store.call(&command).await?;
        there.map_or(Ok(Claim::Won), read)
    }

    async fn renew(&self, key: &Digest, token: Token, lease: Duration) -> Result<bool, StoreError> {
        let mut command = self.script(RENEW, key);
        command.arg(owner(HELD, token)).arg(millis(lease));
        self.store.call(&command).await
    }

    async fn complete(
        &self,
        key: &Digest,
        fingerprint: &Digest,
        token: Token,
        answer: Bytes,
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        let mut command = self.script(COMPLETE, key);
        let done = [owner(DONE, token).as_slice(), fingerprint.as_bytes(), &answer].concat();
        command.arg(done).arg(millis(ttl));
        self.store.call(&command).await
    }

    async fn release(&self, key: &Digest, token: Token) -> Result<bool, StoreError> {
        let mut command = self.script(RELEASE, key);
        command.arg(owner(HELD, token));
        self.store.call(&command).await
    }

    async fn changed(&self, _: &Digest) {
        tokio::time::sleep(self.poll).await;
    }
}

impl fmt::Debug for RedisReplays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisReplays")
            .field("store", &self.store)
            .field("poll", &self.poll)
            .finish()
    }
}
