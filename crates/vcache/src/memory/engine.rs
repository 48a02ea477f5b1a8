//! The engine: shards under locks, one account of weight over all of them.

use std::hash::{BuildHasher, Hash as HashTrait};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use hashbrown::Equivalent;

use super::account::Account;
use super::curve::Curve;
use super::index::Hash;
use super::keep::Life;
use super::keep::NEVER;
use super::listener::Listener;
use super::lock::Lock;
use super::sampler::Sampler;
use super::shard::Shard;
use super::slab::Slab;
use super::stats::Stats;
use super::stripes::Stripes;
use super::ticks::Ticks;
use super::tuner::Tuner;
use super::wheel::Wheel;
use crate::clock::{Clock, nanos};
use crate::metrics::Meters;
use crate::random::Random;

/// Says what a key and a value weigh beyond the overhead; without one, nothing.
pub(super) type Weigher<K, V> = Option<Box<dyn Fn(&K, &V) -> u64 + Send + Sync>>;

/// Bytes that an entry takes beside its slot: in the index 7 to 8, the history 4 to 8, the
/// window 1, a time and its links 16, a weight 8. The last two only where they are used.
const BESIDE: usize = 7 + 4 + 1 + 16 + 8;

pub(super) const fn overhead<K, V>() -> u64 {
    (Slab::<K, V>::SLOT + BESIDE) as u64
}

pub(super) struct Engine<K, V> {
    pub(super) cells: Box<[Cell<K, V>]>,
    hasher: foldhash::fast::RandomState,
    stripes: Stripes,
    pub(super) tuner: Tuner,
    /// How long an entry lives if its insertion does not say.
    pub(super) life: Life,
    /// By which part at most a TTL is shortened at random.
    jitter: f64,
    random: Random,
    pub(super) weigher: Weigher<K, V>,
    pub(super) listener: Option<Listener<K, V>>,
    sampler: Option<Box<Sampler>>,
    /// Whether anything was ever pinned.
    pins: AtomicBool,
    clock: Arc<dyn Clock>,
    ticks: Ticks,
    pub(super) meters: Meters,
    /// Whether any entry ever had a TTL; if not, writers leave the clock alone.
    pub(super) timed: AtomicBool,
    /// Where the next search for room in other shards begins, so that none is drained first.
    pub(super) turn: AtomicUsize,
    pub(super) account: Account,
}

/// What an engine is made of.
pub(super) struct Blueprint<K, V> {
    pub(super) shards: usize,
    pub(super) max_weight: u64,
    pub(super) life: Life,
    pub(super) jitter: f64,
    pub(super) weigher: Weigher<K, V>,
    pub(super) listener: Option<Listener<K, V>>,
    pub(super) sampler: Option<Box<Sampler>>,
    pub(super) clock: Arc<dyn Clock>,
}

/// A shard with what is read and written beside it, apart from its neighbours' cache lines.
#[repr(align(128))]
pub(super) struct Cell<K, V> {
    pub(super) shard: Lock<Shard<K, V>>,
    misses: AtomicU64,
    /// The shard's weight and entries as its last writer left them.
    pub(super) weight: AtomicU64,
    entries: AtomicUsize,
}

impl<K, V> Cell<K, V> {
    /// A writer is done with the shard.
    pub(super) fn left(&self, shard: &Shard<K, V>) {
        self.weight.store(shard.weight(), Ordering::Relaxed);
        self.entries.store(shard.len(), Ordering::Relaxed);
    }
}

impl<K, V> Engine<K, V> {
    pub(super) fn new(plan: Blueprint<K, V>, meters: Meters) -> Self {
        let Blueprint { shards, max_weight, life, jitter, weigher, listener, sampler, clock } =
            plan;
        let share = max_weight / u64::try_from(shards).unwrap_or(u64::MAX);
        let weighed = weigher.is_some();
        let stripes = Stripes::new();
        let shard = || Shard::new(share, overhead::<K, V>(), weighed);
        let cell = |_| Cell {
            shard: Lock::new(shard(), stripes.clone()),
            misses: AtomicU64::new(0),
            weight: AtomicU64::new(0),
            entries: AtomicUsize::new(0),
        };
        Self {
            cells: (0..shards).map(cell).collect(),
            hasher: foldhash::fast::RandomState::default(),
            stripes,
            tuner: Tuner::new(),
            life,
            jitter,
            random: Random::new(),
            weigher,
            listener,
            sampler,
            pins: AtomicBool::new(false),
            ticks: Ticks::new(clock.is_system(), || nanos(clock.now())),
            clock,
            meters,
            timed: AtomicBool::new(false),
            turn: AtomicUsize::new(0),
            account: Account::new(max_weight),
        }
    }

    /// Reserves room for `weight` if there is any.
    #[inline]
    pub(super) fn reserve(&self, weight: u64) -> bool {
        self.account.reserve(weight)
    }

    /// The bound on the weight.
    #[inline]
    pub(super) fn max_weight(&self) -> u64 {
        self.account.bound()
    }

    /// Whether anything was ever pinned.
    pub(super) fn has_pins(&self) -> bool {
        self.pins.load(Ordering::Relaxed)
    }

    /// Something is going to be pinned.
    pub(super) fn any_pins(&self) {
        self.pins.store(true, Ordering::Relaxed);
    }

    /// A TTL, shortened at random if the cache does that; never to nothing.
    #[inline]
    pub(super) fn spread(&self, ttl: u64) -> u64 {
        if self.jitter == 0.0 || ttl == 0 {
            return ttl;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a positive part of what fits, and nobody counts the nanoseconds"
        )]
        let off = (ttl as f64 * self.jitter * self.random.unit()) as u64;
        ttl.saturating_sub(off).max(1)
    }

    pub(super) fn release(&self, weight: u64) {
        self.account.release(weight);
    }

    #[inline]
    pub(super) fn weight(&self) -> u64 {
        self.account.used()
    }

    pub(super) fn len(&self) -> usize {
        self.cells.iter().map(|cell| cell.shard.read().len()).sum()
    }

    pub(super) fn stats(&self) -> Stats {
        let mut stats =
            Stats { max_weight: self.max_weight(), weight: self.weight(), ..Stats::default() };
        stats.hits = self.stripes.hits();
        stats.misses = self.stripes.misses();
        if let Some(listener) = &self.listener {
            stats.listener_panics = listener.panics();
            stats.listener_unheard = listener.unheard();
        }
        for cell in &self.cells {
            stats.hits += cell.shard.hits();
            stats.misses += cell.misses.load(Ordering::Relaxed);
            let shard = cell.shard.read();
            shard.counts.add_to(&mut stats);
            stats.entries += u64::try_from(shard.len()).unwrap_or(u64::MAX);
        }
        stats
    }

    /// Room is short for the first time: the policy begins to learn. `entries` are in one shard.
    pub(super) fn wake_tuner(&self, entries: usize) {
        if self.tuner.is_off() {
            self.tuner.fit(entries * self.cells.len());
        }
    }

    /// The time in nanoseconds.
    pub(super) fn now(&self) -> u64 {
        nanos(self.clock.now())
    }

    /// The time if any entry could expire, else the beginning.
    pub(super) fn now_if_timed(&self) -> u64 {
        if self.timed.load(Ordering::Relaxed) { self.now() } else { 0 }
    }

    /// The same for a writer of what lives for so long at least, with whom it may be some
    /// milliseconds ago.
    #[inline]
    pub(super) fn lately_if_timed(&self, least: u64) -> u64 {
        if !self.timed.load(Ordering::Relaxed) {
            return 0;
        }
        self.ticks.lately(least).unwrap_or_else(|| self.now())
    }

    /// The time left to a live entry (`None` for ever), `Err` for one that has expired. The
    /// clock is read only for entries that can expire.
    #[inline]
    pub(super) fn time_left(&self, expires: u64) -> Result<Option<Duration>, Expired> {
        if expires == NEVER {
            return Ok(None);
        }
        match expires.checked_sub(self.now()) {
            Some(left @ 1..) => Ok(Some(Duration::from_nanos(left))),
            _ => Err(Expired),
        }
    }

    /// The same, but the time left is known only if `EXACT`; without, the clock is hardly asked.
    #[inline]
    fn live<const EXACT: bool>(&self, expires: u64) -> Result<Option<Duration>, Expired> {
        if EXACT {
            return self.time_left(expires);
        }
        if expires != NEVER && self.ticks.has_come(expires, || self.now()) {
            return Err(Expired);
        }
        Ok(None)
    }

    /// The same for an entry that is looked up, which is a use of it.
    #[inline]
    fn use_of<const EXACT: bool>(
        &self,
        wheel: Option<&Wheel>,
        at: u32,
    ) -> Result<Option<Duration>, Expired> {
        let Some(wheel) = wheel else {
            return Ok(None);
        };
        let Some(idle) = wheel.idle(at) else {
            return self.live::<EXACT>(wheel.expires(at));
        };
        let now = self.now();
        if idle.deadline() <= now {
            return Err(Expired);
        }
        idle.touch(now);
        Ok((idle.end != NEVER).then(|| Duration::from_nanos(idle.end.saturating_sub(now))))
    }

    #[inline]
    pub(super) fn cell(&self, hash: Hash) -> (usize, &Cell<K, V>) {
        // The number of cells is a power of two, and 256 at most.
        let home = usize::from(hash.shard()) & (self.cells.len() - 1);
        #[expect(clippy::indexing_slicing, reason = "masked to the length, which is not zero")]
        let cell = &self.cells[home];
        (home, cell)
    }

    /// All look-ups ever.
    fn lookups(&self) -> u64 {
        let each = |cell: &Cell<K, V>| cell.shard.hits() + cell.misses.load(Ordering::Relaxed);
        let counted: u64 = self.cells.iter().map(each).sum();
        counted + self.stripes.hits() + self.stripes.misses()
    }

    pub(super) fn curve(&self) -> Option<Curve> {
        self.sampler.as_ref()?.curve(self.lookups())
    }

    /// Shows the curve a look-up, if there is one and the key is in its sample.
    #[inline]
    fn trace(&self, hash: Hash) {
        if let Some(sampler) = self.sampler.as_ref().filter(|sampler| sampler.samples(hash)) {
            sampler.looked_up(hash, overhead::<K, V>(), || self.lookups());
        }
    }

    /// Tells the curve what a key weighs.
    #[inline]
    pub(super) fn trace_weight(&self, hash: Hash, weight: u64) {
        if let Some(sampler) = self.sampler.as_ref().filter(|sampler| sampler.samples(hash)) {
            sampler.weigh(hash, weight);
        }
    }

    /// A look-up has found nothing that lives.
    fn missed(&self, cell: &Cell<K, V>, hash: Hash) {
        if !self.stripes.miss() {
            cell.misses.fetch_add(1, Ordering::Relaxed);
        }
        if self.tuner.samples(hash.part()) {
            self.sample(hash, false);
        }
        self.trace(hash);
        self.meters.looked_up(false);
    }

    /// Shows the policy and the curve a look-up that hit.
    #[cold]
    fn tell_of_hit(&self, hash: Hash) {
        if self.tuner.samples(hash.part()) {
            self.sample(hash, true);
        }
        self.trace(hash);
    }

    /// Shows the policy a look-up of a sampled key.
    #[cold]
    fn sample(&self, hash: Hash, hit: bool) {
        if self.tuner.looked_up(hash.upper(), hit) {
            self.tuner
                .fit(self.cells.iter().map(|cell| cell.entries.load(Ordering::Relaxed)).sum());
        }
    }
}

impl<K, V> Drop for Engine<K, V> {
    fn drop(&mut self) {
        // The gauges are shared by all caches of one name, past and present.
        let entries = self.len();
        self.meters.closed(self.weight(), entries);
    }
}

pub(super) struct Expired;

/// What was found, made right where the caller of the look-up wants it. A function of its own: in
/// one that has a lock to give back if this panics, compilers make it elsewhere first, and the copy
/// must then wait for the very writes that it copies (of a hit's 32 ns, 3).
#[inline(never)]
fn found<V, T>(
    read: impl FnOnce(&V, Option<Duration>) -> T,
    value: &V,
    left: Option<Duration>,
) -> T {
    read(value, left)
}

/// A look-up that the policy or the curve is to be told of, if it is due, when this is dropped:
/// after the lock.
struct Telling<'a, K, V> {
    engine: &'a Engine<K, V>,
    hash: Hash,
    due: bool,
}

impl<K, V> Drop for Telling<'_, K, V> {
    #[inline]
    fn drop(&mut self) {
        if self.due {
            self.engine.tell_of_hit(self.hash);
        }
    }
}

impl<K: HashTrait + Eq, V> Engine<K, V> {
    #[inline]
    pub(super) fn hash<Q: HashTrait + ?Sized>(&self, key: &Q) -> Hash {
        Hash::new(self.hasher.hash_one(key))
    }

    /// Reads a live entry through `read`, which runs under the shard's read lock; what is not there
    /// is `missing`. The time that is left is told only if it is asked for.
    #[inline]
    pub(super) fn look_up<const EXACT: bool, Q, T>(
        &self,
        key: &Q,
        read: impl FnOnce(&V, Option<Duration>) -> T,
        missing: impl FnOnce() -> T,
    ) -> T
    where
        Q: HashTrait + Equivalent<K> + ?Sized,
    {
        let hash = self.hash(key);
        let (_, cell) = self.cell(hash);
        let mut telling = Telling { engine: self, hash, due: false };
        let shard = cell.shard.read();
        if let Some((at, entry)) = shard.find(hash, key)
            && let Ok(left) = self.use_of::<EXACT>(shard.wheel(), at)
        {
            // What is hot enough to be in every miniature tells them nothing.
            let met = entry.meta.touch();
            telling.due = (met && self.tuner.samples(hash.part())) || self.sampler.is_some();
            shard.hit();
            self.meters.looked_up(true);
            return found(read, &entry.value, left);
        }
        drop(shard);
        self.missed(cell, hash);
        missing()
    }

    /// The same, but neither a use nor in the statistics.
    #[inline]
    pub(super) fn peek<Q, T>(&self, key: &Q, read: impl FnOnce(&V) -> T) -> Option<T>
    where
        Q: HashTrait + Equivalent<K> + ?Sized,
    {
        let hash = self.hash(key);
        let shard = self.cell(hash).1.shard.read();
        let (at, entry) = shard.find(hash, key)?;
        let live = self.live::<false>(shard.expires(at)).is_ok();
        live.then(|| read(&entry.value))
    }
}
