//! The memory of a tiered cache as what may be outdated: how far it is to be trusted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::below::Found;
use super::lifetime::shorter;
use super::writing::Writing;
use crate::cache::Cache;
use crate::clock::{Clock, nanos};
use crate::coarse;
#[cfg(feature = "redis")]
use crate::coherence::Invalidation;
use crate::load::flight::Flight;
use crate::load::loaded::Loaded;
use crate::store::Outdated;

const ALWAYS: u64 = u64::MAX;
/// By how much the coarse clock may be late, in nanoseconds. It is advanced every 1 to 10 ms.
const LATE: u64 = 20_000_000;

/// Reads of the store, shared by all who ask for the same key meanwhile.
pub(super) type Reads<V> = Flight<Arc<str>, Option<Found<V>>>;

/// Takes outdated values out of a process's memory.
pub(crate) trait Drops: Send + Sync + 'static {
    /// What is known of a key, and what is being read of it, is outdated.
    fn drop_key(&self, key: &str);
    /// The same for all keys that begin so.
    fn drop_prefix(&self, prefix: &str);
    /// The same for all keys with a tag.
    fn drop_tag(&self, tag: &str);
    /// The same for all keys that have any tag.
    fn drop_tagged(&self);
    /// The same for all keys.
    fn drop_all(&self);
    /// Tells the store behind of what others have changed.
    fn tell(&self, what: Outdated<'_>);
}

/// The memory and the loads of one tiered cache.
pub(super) struct Memories<V> {
    pub(super) first: Cache<Arc<str>, V>,
    pub(super) reads: Reads<V>,
    /// The store behind, to be told.
    pub(super) store: Box<dyn Fn(Outdated<'_>) + Send + Sync>,
}

impl<V: Clone + Send + Sync + 'static> Drops for Memories<V> {
    fn drop_key(&self, key: &str) {
        self.reads.forget(key);
        drop(self.first.remove(key));
    }

    fn drop_prefix(&self, prefix: &str) {
        self.reads.forget_where(|key| key.starts_with(prefix));
        self.first.remove_prefix(prefix);
    }

    fn drop_tag(&self, tag: &str) {
        // What is being read may have the tag.
        self.reads.forget_all();
        self.first.invalidate_tag(tag);
    }

    fn drop_tagged(&self) {
        self.reads.forget_all();
        self.first.invalidate_tagged();
    }

    fn drop_all(&self) {
        self.reads.forget_all();
        self.first.clear();
    }

    fn tell(&self, what: Outdated<'_>) {
        (self.store)(what);
    }
}

/// How far the memory is to be trusted.
///
/// Without coherence, always. With it, as long as it is known that invalidations arrive: until
/// a moment that each answered ping moves on, and that readers check, so that it holds even if
/// this process was stopped or its runtime did not get round to noticing a loss.
pub(crate) struct Near {
    /// Until when the memory may be asked, nanoseconds on the clock.
    until: AtomicU64,
    /// The longest life of what is kept now, in nanoseconds.
    cap: AtomicU64,
    /// Moves whenever the memory is emptied for want of trust.
    epoch: AtomicU64,
    /// Keys that this process is writing.
    pub(super) writing: Writing,
    clock: Arc<dyn Clock>,
    /// What the clock is ahead of the coarse one, if that may stand in for it.
    ahead: Option<u64>,
    /// Not held, because loads under way hold this, and the memory holds those.
    drops: Weak<dyn Drops>,
    coherent: Option<Terms>,
    session: Mutex<Session>,
}

/// By which a coherent memory is trusted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// How long after a ping was sent that has been answered.
    #[cfg(feature = "redis")]
    pub(crate) bound: Duration,
    /// The longest life of what is kept while out of touch.
    pub(crate) offline: Duration,
}

/// The connection that tells of invalidations.
#[derive(Default)]
struct Session {
    number: u64,
    alive: bool,
    connected: bool,
}

impl Near {
    pub(super) fn new(drops: Weak<dyn Drops>, clock: Arc<dyn Clock>, terms: Option<Terms>) -> Self {
        // The coarse clock first, so that the difference is rather too large than too small.
        let coarse = coarse::now().filter(|_| clock.is_system());
        let ahead = coarse.map(|coarse| nanos(clock.now()).wrapping_sub(coarse));
        let near = Self {
            until: AtomicU64::new(ALWAYS),
            cap: AtomicU64::new(ALWAYS),
            epoch: AtomicU64::new(0),
            writing: Writing::new(),
            clock,
            ahead,
            drops,
            coherent: terms,
            session: Mutex::default(),
        };
        if let Some(terms) = terms {
            near.offline(terms);
        }
        near
    }

    /// Whether the memory may be asked now.
    #[inline]
    pub(super) fn is_usable(&self) -> bool {
        let until = self.until.load(Ordering::Acquire);
        until == ALWAYS || self.is_before(until)
    }

    fn is_before(&self, until: u64) -> bool {
        let coarse = self.ahead.and_then(|ahead| Some(coarse::now()?.wrapping_add(ahead)));
        match coarse {
            Some(coarse) => coarse.saturating_add(LATE) < until,
            None => nanos(self.clock.now()) < until,
        }
    }

    /// Called before the store is asked: a memory whose time is over is emptied by the first who
    /// finds it so. Whether it may be asked then.
    pub(super) fn settle(&self) -> bool {
        if self.is_usable() {
            return true;
        }
        let session = self.session();
        if session.connected {
            let number = session.number;
            drop(session);
            self.lost(number);
        }
        self.is_usable()
    }

    /// Moves whenever the memory is emptied for want of trust.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// Whether other processes tell of their changes.
    pub(super) const fn is_coherent(&self) -> bool {
        self.coherent.is_some()
    }

    /// Whether they do at the moment.
    #[cfg(feature = "redis")]
    pub(crate) fn is_connected(&self) -> bool {
        self.session().connected && self.is_usable()
    }

    /// What a load brought, as it is to be kept: not at all while its key is being written.
    pub(super) fn vetted<V>(&self, mut loaded: Loaded<V>, key: &str) -> Loaded<V> {
        if self.writing.has(key) {
            loaded.ttl = Some(Duration::ZERO);
        }
        self.capped(loaded)
    }

    /// What is to be kept, for no longer than the memory is to be trusted with it.
    pub(super) fn capped<V>(&self, mut loaded: Loaded<V>) -> Loaded<V> {
        let cap = self.cap.load(Ordering::SeqCst);
        if cap != ALWAYS {
            loaded.ttl = shorter(loaded.ttl, Some(Duration::from_nanos(cap)));
            loaded.stale_while_revalidate = Some(Duration::ZERO);
        }
        loaded
    }

    pub(super) fn now(&self) -> u64 {
        nanos(self.clock.now())
    }

    /// Nobody, once the cache is gone.
    #[cfg(feature = "redis")]
    pub(crate) fn drops(&self) -> Option<Arc<dyn Drops>> {
        self.drops.upgrade()
    }

    #[cfg(feature = "redis")]
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// A connection is about to be made; its number.
    #[cfg(feature = "redis")]
    pub(crate) fn attempt(&self) -> u64 {
        let mut session = self.session();
        *session = Session { number: session.number + 1, alive: true, connected: false };
        session.number
    }

    /// From now on invalidations arrive over this connection, as was asked for at `sent`. False if
    /// it has been lost meanwhile.
    #[cfg(feature = "redis")]
    pub(crate) fn begin(&self, number: u64, sent: Duration, cap: Option<Duration>) -> bool {
        // What came before nobody has watched. Stores nearer than the shared one are of use only
        // where no message can be missed.
        self.empty(if cap.is_none() { Outdated::Everything } else { Outdated::Unheard });
        let mut session = self.session();
        if session.number != number || !session.alive {
            drop(session);
            self.empty(Outdated::Unheard);
            return false;
        }
        session.connected = true;
        self.cap.store(cap.map_or(ALWAYS, nanos), Ordering::SeqCst);
        self.trust(sent);
        true
    }

    /// A ping that was sent then has been answered. False if the memory was distrusted meanwhile.
    #[cfg(feature = "redis")]
    pub(crate) fn extend(&self, number: u64, sent: Duration) -> bool {
        let session = self.session();
        let holds = session.number == number && session.connected;
        if holds {
            self.trust(sent);
        }
        holds
    }

    #[cfg(feature = "redis")]
    fn trust(&self, since: Duration) {
        let bound = self.coherent.map_or(Duration::MAX, |terms| terms.bound);
        let until = nanos(since.saturating_add(bound)).min(ALWAYS - 1);
        self.until.store(until, Ordering::Release);
    }

    /// The connection is gone: all that was kept is distrusted.
    pub(crate) fn lost(&self, number: u64) {
        let mut session = self.session();
        let (Some(terms), true) = (self.coherent, session.number == number && session.alive) else {
            return;
        };
        session.alive = false;
        if !std::mem::take(&mut session.connected) {
            // It never was: what is kept is kept as one out of touch does.
            return;
        }
        // Kept apart from what was kept before: first nobody reads, then all is dropped.
        self.until.store(0, Ordering::SeqCst);
        self.cap.store(0, Ordering::SeqCst);
        drop(session);
        self.empty(Outdated::Unheard);
        let session = self.session();
        if !session.connected {
            self.offline(terms);
        }
    }

    fn offline(&self, terms: Terms) {
        let cap = nanos(terms.offline);
        self.cap.store(cap, Ordering::SeqCst);
        self.until.store(if cap > 0 { ALWAYS } else { 0 }, Ordering::SeqCst);
    }

    /// Others have written: what is being loaded is not for the store.
    #[cfg(feature = "redis")]
    pub(crate) fn told(&self, what: Invalidation<'_>) {
        match what {
            Invalidation::Key(key) => self.writing.hear(Some(key)),
            Invalidation::Prefix(_) | Invalidation::All => self.writing.hear(None),
            // Tagged values have their generations in the store.
            Invalidation::Tag(_) | Invalidation::Tagged => {}
        }
    }

    fn empty(&self, why: Outdated<'_>) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        // Under no lock of ours: values have destructors.
        if let Some(drops) = self.drops.upgrade() {
            drops.tell(why);
            drops.drop_all();
        }
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        // Nothing in the critical sections panics.
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
