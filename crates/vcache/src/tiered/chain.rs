//! Two stores as one: a nearer that takes what the farther has.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::lock::Mutex;

use crate::store::{ScanStore, Store, StoreError, Stored};

/// Keys share that many orders of writing.
const STRIPES: u64 = 64;

/// Which tiers a write goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum WritePolicy {
    /// All of them: who reads next finds it near.
    #[default]
    Through,
    /// The farthest alone; the nearer forget the key, and take it when it is read. For what is
    /// written more often than read.
    Around,
}

/// A nearer store in front of a farther one, as one [`Store`]. For more than two tiers behind
/// memory, chain a chain.
///
/// - **Reads** ask the nearer, then the farther; what that has is promoted for the time it has
///   left. A nearer one that is away is passed over, and whether the farther has nothing or is away
///   is the answer.
/// - **Writes** go to the farther first, which decides; then to the nearer, by [`WritePolicy`]. Of
///   several writes of a key at once the nearer keeps none.
/// - **Removals** take a key from both; no promotion under way brings it back.
/// - **Tags** it has none: what has tags in the farther store is kept without them in the nearer.
/// - **Cancel safety**: a dropped `set` or `delete` may have reached the farther and not the
///   nearer, which then has the former value until its time is over.
///
/// Each of the two should be a [`Tier`](crate::Tier), so that one that is away is left alone.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use vcache::{Chain, MemoryStore, Raw, Tier, TierConfig, Tiered};
///
/// // In production a `DiskStore` and a `RedisStore`.
/// let store = || Ok::<_, vcache::BuildError>(MemoryStore::new(MemoryStore::sized(1 << 20).build()?));
/// let disk = Tier::new("disk", store()?, TierConfig::default());
/// let shared = Tier::new("shared", store()?, TierConfig::default());
/// let pages = Tiered::<String, _, _>::builder(Chain::new(disk.clone(), shared), Raw).build()?;
/// let page = || async { Ok::<_, std::io::Error>("<html>".to_owned()) };
/// assert_eq!(pages.get_or_load("/", page).await?, "<html>");
/// assert_eq!(disk.stats().misses, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct Chain<A, B> {
    inner: Arc<Inner<A, B>>,
}

struct Inner<A, B> {
    near: A,
    far: B,
    policy: WritePolicy,
    stripes: Box<[Stripe]>,
    hasher: foldhash::fast::RandomState,
}

/// The order of the writes to the nearer store of some keys.
#[derive(Default)]
struct Stripe {
    /// Moves when a write begins and when it has reached the farther store.
    epoch: AtomicU64,
    writers: AtomicUsize,
    /// Held while the nearer store is written.
    turn: Mutex<()>,
}

/// A write under way.
struct Writing<'a> {
    stripe: &'a Stripe,
    alone: bool,
    epoch: u64,
}

impl Stripe {
    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    fn begin(&self) -> Writing<'_> {
        let alone = self.writers.fetch_add(1, Ordering::SeqCst) == 0;
        let epoch = self.epoch.fetch_add(1, Ordering::SeqCst) + 1;
        Writing { stripe: self, alone, epoch }
    }
}

impl Writing<'_> {
    /// The farther store has answered, and it is this write's turn at the nearer; whether no other
    /// write of these keys was under way meanwhile.
    fn arrived(&self) -> bool {
        self.stripe.epoch.fetch_add(1, Ordering::SeqCst) == self.epoch && self.alone
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.stripe.epoch.fetch_add(1, Ordering::SeqCst);
        self.stripe.writers.fetch_sub(1, Ordering::SeqCst);
    }
}

impl<A: Store, B: Store> Chain<A, B> {
    /// `near` in front of `far`; writes go through both.
    #[must_use]
    pub fn new(near: A, far: B) -> Self {
        Self::with_policy(near, far, WritePolicy::Through)
    }

    /// The same with a policy of its own.
    #[must_use]
    pub fn with_policy(near: A, far: B, policy: WritePolicy) -> Self {
        let stripes = (0..STRIPES).map(|_| Stripe::default()).collect();
        let hasher = foldhash::fast::RandomState::default();
        Self { inner: Arc::new(Inner { near, far, policy, stripes, hasher }) }
    }

    /// The nearer store.
    #[must_use]
    pub fn near(&self) -> &A {
        &self.inner.near
    }

    /// The farther store.
    #[must_use]
    pub fn far(&self) -> &B {
        &self.inner.far
    }

    fn place(&self, key: &str) -> usize {
        let hash = self.inner.hasher.hash_one(key) % STRIPES;
        usize::try_from(hash).unwrap_or(0)
    }

    #[expect(clippy::indexing_slicing, reason = "a remainder of the number of stripes")]
    fn stripe(&self, key: &str) -> &Stripe {
        &self.inner.stripes[self.place(key)]
    }

    /// Has the nearer store take what the farther had, unless the key was written since.
    async fn promote(&self, key: &str, found: &Stored, seen: u64) {
        let stripe = self.stripe(key);
        let _turn = stripe.turn.lock().await;
        if stripe.epoch() == seen {
            // If it fails, the next reader asks the farther again.
            let _ = self.inner.near.set(key, found.value.clone(), found.left).await;
        }
    }

    /// Takes keys from the nearer store once the farther has answered; nothing that was on its
    /// way there arrives later.
    async fn forget<T>(&self, keys: &[&str], forget: impl Future<Output = T>) -> T {
        let places: BTreeSet<usize> = keys.iter().map(|key| self.place(key)).collect();
        let stripes = || places.iter().filter_map(|place| self.inner.stripes.get(*place));
        let mut turns = Vec::with_capacity(places.len());
        // In one order, so that two of these never wait for each other.
        for stripe in stripes() {
            turns.push(stripe.turn.lock().await);
        }
        for stripe in stripes() {
            stripe.epoch.fetch_add(1, Ordering::SeqCst);
        }
        forget.await
    }
}

impl<A: Store, B: Store> Store for Chain<A, B> {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        let seen = self.stripe(key).epoch();
        let near = self.inner.near.get(key).await;
        if let Ok(Some(found)) = near {
            return Ok(Some(found));
        }
        let found = self.inner.far.get(key).await?;
        if let (Ok(None), Some(found)) = (&near, &found) {
            self.promote(key, found, seen).await;
        }
        Ok(found)
    }

    async fn set(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<(), StoreError> {
        let inner = &self.inner;
        let writing = self.stripe(key).begin();
        let far = inner.far.set(key, value.clone(), ttl).await;
        let _turn = writing.stripe.turn.lock().await;
        let alone = writing.arrived();
        let near = if alone && far.is_ok() && inner.policy == WritePolicy::Through {
            inner.near.set(key, value, ttl).await
        } else {
            inner.near.delete(key).await.map(|_| ())
        };
        far.and(near)
    }

    async fn delete(&self, key: &str) -> Result<bool, StoreError> {
        let writing = self.stripe(key).begin();
        let far = self.inner.far.delete(key).await;
        let _turn = writing.stripe.turn.lock().await;
        writing.arrived();
        let near = self.inner.near.delete(key).await;
        Ok(far? | near?)
    }

    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Stored>>, StoreError> {
        let seen: Vec<u64> = keys.iter().map(|key| self.stripe(key).epoch()).collect();
        let near = self.inner.near.get_many(keys).await;
        let passed = near.is_err();
        let mut found = near.unwrap_or_else(|_| keys.iter().map(|_| None).collect());
        let missing = |found: &[Option<Stored>]| {
            let of = keys.iter().zip(found).filter(|(_, found)| found.is_none());
            of.map(|(key, _)| *key).collect::<Vec<&str>>()
        };
        let wanted = missing(&found);
        if wanted.is_empty() {
            return Ok(found);
        }
        let mut far = self.inner.far.get_many(&wanted).await?.into_iter();
        let mut promotions = Vec::new();
        for ((key, seen), found) in keys.iter().zip(seen).zip(&mut found) {
            if found.is_none() {
                *found = far.next().flatten();
                promotions
                    .extend(found.clone().filter(|_| !passed).map(|found| (*key, found, seen)));
            }
        }
        let promote = |(key, found, seen): (&'_ str, Stored, u64)| {
            let key = key.to_owned();
            async move { self.promote(&key, &found, seen).await }
        };
        join_all(promotions.into_iter().map(promote)).await;
        Ok(found)
    }

    async fn delete_many(&self, keys: &[&str]) -> Result<u64, StoreError> {
        let writing: Vec<_> = keys.iter().map(|key| self.stripe(key).begin()).collect();
        let far = self.inner.far.delete_many(keys).await;
        let near = self.forget(keys, self.inner.near.delete_many(keys)).await;
        drop(writing);
        Ok(far?.max(near?))
    }

    async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        match self.inner.near.exists(key).await {
            Ok(true) => Ok(true),
            _ => self.inner.far.exists(key).await,
        }
    }

    async fn clear(&self) -> Result<(), StoreError> {
        let far = self.inner.far.clear().await;
        let mut turns = Vec::with_capacity(self.inner.stripes.len());
        for stripe in &self.inner.stripes {
            turns.push(stripe.turn.lock().await);
            stripe.epoch.fetch_add(1, Ordering::SeqCst);
        }
        let near = self.inner.near.clear().await;
        far.and(near)
    }

    fn is_guarded(&self) -> bool {
        true
    }
}

/// What the farther store has: what is near is there too.
impl<A: Store, B: ScanStore> ScanStore for Chain<A, B> {
    async fn scan(&self, prefix: &str, most: usize) -> Result<Vec<String>, StoreError> {
        self.inner.far.scan(prefix, most).await
    }

    async fn count(&self) -> Result<u64, StoreError> {
        self.inner.far.count().await
    }
}

impl<A, B> Clone for Chain<A, B> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<A: fmt::Debug, B: fmt::Debug> fmt::Debug for Chain<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain")
            .field("near", &self.inner.near)
            .field("far", &self.inner.far)
            .field("policy", &self.inner.policy)
            .finish_non_exhaustive()
    }
}
