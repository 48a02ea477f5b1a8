//! What a cache keeps: values under their terms, failures, tags and the index of keys.

use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hashbrown::Equivalent;

use crate::clock::{Clock, nanos};
use crate::config::Loading;
use crate::error::LoadError;
use crate::load::account::Account;
use crate::load::early::reach;
use crate::load::loaded::Loaded;
use crate::memory::{Keep, Memory};
use crate::metrics::Stale;
use crate::prefix::Index;
use crate::random::Random;
use crate::tags::Tags;
use crate::terms::{Age, Held, Terms, end};

/// How long after a failed refresh the next may begin.
const PAUSE: Duration = Duration::from_secs(1);
/// What all kept failures may weigh, and what one does beside its entry, key and text.
const FAILURES: u64 = 1 << 20;
const FAILURE: u64 = 256;

/// Says how many bytes a key holds beside its own size.
pub(crate) type KeyWeigher<K> = Arc<dyn Fn(&K) -> u64 + Send + Sync>;

/// The shelf of one cache.
pub(crate) struct Shelf<K, V> {
    pub(crate) memory: Memory<K, Held<V>>,
    pub(crate) tags: Arc<Tags>,
    pub(crate) account: Arc<Account>,
    pub(crate) clock: Arc<dyn Clock>,
    index: Option<Box<dyn Index<K>>>,
    failures: OnceLock<Option<Memory<K, LoadError>>>,
    key_weigher: KeyWeigher<K>,
    /// Whether any value ever had lifetimes of its own; if not, look-ups ask for none.
    timed: AtomicBool,
    jitter: f64,
    random: Random,
}

/// What a look at a key found.
pub(crate) enum Look<V> {
    /// A value to return.
    Hit(V),
    /// A value to return, and a claim: the one who got it refreshes the key.
    Refresh(V, Claim),
    /// Nothing to return.
    Miss,
}

/// A value that has terms, and the time that the memory leaves it, if that was asked for.
pub(crate) struct Termed<V> {
    pub(crate) value: V,
    pub(crate) terms: Arc<Terms>,
    pub(crate) left: Option<Duration>,
}

/// The right and the duty to refresh a value; dropped, it passes on after a pause.
pub(crate) struct Claim {
    pub(crate) terms: Arc<Terms>,
    clock: Arc<dyn Clock>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        // After a success the terms are nobody's any more.
        self.terms.release(end(self.clock.now(), PAUSE));
    }
}

/// When and how a value came to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Birth {
    /// The tags' tick when its load began.
    pub(crate) epoch: u64,
    /// How long it took.
    pub(crate) load_time: Duration,
}

impl<K, V> Shelf<K, V> {
    pub(crate) fn new(
        memory: Memory<K, Held<V>>,
        tags: Arc<Tags>,
        account: Arc<Account>,
        clock: Arc<dyn Clock>,
        jitter_percent: u8,
        key_weigher: KeyWeigher<K>,
    ) -> Self {
        Self {
            memory,
            tags,
            account,
            clock,
            index: None,
            failures: OnceLock::new(),
            key_weigher,
            timed: AtomicBool::new(false),
            jitter: f64::from(jitter_percent.min(100)) / 100.0,
            random: Random::new(),
        }
    }

    pub(crate) fn indexed(mut self, index: Option<Box<dyn Index<K>>>) -> Self {
        self.index = index;
        self
    }

    /// Terms that come from elsewhere.
    #[cfg(feature = "snapshot")]
    pub(crate) fn adopt(&self, terms: Terms) -> Arc<Terms> {
        if terms.fresh_until < u64::MAX {
            self.timed.store(true, Ordering::Relaxed);
        }
        Arc::new(terms)
    }

    fn now(&self) -> u64 {
        nanos(self.clock.now())
    }

    /// Whether no tag of a value was invalidated since its load began.
    pub(crate) fn holds(&self, terms: &Terms) -> bool {
        if terms.tags.is_empty() {
            return true;
        }
        let epoch = self.tags.epoch();
        // Mostly nothing was invalidated since the last look.
        if terms.checked.load(Ordering::Relaxed) == epoch {
            return true;
        }
        let holds = self.tags.hold(terms.born, &terms.tags);
        if holds {
            terms.checked.store(epoch, Ordering::Relaxed);
        }
        holds
    }

    /// Whether a value may be returned as if it had just been loaded.
    pub(crate) fn is_fresh(&self, terms: &Terms) -> bool {
        let fresh = terms.fresh_until == u64::MAX || self.now() < terms.fresh_until;
        fresh && self.holds(terms)
    }

    /// The time at which a value was found with so much left to its hard end.
    fn now_of(&self, terms: &Terms, left: Option<Duration>) -> u64 {
        if terms.fresh_until == u64::MAX {
            return 0;
        }
        left.map_or_else(|| self.now(), |left| terms.now(left))
    }

    fn judge(&self, value: V, terms: Arc<Terms>, left: Option<Duration>) -> Look<V> {
        if !self.holds(&terms) {
            self.account.outdated();
            return Look::Miss;
        }
        let now = self.now_of(&terms, left);
        let stale = match terms.age(now, || self.random.unit()) {
            Age::Fresh => return Look::Hit(value),
            Age::Over => {
                self.account.outdated();
                return Look::Miss;
            }
            Age::Due { stale } => stale,
        };
        if stale {
            self.account.stale(Stale::Revalidating);
        }
        if !terms.claim(now) {
            return Look::Hit(value);
        }
        Look::Refresh(value, Claim { terms, clock: Arc::clone(&self.clock) })
    }
}

impl<K: Hash + Eq + Clone + 'static, V: Clone> Shelf<K, V> {
    /// Looks for a value, and whether it is due for a refresh.
    pub(crate) fn look<Q>(&self, key: &Q) -> Look<V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let mut termed = None;
        let mut found = self.seen(key, &mut termed, Look::Hit, || Look::Miss);
        if termed.is_some() {
            found = self.judged(termed);
        }
        found
    }

    /// What to do with a value that was put apart; a miss if there is none.
    pub(crate) fn judged(&self, termed: Option<Termed<V>>) -> Look<V> {
        let judge = |found: Termed<V>| self.judge(found.value, found.terms, found.left);
        termed.map_or(Look::Miss, judge)
    }

    /// Looks for a value: what `plain` makes of one without terms, right where the caller wants it,
    /// as most are such. One with terms is put apart, to be judged after the lock.
    #[inline]
    pub(crate) fn seen<Q, T>(
        &self,
        key: &Q,
        termed: &mut Option<Termed<V>>,
        plain: impl FnOnce(V) -> T,
        none: impl Fn() -> T,
    ) -> T
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let read = |held: &Held<V>, left| {
            let Some(terms) = &held.terms else {
                return plain(held.value.clone());
            };
            *termed = Some(Termed { value: held.value.clone(), terms: Arc::clone(terms), left });
            none()
        };
        if self.timed.load(Ordering::Relaxed) {
            self.memory.read_timed(key, read, &none)
        } else {
            self.memory.read(key, |held| read(held, None), &none)
        }
    }

    /// A fresh value.
    pub(crate) fn get<Q>(&self, key: &Q) -> Option<V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let mut termed = None;
        let mut found = self.seen(key, &mut termed, Some, || None);
        if let Some(termed) = termed {
            found = self.fresh(termed);
        }
        found
    }

    /// A value, if its terms say that it is fresh.
    fn fresh(&self, found: Termed<V>) -> Option<V> {
        let Termed { value, terms, left } = found;
        let fresh = terms.fresh_until > self.now_of(&terms, left);
        if !fresh || !self.holds(&terms) {
            self.account.outdated();
            return None;
        }
        Some(value)
    }

    /// A fresh value and the time it has left, `None` being for ever.
    pub(crate) fn get_with_ttl<Q>(&self, key: &Q) -> Option<(V, Option<Duration>)>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let (Held { value, terms }, left) = self.memory.get_with_ttl(key)?;
        let Some(terms) = terms else {
            return Some((value, left));
        };
        // What it is kept for beyond its time, for refreshes and failures, is not its time.
        let fresh = terms.fresh_until.saturating_sub(self.now_of(&terms, left));
        if fresh == 0 || !self.holds(&terms) {
            self.account.outdated();
            return None;
        }
        Some((value, left.map(|_| Duration::from_nanos(fresh))))
    }

    /// A fresh value, if it is not the one with the terms `but`. Neither a use nor counted.
    pub(crate) fn newer(&self, key: &K, but: Option<&Arc<Terms>>) -> Option<Held<V>> {
        let held = self.memory.peek(key)?;
        match (&held.terms, but) {
            (Some(terms), Some(but)) if Arc::ptr_eq(terms, but) => None,
            (Some(terms), _) if !self.is_fresh(terms) => None,
            _ => Some(held),
        }
    }

    /// What may be returned after a failed load. Neither a use nor counted as a hit.
    pub(crate) fn consolation<Q>(&self, key: &Q) -> Option<V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let held = self.memory.peek(key)?;
        let terms = held.terms?;
        if !self.holds(&terms) || !terms.consoles(self.now()) {
            return None;
        }
        self.account.stale(Stale::Error);
        Some(held.value)
    }

    /// The failure that is kept for a key.
    pub(crate) fn failure<Q>(&self, key: &Q) -> Option<LoadError>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.failures.get()?.as_ref()?.get(key)
    }

    /// Keeps a failure for its time, if `wanted` says so.
    pub(crate) fn fail(
        &self,
        key: K,
        error: &LoadError,
        ttl: Option<Duration>,
        wanted: impl FnOnce() -> bool,
    ) {
        if ttl.is_none() || !error.is_of_the_source() {
            return;
        }
        let build = || {
            let failures = Memory::builder().name("failures").max_weight(FAILURES).shards(1);
            let of_key = Arc::clone(&self.key_weigher);
            let weigh = move |key: &K, error: &LoadError| {
                FAILURE.saturating_add(of_key(key)).saturating_add(error.weight())
            };
            failures.weigher(weigh).clock(Arc::clone(&self.clock)).build().ok()
        };
        if let Some(failures) = self.failures.get_or_init(build) {
            failures.insert_if(key, error.clone(), Keep { ttl, ..Keep::new() }, wanted);
        }
    }

    /// Forgets the failure of a key.
    pub(crate) fn forgive<Q>(&self, key: &Q)
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        if let Some(Some(failures)) = self.failures.get() {
            drop(failures.remove(key));
        }
    }

    /// Forgets the failures of all keys that `which` answers with true.
    pub(crate) fn forgive_where(&self, mut which: impl FnMut(&K) -> bool) {
        if let Some(Some(failures)) = self.failures.get() {
            failures.retain(|key, _| !which(key));
        }
    }

    /// Whether one who asked at the tags' tick `asked` may have a value that another loaded.
    pub(crate) fn serves(&self, held: &Held<V>, asked: u64) -> bool {
        held.terms.as_ref().is_none_or(|terms| terms.born >= asked || self.holds(terms))
    }

    /// Stores a value under its terms if `wanted` says so under the lock that a removal takes too;
    /// the value under its terms, whether it was stored or not.
    pub(crate) fn keep(
        &self,
        key: K,
        loaded: Loaded<V>,
        loading: &Loading,
        birth: Birth,
        wanted: impl FnOnce() -> bool,
    ) -> Held<V> {
        let (held, keep) = self.under_terms(loaded, loading, birth);
        let holds = || held.terms.as_ref().is_none_or(|terms| self.holds(terms));
        self.put(key, held.clone(), keep, || wanted() && holds());
        held
    }

    /// Stores a new value; whether it was stored.
    pub(crate) fn store(&self, key: K, loaded: Loaded<V>, loading: &Loading) -> bool {
        let birth = Birth { epoch: self.tags.epoch(), load_time: Duration::ZERO };
        let (held, keep) = self.under_terms(loaded, loading, birth);
        self.put(key, held, keep, || true)
    }

    fn put(&self, key: K, held: Held<V>, keep: Keep, wanted: impl FnOnce() -> bool) -> bool {
        self.indexing(key, |key| self.memory.insert_if(key, held, keep, wanted))
    }

    /// Tells the index about a key that `store` stores.
    pub(crate) fn indexing<T>(&self, key: K, store: impl FnOnce(K) -> T) -> T {
        let Some(index) = &self.index else {
            return store(key);
        };
        index.storing(&key);
        let result = store(key.clone());
        index.stored(&key, &|| self.memory.len(), &|key| self.memory.contains(key));
        result
    }

    /// The keys that begin with `prefix`, if there is an index.
    pub(crate) fn under(&self, prefix: &str) -> Option<Vec<K>> {
        self.index.as_ref().map(|index| index.under(prefix))
    }

    /// The terms, if any are needed, and how the memory is to keep the value.
    pub(crate) fn under_terms(
        &self,
        loaded: Loaded<V>,
        loading: &Loading,
        birth: Birth,
    ) -> (Held<V>, Keep) {
        let keep = Keep { ttl: Some(Duration::MAX), tti: loaded.tti, pinned: loaded.pinned };
        let (held, ttl) = self.terms_of(loaded, loading, birth);
        (held, Keep { ttl: ttl.or(keep.ttl), ..keep })
    }

    fn terms_of(
        &self,
        loaded: Loaded<V>,
        loading: &Loading,
        birth: Birth,
    ) -> (Held<V>, Option<Duration>) {
        let ttl = loaded.ttl.or_else(|| self.memory.ttl()).map(|ttl| self.jittered(ttl));
        let tags = loaded.tags.into_boxed_slice();
        let Some(ttl) = ttl.filter(|ttl| nanos(*ttl) < u64::MAX) else {
            let terms = (!tags.is_empty()).then(|| Arc::new(Terms::tagged(tags, birth.epoch)));
            return (Held { value: loaded.value, terms }, None);
        };
        let revalidate = loaded.stale_while_revalidate.unwrap_or(loading.stale_while_revalidate);
        let on_error = loaded.stale_if_error.unwrap_or(loading.stale_if_error);
        let (ahead, reach) = (loading.ahead(ttl), reach(birth.load_time, loading.beta()));
        let grace = revalidate.max(on_error);
        let plain = tags.is_empty() && (grace.max(ahead).max(reach)).is_zero();
        if plain || ttl.is_zero() {
            return (Held::plain(loaded.value), Some(ttl));
        }
        let terms = Terms {
            fresh_until: end(self.clock.now(), ttl),
            revalidate: nanos(revalidate),
            on_error: nanos(on_error),
            ahead: nanos(ahead),
            reach: nanos(reach),
            load_time: birth.load_time,
            beta: loading.beta(),
            ..Terms::tagged(tags, birth.epoch)
        };
        self.timed.store(true, Ordering::Relaxed);
        let held = Held { value: loaded.value, terms: Some(Arc::new(terms)) };
        (held, Some(ttl.saturating_add(grace)))
    }

    fn jittered(&self, ttl: Duration) -> Duration {
        if self.jitter == 0.0 || nanos(ttl) == u64::MAX {
            return ttl;
        }
        // A product of what is finite and at most one never overflows.
        let shortened = ttl.mul_f64(1.0 - self.jitter * self.random.unit());
        // Zero would mean: not at all.
        shortened.max(ttl.min(Duration::from_nanos(1)))
    }
}
