//! Keys and answers in this process.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::time::{Instant, timeout_at};

use crate::clock::TokioClock;
use crate::http::idempotency::digest::Digest;
use crate::http::idempotency::store::{Claim, ReplayStore, Token};
use crate::memory::{BuildError, Memory};
use crate::store::StoreError;

/// Keeps keys and answers in memory: one process, gone when it ends.
///
/// Answers are bounded by weight; when the bound is reached, some leave before their time. Held
/// keys never leave for room; they are bounded in number.
pub struct MemoryReplays {
    held: DashMap<Digest, Held>,
    done: Memory<Digest, Done>,
    most: usize,
}

struct Held {
    token: Token,
    fingerprint: Digest,
    until: Instant,
    changed: Arc<Notify>,
}

#[derive(Clone)]
struct Done {
    token: Token,
    fingerprint: Digest,
    answer: Bytes,
}

impl Held {
    fn is_over(&self, now: Instant) -> bool {
        self.until <= now
    }
}

impl MemoryReplays {
    /// Keeps answers of `max_size` bytes in all, and at most `most` held keys; `name` stands in
    /// metrics, one of few.
    ///
    /// # Errors
    ///
    /// Fails when `max_size` holds nothing.
    pub fn new(name: &str, max_size: u64, most: usize) -> Result<Self, BuildError> {
        let done = Memory::builder()
            .name(format!("idempotency-{name}"))
            .max_weight(max_size)
            .clock(TokioClock::new())
            .weigher(|_: &Digest, done: &Done| u64::try_from(done.answer.len()).unwrap_or(u64::MAX))
            .build()?;
        Ok(Self { held: DashMap::new(), done, most })
    }

    /// Whether there is room for one more held key.
    fn has_room(&self) -> bool {
        if self.held.len() >= self.most {
            // Whoever claims and never comes back must not take a place for ever.
            let now = Instant::now();
            self.held.retain(|_, held| !held.is_over(now));
        }
        self.held.len() < self.most
    }

    fn claim_now(&self, key: &Digest, new: Held) -> Claim {
        let now = Instant::now();
        match self.held.entry(*key) {
            Entry::Occupied(entry) if entry.get().token == new.token => Claim::Won,
            Entry::Occupied(entry) if !entry.get().is_over(now) => {
                Claim::Running { fingerprint: entry.get().fingerprint }
            }
            Entry::Occupied(mut entry) => {
                entry.insert(new).changed.notify_waiters();
                Claim::Won
            }
            Entry::Vacant(place) => match self.done.get(key) {
                Some(done) if done.token == new.token => Claim::Won,
                Some(Done { fingerprint, answer, .. }) => Claim::Done { fingerprint, answer },
                None => {
                    place.insert(new);
                    Claim::Won
                }
            },
        }
    }

    fn complete_now(&self, key: &Digest, done: Done, ttl: Duration) -> bool {
        match self.held.entry(*key) {
            Entry::Occupied(entry) if entry.get().token != done.token => false,
            Entry::Occupied(entry) => {
                self.done.insert_with_ttl(*key, done, ttl);
                entry.remove().changed.notify_waiters();
                true
            }
            Entry::Vacant(_place) => match self.done.get(key) {
                Some(before) => before.token == done.token,
                None => {
                    self.done.insert_with_ttl(*key, done, ttl);
                    true
                }
            },
        }
    }

    /// When `key` changes, and when it is over by itself.
    fn change_of(&self, key: &Digest) -> Option<(OwnedNotified, Instant)> {
        // Taken under the entry's lock, so that no change comes before it.
        let held = self.held.get(key).filter(|held| !held.is_over(Instant::now()))?;
        Some((Arc::clone(&held.changed).notified_owned(), held.until))
    }
}

impl ReplayStore for MemoryReplays {
    async fn claim(
        &self,
        key: &Digest,
        fingerprint: &Digest,
        token: Token,
        lease: Duration,
    ) -> Result<Claim, StoreError> {
        if !self.has_room() && !self.held.contains_key(key) && !self.done.contains(key) {
            return Err(StoreError::Full("too many keys are held".into()));
        }
        let (until, changed) = (end_of(lease), Arc::new(Notify::new()));
        Ok(self.claim_now(key, Held { token, fingerprint: *fingerprint, until, changed }))
    }

    async fn renew(&self, key: &Digest, token: Token, lease: Duration) -> Result<bool, StoreError> {
        let now = Instant::now();
        let held = self.held.get_mut(key);
        let held = held.filter(|held| held.token == token && !held.is_over(now));
        Ok(held.map(|mut held| held.until = end_of(lease)).is_some())
    }

    async fn complete(
        &self,
        key: &Digest,
        fingerprint: &Digest,
        token: Token,
        answer: Bytes,
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        let done = Done { token, fingerprint: *fingerprint, answer };
        Ok(self.complete_now(key, done, ttl))
    }

    async fn release(&self, key: &Digest, token: Token) -> Result<bool, StoreError> {
        let released = self.held.remove_if(key, |_, held| held.token == token);
        if let Some((_, held)) = &released {
            held.changed.notify_waiters();
        }
        Ok(released.is_some())
    }

    async fn changed(&self, key: &Digest) {
        if let Some((change, over)) = self.change_of(key) {
            let _ = timeout_at(over, change).await;
        }
    }
}

/// Times that no clock reaches end in a year, and are renewed long before.
fn end_of(lease: Duration) -> Instant {
    let year = Duration::from_secs(365 * 24 * 3600);
    Instant::now() + lease.min(year)
}

impl fmt::Debug for MemoryReplays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryReplays")
            .field("held", &self.held.len())
            .field("kept", &self.done.len())
            .field("bytes", &self.done.weight())
            .finish_non_exhaustive()
    }
}
