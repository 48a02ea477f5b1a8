//! The in-memory cache: bounded by weight, TTL per entry, no runtime and no thread of its own.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::Equivalent;

mod account;
mod barrier;
mod buckets;
mod builder;
mod compute;
mod curve;
mod distance;
mod engine;
mod entry;
mod history;
mod idle;
mod index;
mod iter;
mod keep;
mod lanes;
mod leaving;
mod listener;
mod lock;
mod meta;
mod miniature;
mod operations;
mod outcome;
mod pins;
mod policy;
mod resize;
mod sampler;
mod shard;
mod slab;
mod stats;
mod stripes;
mod sync;
#[cfg(test)]
mod tests;
mod threads;
mod ticks;
mod tuner;
#[cfg(feature = "snapshot")]
mod warmth;
mod wheel;
mod writing;

pub use builder::{BuildError, MemoryBuilder};
pub use curve::Curve;
use engine::{Engine, overhead};
pub use entry::Entry;
pub use iter::Iter;
pub use keep::Keep;
use keep::NEVER;
pub(crate) use outcome::Done;
pub use outcome::{Op, Outcome};
pub use stats::Stats;
#[cfg(feature = "snapshot")]
pub(crate) use warmth::{PutBack, Warm};

use crate::cause::Cause;

/// A concurrent cache in memory, bounded by weight at every moment.
///
/// Synchronous: every call takes a short lock on one of several shards and never waits for
/// anything else. No background thread, no runtime. Cloning gives another handle to the same
/// cache.
///
/// - **Bound.** An entry weighs what the weigher says and [`overhead`](Self::overhead) on top.
///   Room is made before a value is stored, so the sum never passes the bound. What is heavier
///   than the whole bound is refused and counted in [`Stats::refusals`]; the value it was to
///   replace is gone all the same, because it is no longer the latest. Not in the sum: the
///   spare capacity of tables that grow by doubling, and values that callers still hold.
/// - **Eviction.** A window of newcomers before a clock of the settled; by frequency or by recent
///   use, whichever hits more often on a sample of the keys. A hit changes a byte in the entry and
///   nothing else.
/// - **Expiry.** By time to live and time to idle, of the cache or of one entry ([`Keep`]). Exact
///   when read: a value is never returned at or after its time. Expired
///   entries hold their weight until an insertion comes by, room is needed, or
///   [`sweep`](Self::sweep) is called.
/// - **Destructors and locks.** Removed keys and values are told to the listener and dropped after
///   the lock is released. `V::clone`, `K`'s `Eq`, and closures given to [`update`](Self::update),
///   [`compute`](Self::compute), [`retain`](Self::retain) and their like run under a shard's lock:
///   they must not call back into the cache.
///
/// ```
/// use std::time::Duration;
/// use vcache::Memory;
///
/// let cache = Memory::builder()
///     .max_weight(16 << 20)
///     .ttl(Some(Duration::from_secs(60)))
///     .weigher(|key: &String, value: &String| (key.len() + value.len()) as u64)
///     .build()?;
/// cache.insert("user:7".to_owned(), "Ada".to_owned());
/// assert_eq!(cache.get("user:7").as_deref(), Some("Ada"));
/// assert_eq!(cache.stats().hits, 1);
/// # Ok::<(), vcache::BuildError>(())
/// ```
pub struct Memory<K, V> {
    engine: Arc<Engine<K, V>>,
}

impl<K, V> Memory<K, V> {
    /// Starts building a cache.
    pub fn builder() -> MemoryBuilder<K, V> {
        MemoryBuilder::new()
    }

    /// Bytes that each entry weighs on top of what the weigher says: key and value themselves
    /// (not what they point to), expiry, links and index.
    ///
    /// Without a weigher, a bound of `n * overhead()` is a bound of `n` entries.
    #[must_use]
    pub const fn overhead() -> u64 {
        overhead::<K, V>()
    }

    /// Entries present, those included that have expired and were not met yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.engine.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What all entries weigh, in bytes.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.engine.weight()
    }

    /// The cache's figures.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// How often a cache of another size would hit, if the cache was built with
    /// [`curve_keys`](MemoryBuilder::curve_keys) and was ever asked.
    #[must_use]
    pub fn curve(&self) -> Option<Curve> {
        self.engine.curve()
    }

    fn from_engine(engine: Engine<K, V>) -> Self {
        Self { engine: Arc::new(engine) }
    }
}

impl<K: Hash + Eq, V> Memory<K, V> {
    /// The value of `key` if it is there and its time is not over.
    #[must_use]
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
        V: Clone,
    {
        self.engine.look_up::<false, _, _>(key, |value, _| Some(value.clone()), || None)
    }

    /// The same with the time to live that the value has left; `None` stands for "until evicted".
    /// Its time to idle begins anew and is not counted.
    #[must_use]
    pub fn get_with_ttl<Q>(&self, key: &Q) -> Option<(V, Option<Duration>)>
    where
        Q: Hash + Equivalent<K> + ?Sized,
        V: Clone,
    {
        self.engine.look_up::<true, _, _>(key, |value, left| Some((value.clone(), left)), || None)
    }

    /// As [`get`](Self::get), but neither a use nor counted as a hit or a miss.
    #[must_use]
    pub fn peek<Q>(&self, key: &Q) -> Option<V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
        V: Clone,
    {
        self.engine.peek(key, V::clone)
    }

    /// Whether a live value is there. Neither a use nor counted as a hit or a miss.
    #[must_use]
    pub fn contains<Q>(&self, key: &Q) -> bool
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.engine.peek(key, |_| ()).is_some()
    }

    /// Stores a value for the cache's default TTL. Returns whether it was stored: false if it is
    /// heavier than the whole bound, or the TTL is zero. The former value is gone either way.
    pub fn insert(&self, key: K, value: V) -> bool {
        self.engine.insert_if(key, value, self.engine.life, || true)
    }

    /// Stores a value for `ttl`; zero stores nothing, centuries are for ever. Returns as
    /// [`insert`](Self::insert) does.
    pub fn insert_with_ttl(&self, key: K, value: V, ttl: Duration) -> bool {
        self.insert_with(key, value, Keep::new().ttl(ttl))
    }

    /// Stores a value for times of its own, or pinned. Returns as [`insert`](Self::insert) does.
    pub fn insert_with(&self, key: K, value: V, keep: Keep) -> bool {
        self.engine.insert_if(key, value, self.engine.life.with(keep), || true)
    }

    /// Removes `key` and gives its value, if it was there and its time not over.
    pub fn remove<Q>(&self, key: &Q) -> Option<V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.engine.remove_if(key, Cause::Removed, |_| true)
    }

    /// Removes `key` and gives its value, if `wanted` says so of the live value. It runs under the
    /// shard's lock.
    pub fn remove_if<Q>(&self, key: &Q, wanted: impl FnOnce(&V) -> bool) -> Option<V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.engine.remove_if(key, Cause::Removed, wanted)
    }

    /// Puts `value` in the place of a live one that `wanted` says yes to, and gives that one;
    /// gives `value` back if there is none, or not such a one. `wanted` runs under the shard's
    /// lock. What was pinned stays pinned.
    ///
    /// # Errors
    ///
    /// The value that was not wanted.
    pub fn replace_if(&self, key: K, value: V, wanted: impl FnOnce(&V) -> bool) -> Result<V, V>
    where
        V: Clone,
    {
        let decide = |old: Option<&V>| match old.filter(|old| wanted(old)) {
            Some(old) => {
                let old = old.clone();
                (Op::Put(value), Ok(old))
            }
            None => (Op::Nop, Err(value)),
        };
        self.engine.compute(key, decide).1
    }

    /// Sees the present value and decides on the next, in one step that no other call for `key`
    /// comes between: `Some` is stored for the default TTL, `None` removes. Returns what was
    /// made; as with [`insert`](Self::insert) it is not stored if it is too heavy.
    ///
    /// `make` runs under the shard's lock: keep it short, and do not call the cache in it. If it
    /// panics, nothing has changed.
    ///
    /// ```
    /// # let cache = vcache::Memory::<&str, u64>::builder().build()?;
    /// for _ in 0..3 {
    ///     cache.update("visits", |seen| Some(seen.copied().unwrap_or(0) + 1));
    /// }
    /// assert_eq!(cache.get("visits"), Some(3));
    /// # Ok::<(), vcache::BuildError>(())
    /// ```
    pub fn update(&self, key: K, make: impl FnOnce(Option<&V>) -> Option<V>) -> Option<V>
    where
        V: Clone,
    {
        let decide = |value: Option<&V>| {
            let made = make(value);
            (made.clone().map_or(Op::Remove, Op::Put), made)
        };
        self.engine.compute(key, decide).1
    }

    /// Shows `decide` the live value of `key`, does what it says, and tells what came of it, in
    /// one step that no other call for `key` comes between.
    ///
    /// `decide` runs under the shard's lock: keep it short, and do not call the cache in it. If it
    /// panics, nothing has changed. It is neither a use nor counted as a hit or a miss.
    ///
    /// ```
    /// use vcache::{Memory, Op, Outcome};
    ///
    /// let stock = Memory::<&str, u32>::builder().build()?;
    /// stock.insert("tea", 1);
    /// let take = |left: Option<&u32>| match left {
    ///     None => Op::Nop,
    ///     Some(1) => Op::Remove,
    ///     Some(left) => Op::Put(left - 1),
    /// };
    /// assert_eq!(stock.compute("tea", take), Outcome::Removed(1));
    /// assert_eq!(stock.compute("tea", take), Outcome::Absent);
    /// # Ok::<(), vcache::BuildError>(())
    /// ```
    pub fn compute(&self, key: K, decide: impl FnOnce(Option<&V>) -> Op<V>) -> Outcome<V>
    where
        V: Clone,
    {
        let decide = |value: Option<&V>| {
            let op = decide(value);
            let new = op.put();
            (op, (value.cloned(), new))
        };
        let (done, (old, new)) = self.engine.compute(key, decide);
        Outcome::of(done, old, new)
    }

    /// Stores what `make` makes of the live value, if there is one, or of nothing, and gives it.
    /// One step, as [`compute`](Self::compute) is; what was pinned stays pinned.
    pub fn upsert(&self, key: K, make: impl FnOnce(Option<&V>) -> V) -> V
    where
        V: Clone,
    {
        let decide = |value: Option<&V>| {
            let made = make(value);
            (Op::Put(made.clone()), made)
        };
        self.engine.compute(key, decide).1
    }

    /// The live value of `key`, or the one that `make` makes, which is stored for the default
    /// times. A hit is a [`get`](Self::get), and clones no key. Of several threads at once one
    /// makes it.
    ///
    /// `make` runs under the shard's lock, where others wait for it: for what takes long there is
    /// [`Cache::get_or_insert_with`](crate::Cache::get_or_insert_with).
    pub fn get_or_insert_with<Q>(&self, key: &Q, make: impl FnOnce() -> V) -> V
    where
        Q: Hash + Equivalent<K> + ToOwned<Owned = K> + ?Sized,
        V: Clone,
    {
        if let Some(value) = self.get(key) {
            return value;
        }
        self.make(key.to_owned(), Keep::new(), make)
    }

    /// What `read` makes of the live value, under the shard's read lock, or `missing` of none: right
    /// where the caller wants it.
    #[inline]
    pub(crate) fn read<Q, T>(
        &self,
        key: &Q,
        read: impl FnOnce(&V) -> T,
        missing: impl FnOnce() -> T,
    ) -> T
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.engine.look_up::<false, _, _>(key, |value, _| read(value), missing)
    }

    /// The same, with the time that the value has left.
    #[inline]
    pub(crate) fn read_timed<Q, T>(
        &self,
        key: &Q,
        read: impl FnOnce(&V, Option<Duration>) -> T,
        missing: impl FnOnce() -> T,
    ) -> T
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.engine.look_up::<true, _, _>(key, read, missing)
    }

    /// The step under all others: `decide`, told what is there and whether it is pinned, says what
    /// to do, and whatever else it likes.
    pub(crate) fn step<T>(
        &self,
        key: K,
        decide: impl FnOnce(Option<&V>, bool) -> (Op<V>, T),
    ) -> (Done, T) {
        self.engine.compute_pinned(key, decide)
    }

    /// What is there, or what `make` makes, kept as `keep` says.
    fn make(&self, key: K, keep: Keep, make: impl FnOnce() -> V) -> V
    where
        V: Clone,
    {
        let decide = |value: Option<&V>| {
            if let Some(value) = value {
                return (Op::Nop, value.clone());
            }
            let made = make();
            (Op::PutWith(made.clone(), keep), made)
        };
        self.engine.compute(key, decide).1
    }

    /// A key and what is there for it, for one step at a time; see [`Entry`].
    pub const fn entry(&self, key: K) -> Entry<'_, Self, K> {
        Entry::new(self, key)
    }

    /// Keeps what `key` has however short room is; false if nothing live is there. It still
    /// expires, and callers still remove it. Pinned entries count in the weight: once they fill
    /// the bound, nothing else is stored.
    pub fn pin<Q>(&self, key: &Q) -> bool
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.engine.set_pinned(key, true)
    }

    /// Lets what `key` has leave when room is short, as others do; false if nothing live is there.
    pub fn unpin<Q>(&self, key: &Q) -> bool
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.engine.set_pinned(key, false)
    }

    /// Removes every entry that `keep` answers with false, a few hundred under each lock of a
    /// shard: entries inserted meanwhile may or may not be asked about. `keep` runs under the lock.
    pub fn retain(&self, mut keep: impl FnMut(&K, &V) -> bool) {
        self.retain_as(|key, value| (!keep(key, value)).then_some(Cause::Predicate));
    }

    /// Removes every entry that `judge` finds a cause for, and those whose time is over; how many
    /// that were.
    pub(crate) fn retain_as(&self, judge: impl FnMut(&K, &V) -> Option<Cause>) -> usize {
        self.engine.retain(judge)
    }

    /// Removes `key` for a cause.
    pub(crate) fn remove_as<Q>(&self, key: &Q, cause: Cause) -> Option<V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.engine.remove_if(key, cause, |_| true)
    }

    /// Removes every entry, a few hundred at a time; what is inserted meanwhile may stay.
    pub fn clear(&self) {
        self.retain_as(|_, _| Some(Cause::Cleared));
    }

    /// All live entries, in no order, copied a few hundred at a time under a shard's read lock, so
    /// that nobody waits for the walk. What is there all the time and not written is met exactly
    /// once; what is written meanwhile may be met in either form, twice, or not at all. Neither a
    /// use nor counted.
    pub fn iter(&self) -> Iter<K, V> {
        Iter::new(self.clone())
    }

    /// Shows every live entry to `visit` until it says false, without copying. It runs under a
    /// shard's read lock; for the rest as [`iter`](Self::iter).
    pub fn visit(&self, visit: impl FnMut(&K, &V) -> bool) {
        self.engine.visit(visit);
    }

    /// Sets another bound, while the cache is in use, and returns when what is there fits it: how
    /// many entries left for that. From its beginning on nothing is stored that would not fit the
    /// new bound, and from its end on the weight stays within; between, readers and writers go on.
    /// Pinned entries stay, and may keep the weight above. Zero stores nothing. Shards whose tables
    /// have room for four times as many as will be there give memory back, one after the other; a
    /// walk that is under way begins such a shard anew.
    pub fn resize(&self, max_weight: u64) -> usize {
        self.engine.resize(max_weight)
    }

    /// Removes every expired entry now and returns how many there were. For caches that expire
    /// much and are written little, called from time to time; it visits every entry.
    pub fn sweep(&self) -> usize {
        self.retain_as(|_, _| None)
    }

    /// Stores a value if `wanted` says so under the lock that a removal of `key` takes too.
    pub(crate) fn insert_if(
        &self,
        key: K,
        value: V,
        keep: Keep,
        wanted: impl FnOnce() -> bool,
    ) -> bool {
        self.engine.insert_if(key, value, self.engine.life.with(keep), wanted)
    }

    /// All live entries, the hottest first.
    #[cfg(feature = "snapshot")]
    pub(crate) fn warm(&self) -> impl Iterator<Item = Warm<K, V>>
    where
        K: Clone,
        V: Clone,
    {
        self.engine.warm()
    }

    /// Stores an entry as it was, if there is room and no newer value.
    #[cfg(feature = "snapshot")]
    pub(crate) fn put_back(&self, warm: Warm<K, V>) -> PutBack
    where
        K: Clone,
    {
        self.engine.put_back(warm)
    }

    /// How long values live by default.
    pub(crate) fn ttl(&self) -> Option<Duration> {
        let ttl = self.engine.life.ttl;
        (ttl < NEVER).then(|| Duration::from_nanos(ttl))
    }
}

impl<K, V> Clone for Memory<K, V> {
    fn clone(&self) -> Self {
        Self { engine: Arc::clone(&self.engine) }
    }
}

impl<K, V> fmt::Debug for Memory<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
