//! The store in memory: a table of fixed size that needs no sweeper.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::decision::Decision;
use crate::error::StoreError;
use crate::key::Key;
use crate::quota::Quota;
use crate::store::Store;
use crate::store::set::{Change, Set, WAYS};

/// A table of fixed size: sets of 16 keys, a lock for each set, 20 bytes for each key.
///
/// A key is remembered by a 64-bit hash, seeded for each store, so that nobody can aim at
/// another's key; of a million keys two are taken for one with a chance of 1 in 30 million. A key
/// that has its whole burst again equals one never seen, so that nothing has to expire. When a
/// set is full, the key nearest to its whole burst is forgotten: a client that is denied now is
/// the last to go, and strangers always find room.
pub struct MemoryStore {
    sets: Box<[Place]>,
    seed: RandomState,
    start: Instant,
    keys: AtomicUsize,
}

/// A set, at the beginning of a cache line.
#[derive(Default)]
#[repr(align(64))]
struct Place(Mutex<Set>);

/// What the store has seen since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreStats {
    /// Requests that passed.
    pub allowed: u64,
    /// Requests that did not.
    pub denied: u64,
    /// Keys that do not have their whole burst now.
    pub keys: usize,
    /// Keys forgotten before they had their whole burst, for want of room.
    pub evicted: u64,
}

/// A decision, and what it did to the table.
pub(crate) struct Spent {
    pub(crate) decision: Decision,
    pub(crate) evicted: bool,
    /// Keys held, if their number changed.
    pub(crate) keys: Option<usize>,
}

impl MemoryStore {
    /// A table for `max_keys` keys, rounded up to a multiple of 16; all its memory is taken now.
    #[must_use]
    pub fn new(max_keys: NonZeroU32) -> Self {
        let sets = usize::try_from(max_keys.get()).unwrap_or(usize::MAX).div_ceil(WAYS);
        Self {
            sets: (0..sets).map(|_| Place::default()).collect(),
            seed: RandomState::new(),
            start: Instant::now(),
            keys: AtomicUsize::new(0),
        }
    }

    /// The most keys that are remembered at once.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.sets.len() * WAYS
    }

    /// Spends `cost` units of `key` at `now`, if it has them. Takes one short lock and allocates
    /// nothing. A `now` before the store was made counts as that moment.
    #[must_use]
    pub fn spend_at(
        &self,
        key: Key<'_>,
        quota: &Quota,
        cost: NonZeroU32,
        now: Instant,
    ) -> Decision {
        self.spend_told(key, quota, cost, now).decision
    }

    pub(crate) fn spend_told(
        &self,
        key: Key<'_>,
        quota: &Quota,
        cost: NonZeroU32,
        now: Instant,
    ) -> Spent {
        let hash = self.hash(key);
        let now = self.nanos(now);
        // The tag 0 stands for a free slot.
        let (decision, change) = match self.set(hash) {
            Some(mut set) => set.spend(hash.max(1), quota, cost, now),
            None => (quota.decide(0, now, cost).1, Change::default()),
        };
        Spent {
            decision,
            evicted: change.evicted,
            keys: (change != Change::default()).then(|| self.count(change)),
        }
    }

    fn hash(&self, key: Key<'_>) -> u64 {
        match key {
            // One block for the hasher, which no other key is: those are of two and more.
            Key::Addr(IpAddr::V4(v4)) => self.seed.hash_one(v4.to_bits()),
            key => self.seed.hash_one(key),
        }
    }

    /// A walk over the whole table: for reports, not for every request.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        let now = self.nanos(Instant::now());
        let mut stats = StoreStats::default();
        for set in &self.sets {
            let set = lock(set);
            stats.allowed += set.allowed;
            stats.denied += set.denied;
            stats.evicted += set.evicted;
            stats.keys += set.live(now);
        }
        stats
    }

    fn count(&self, change: Change) -> usize {
        let before = self.keys.fetch_add(change.added, Ordering::Relaxed);
        self.keys.fetch_sub(change.removed, Ordering::Relaxed);
        (before + change.added).saturating_sub(change.removed)
    }

    /// The set of a hash: by its upper bits, scaled to the number of sets. A table has at least
    /// one, so there always is one.
    fn set(&self, hash: u64) -> Option<MutexGuard<'_, Set>> {
        let (upper, sets) = (u128::from(hash), self.sets.len() as u128);
        let place = usize::try_from((upper * sets) >> 64).unwrap_or(0);
        self.sets.get(place).map(lock)
    }

    fn nanos(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.start);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }
}

fn lock(place: &Place) -> MutexGuard<'_, Set> {
    // A slot is written in one assignment, so a panic elsewhere leaves nothing half done.
    place.0.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store for MemoryStore {
    /// Never fails and never waits but for a short lock.
    async fn spend(
        &self,
        key: Key<'_>,
        quota: &Quota,
        cost: NonZeroU32,
    ) -> Result<Decision, StoreError> {
        Ok(self.spend_at(key, quota, cost, Instant::now()))
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ONE: NonZeroU32 = NonZeroU32::MIN;

    fn quota(rate: &str, burst: u32) -> Quota {
        Quota::new(rate.parse().unwrap(), NonZeroU32::new(burst).unwrap()).unwrap()
    }

    #[test]
    fn a_flood_of_keys_stays_within_the_table() {
        let store = MemoryStore::new(NonZeroU32::new(1000).unwrap());
        assert_eq!(store.capacity(), 1008);
        let (quota, now) = (quota("1/m", 1), Instant::now());
        for n in 0..20_000u32 {
            let name = n.to_be_bytes();
            let spent = store.spend_told(Key::Bytes(&name), &quota, ONE, now);
            assert!(spent.decision.allowed, "a stranger always passes");
            assert!(spent.keys.is_none_or(|keys| keys <= 1008));
        }
        let stats = store.stats();
        assert!(stats.keys <= 1008);
        assert_eq!(stats.allowed, 20_000);
        assert_eq!(stats.evicted, 20_000 - stats.keys as u64);
        assert_eq!(store.keys.load(Ordering::Relaxed), stats.keys);
    }

    #[test]
    fn half_a_table_of_keys_is_remembered_exactly() {
        let store = MemoryStore::new(NonZeroU32::new(16 * 1024).unwrap());
        let (quota, now) = (quota("1/m", 1), Instant::now());
        let names: Vec<_> = (0..8 * 1024u32).map(u32::to_be_bytes).collect();
        let spend = |name: &[u8; 4]| store.spend_at(Key::Bytes(name), &quota, ONE, now).allowed;
        assert!(names.iter().all(spend));
        let again = names.iter().filter(|name| spend(name)).count();
        // At half load a set of 16 overflows once in some hundred sets.
        assert!(again < 60, "{again} of 8192 keys were forgotten");
    }

    #[test]
    fn a_clock_before_the_start_gives_nothing_back() {
        let early = Instant::now();
        let store = MemoryStore::new(ONE);
        let quota = quota("1/s", 1);
        let later = early + Duration::from_millis(500);
        assert!(store.spend_at("a".into(), &quota, ONE, later).allowed);
        assert!(!store.spend_at("a".into(), &quota, ONE, early).allowed);
    }

    #[test]
    fn one_key_from_many_threads_passes_its_burst_once() {
        let store = MemoryStore::new(ONE);
        let (quota, now) = (quota("1/h", 100), Instant::now());
        let passed = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let decision = store.spend_at("a".into(), &quota, ONE, now);
                        passed.fetch_add(usize::from(decision.allowed), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(passed.into_inner(), 100);
    }
}
