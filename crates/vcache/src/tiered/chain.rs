//! Two stores as one: a nearer that takes what the farther has.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use futures_util::lock::Mutex;

use super::voids::Voids;
use crate::store::{Keeping, Outdated, ScanStore, Store, StoreError, Stored, TagStore};

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
/// - **Tags.** What has tags stays in the farther store alone, unless both have them and the chain
///   was made by [`tagged`](Self::tagged).
/// - **Coherence.** Behind a coherent [`Tiered`](crate::Tiered) the nearer store is as coherent as
///   memory: what others change is not read there any more. While nobody tells of changes, where
///   they are only published and at the start it is left out, and cleared before it is used again.
/// - **Leases** are the farther store's.
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
    /// How the nearer store keeps what has tags, if it does.
    keep: Option<Keep<A>>,
    voids: Voids,
    clearing: AtomicBool,
    stripes: Box<[Stripe]>,
    hasher: foldhash::fast::RandomState,
}

type Keep<A> = for<'a> fn(&'a A, &'a str, &'a Stored) -> BoxFuture<'a, Result<(), StoreError>>;

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
        Self::made(near, far, policy, None)
    }

    /// The same of stores that both have tags: what has some is kept in the nearer too.
    #[must_use]
    pub fn tagged(near: A, far: B, policy: WritePolicy) -> Self
    where
        A: TagStore,
    {
        fn keep<'a, A: TagStore>(
            near: &'a A,
            key: &'a str,
            stored: &'a Stored,
        ) -> BoxFuture<'a, Result<(), StoreError>> {
            let keeping = async move {
                let tags: Vec<&str> = stored.tags.iter().map(|tag| &**tag).collect();
                let keeping = Keeping { ttl: stored.left, tags: &tags, ..Keeping::default() };
                near.set_tagged(key, stored.value.clone(), keeping).await
            };
            keeping.boxed()
        }
        Self::made(near, far, policy, Some(keep::<A>))
    }

    fn made(near: A, far: B, policy: WritePolicy, keep: Option<Keep<A>>) -> Self {
        let inner = Inner {
            near,
            far,
            policy,
            keep,
            voids: Voids::default(),
            clearing: AtomicBool::new(false),
            stripes: (0..STRIPES).map(|_| Stripe::default()).collect(),
            hasher: foldhash::fast::RandomState::default(),
        };
        Self { inner: Arc::new(inner) }
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
        if self.inner.keep.is_none() && !found.tags.is_empty() {
            return;
        }
        let stripe = self.stripe(key);
        let _turn = stripe.turn.lock().await;
        if stripe.epoch() == seen {
            // If it fails, the next reader asks the farther again.
            let _ = self.kept(key, found).await;
        }
    }

    /// Has the nearer store keep what it can.
    async fn kept(&self, key: &str, stored: &Stored) -> Result<(), StoreError> {
        let near = &self.inner.near;
        match self.inner.keep {
            _ if stored.tags.is_empty() => near.set(key, stored.value.clone(), stored.left).await,
            Some(keep) => keep(near, key, stored).await,
            None => near.delete(key).await.map(drop),
        }
    }

    /// Writes to the farther store and then, if it is `done` there, what `near` says to the nearer,
    /// which else forgets the key.
    pub(super) async fn written<T>(
        &self,
        key: &str,
        far: impl Future<Output = Result<T, StoreError>>,
        done: impl Fn(&T) -> bool,
        near: Option<Stored>,
    ) -> Result<T, StoreError> {
        let inner = &self.inner;
        let writing = self.stripe(key).begin();
        let far = far.await;
        let _turn = writing.stripe.turn.lock().await;
        let alone = writing.arrived();
        let keeps = alone && far.as_ref().is_ok_and(done) && inner.policy == WritePolicy::Through;
        let near = match near.filter(|_| keeps) {
            Some(stored) => self.kept(key, &stored).await,
            None => inner.near.delete(key).await.map(drop),
        };
        let far = far?;
        near.map(|()| far)
    }

    /// Does something to all of the nearer store; nothing that was on its way there arrives later.
    pub(super) async fn everywhere<T>(&self, near: impl Future<Output = T>) -> T {
        let mut turns = Vec::with_capacity(self.inner.stripes.len());
        for stripe in &self.inner.stripes {
            turns.push(stripe.turn.lock().await);
            stripe.epoch.fetch_add(1, Ordering::SeqCst);
        }
        near.await
    }

    /// Whether the nearer store may be asked; clears it, behind the caller's back where that can
    /// be, if that is what it takes.
    async fn is_usable(&self, key: &str) -> bool {
        let voids = &self.inner.voids;
        if voids.admits(key) {
            return true;
        }
        let Some(round) = voids.wants_clearing() else { return false };
        if self.inner.clearing.swap(true, Ordering::SeqCst) {
            return false;
        }
        let clearing = clear(Clearing(Arc::clone(&self.inner)), round);
        #[cfg(feature = "tokio")]
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // Without an owner: it ends with what it does, and the chain with it.
            drop(runtime.spawn(clearing));
            return false;
        }
        clearing.await;
        voids.admits(key)
    }

    /// Has the nearer store catch up with a key that was void.
    async fn renew(&self, key: &str, found: Option<&Stored>, seen: u64) {
        if !self.inner.voids.has(key) {
            return;
        }
        let stripe = self.stripe(key);
        let _turn = stripe.turn.lock().await;
        if stripe.epoch() != seen {
            return;
        }
        let done = match found {
            Some(found) => self.kept(key, found).await,
            None => self.inner.near.delete(key).await.map(drop),
        };
        if done.is_ok() {
            self.inner.voids.renewed(key, || stripe.epoch() == seen);
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

/// One who clears the nearer store.
struct Clearing<A, B>(Arc<Inner<A, B>>);

impl<A, B> Drop for Clearing<A, B> {
    fn drop(&mut self) {
        self.0.clearing.store(false, Ordering::SeqCst);
    }
}

async fn clear<A: Store, B: Store>(clearing: Clearing<A, B>, round: u64) {
    if clearing.0.near.clear().await.is_ok() {
        clearing.0.voids.cleared(round);
    }
}

impl<A: Store, B: Store> Store for Chain<A, B> {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        let seen = self.stripe(key).epoch();
        if !self.is_usable(key).await {
            let found = self.inner.far.get(key).await?;
            self.renew(key, found.as_ref(), seen).await;
            return Ok(found);
        }
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
        let near = Stored::new(value.clone(), ttl);
        self.written(key, self.inner.far.set(key, value, ttl), |()| true, Some(near)).await
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
        let mut usable = Vec::with_capacity(keys.len());
        for key in keys {
            usable.push(self.is_usable(key).await);
        }
        let asked = keys.iter().zip(&usable).filter(|(_, usable)| **usable);
        let asked: Vec<&str> = asked.map(|(key, _)| *key).collect();
        let near = self.inner.near.get_many(&asked).await;
        let passed = near.is_err();
        let mut near = near.unwrap_or_default().into_iter();
        let from_near =
            usable.iter().map(|usable| if *usable { near.next().flatten() } else { None });
        let mut found: Vec<Option<Stored>> = from_near.collect();
        let missing = keys.iter().zip(&found).filter(|(_, found)| found.is_none());
        let wanted: Vec<&str> = missing.map(|(key, _)| *key).collect();
        if wanted.is_empty() {
            return Ok(found);
        }
        let mut far = self.inner.far.get_many(&wanted).await?.into_iter();
        let mut arrivals = Vec::new();
        for (((key, seen), usable), found) in keys.iter().zip(seen).zip(usable).zip(&mut found) {
            if found.is_none() {
                *found = far.next().flatten();
                arrivals.push((*key, found.clone(), seen, usable));
            }
        }
        let arrive = |(key, found, seen, usable): (&'_ str, Option<Stored>, u64, bool)| {
            let key = key.to_owned();
            async move {
                match found {
                    found if !usable => self.renew(&key, found.as_ref(), seen).await,
                    Some(found) if !passed => self.promote(&key, &found, seen).await,
                    _ => {}
                }
            }
        };
        join_all(arrivals.into_iter().map(arrive)).await;
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
        if self.is_usable(key).await && self.inner.near.exists(key).await.is_ok_and(|there| there) {
            return Ok(true);
        }
        self.inner.far.exists(key).await
    }

    async fn clear(&self) -> Result<(), StoreError> {
        let far = self.inner.far.clear().await;
        let near = self.everywhere(self.inner.near.clear()).await;
        far.and(near)
    }

    fn outdated(&self, what: Outdated<'_>) {
        let inner = &self.inner;
        inner.far.outdated(what);
        inner.near.outdated(what);
        let moved = |stripe: &Stripe| {
            stripe.epoch.fetch_add(1, Ordering::SeqCst);
        };
        // What is on its way to the nearer store is from before.
        inner.voids.add(what, inner.keep.is_some(), || match what {
            Outdated::Key(key) => moved(self.stripe(key)),
            _ => inner.stripes.iter().for_each(moved),
        });
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
