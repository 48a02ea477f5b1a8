//! Keys and answers in Redis, for all that share it.
//!
//! A key holds one text: `vi1`, a letter (`R` held, `D` done), the holder's token (16 bytes), the
//! fingerprint (32 bytes), and the answer. Every step is one script, which Redis runs alone.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::http::idempotency::digest::Digest;
use crate::http::idempotency::store::{Claim, ReplayStore, Token};
use crate::store::StoreError;
use crate::store::redis::{RedisStore, Script};

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
/// Its keys begin with the store's prefix; clearing the store clears them. Every call ends within
/// the store's limits. Leases and lifetimes run on the server's clock.
#[derive(Clone)]
pub struct RedisReplays {
    store: RedisStore,
    poll: Duration,
    scripts: Arc<Scripts>,
}

struct Scripts {
    claim: Script,
    renew: Script,
    complete: Script,
    release: Script,
}

impl RedisReplays {
    /// Keeps them where `store` keeps its values; who waits asks every `poll`.
    #[must_use]
    pub fn new(store: RedisStore, poll: Duration) -> Self {
        let scripts = Scripts {
            claim: Script::new(CLAIM),
            renew: Script::new(RENEW),
            complete: Script::new(COMPLETE),
            release: Script::new(RELEASE),
        };
        Self { store, poll, scripts: Arc::new(scripts) }
    }

    async fn run<T: ::redis::FromRedisValue>(
        &self,
        script: &Script,
        key: &Digest,
        args: &[&[u8]],
    ) -> Result<T, StoreError> {
        self.store.run(script, (&key.to_string(), "idempotency"), args).await
    }
}

fn owner(state: &[u8; 4], token: Token) -> Vec<u8> {
    [state.as_slice(), token.as_bytes()].concat()
}

fn millis(time: Duration) -> Vec<u8> {
    time.min(LONGEST).as_millis().max(1).to_string().into_bytes()
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
        let claim = [owner(HELD, token).as_slice(), fingerprint.as_bytes()].concat();
        let args: [&[u8]; 2] = [&claim, &millis(lease)];
        let there: Option<Vec<u8>> = self.run(&self.scripts.claim, key, &args).await?;
        there.map_or(Ok(Claim::Won), read)
    }

    async fn renew(&self, key: &Digest, token: Token, lease: Duration) -> Result<bool, StoreError> {
        let args: [&[u8]; 2] = [&owner(HELD, token), &millis(lease)];
        self.run(&self.scripts.renew, key, &args).await
    }

    async fn complete(
        &self,
        key: &Digest,
        fingerprint: &Digest,
        token: Token,
        answer: Bytes,
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        let done = [owner(DONE, token).as_slice(), fingerprint.as_bytes(), &answer].concat();
        let args: [&[u8]; 2] = [&done, &millis(ttl)];
        self.run(&self.scripts.complete, key, &args).await
    }

    async fn release(&self, key: &Digest, token: Token) -> Result<bool, StoreError> {
        self.run(&self.scripts.release, key, &[&owner(HELD, token)]).await
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
