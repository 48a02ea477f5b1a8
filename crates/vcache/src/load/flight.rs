//! Single flight: one load per key, however many ask for it.

use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, Hash};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread::ThreadId;

use dashmap::DashMap;
use dashmap::mapref::entry::{Entry, OccupiedEntry, VacantEntry};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use hashbrown::Equivalent;

use crate::error::LoadError;
use crate::load::account::{Account, ending};
use crate::load::circle::{Edge, Group, Node, within};
use crate::load::gate::Gate;
use crate::load::leader::{Behind, Leading};
use crate::metrics::Load;

/// One load per key: who asks while it runs gets its result.
///
/// The load is a future that all waiters share and poll; it belongs to them and to nobody else.
/// So no runtime is needed and nothing runs detached: when the first waiter is cancelled, the
/// others go on with the same load, where it stands; when the last one is, the load is dropped.
/// A result is not kept: who asks after the load has ended starts the next one.
///
/// Each wake of the load wakes every waiter. A loader that awaits hundreds of times and may have
/// thousands of waiters should spawn itself and give its handle to the flight.
///
/// Bounded: at most `max` loads exist at once, each with at least one live waiter. Cloning gives
/// another handle to the same loads.
pub struct Flight<K, V> {
    pub(super) loads: Arc<Loads<K, V>>,
}

pub(super) struct Loads<K, V> {
    pub(super) running: DashMap<K, Running<V>, foldhash::fast::RandomState>,
    /// Loads that exist: those in `running`, and those forgotten that still have waiters.
    pub(super) gate: Gate,
    account: Arc<Account>,
}

pub(crate) type SharedLoad<V> = Shared<BoxFuture<'static, Result<V, LoadError>>>;

pub(super) struct Running<V> {
    waiters: usize,
    pub(super) ticket: Ticket,
    load: SharedLoad<V>,
    /// Threads that wait without polling.
    pub(super) onlookers: Vec<SyncSender<Result<V, LoadError>>>,
    /// The thread that loads, if it is a sync load.
    pub(super) thread: Option<ThreadId>,
}

/// Tells a load whether its result is still wanted for storing.
#[derive(Clone)]
pub struct Ticket {
    inner: Arc<Inner>,
}

struct Inner {
    current: AtomicBool,
    /// The tags' tick when the load began, or before; zero until then.
    began: AtomicU64,
    node: Node,
}

impl Ticket {
    pub(super) fn new() -> Self {
        let (current, began) = (AtomicBool::new(true), AtomicU64::new(0));
        Self { inner: Arc::new(Inner { current, began, node: Node::default() }) }
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    pub(super) fn node(&self) -> &Node {
        &self.inner.node
    }

    /// The load begins after this tick of the tags.
    pub(crate) fn begin(&self, epoch: u64) {
        self.inner.began.store(epoch, Ordering::Release);
    }

    /// False once the key was forgotten: what the load found may be out of date. Its waiters get
    /// it all the same, because they asked before that.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.inner.current.load(Ordering::Acquire)
    }

    fn void(&self) {
        self.inner.current.store(false, Ordering::Release);
    }
}

impl<K, V> Flight<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Nothing under way; `max` loads at once.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self::counted(max, Arc::new(Account::new("flight")))
    }

    pub(crate) fn counted(max: usize, account: Arc<Account>) -> Self {
        Self {
            loads: Arc::new(Loads { running: DashMap::default(), gate: Gate::new(max), account }),
        }
    }

    /// Waits for the load of `key`, starting `load` if none is under way. `load` is called when
    /// first polled; it must fail or finish by itself, since waiters have no timeout here.
    ///
    /// Cancel safety: dropping the future leaves the load to the other waiters, and drops the
    /// load if there are none.
    ///
    /// # Errors
    ///
    /// The loader's error, shared by all who waited; [`LoadError::Recursive`] if a loader asks for
    /// what waits for it; see [`LoadError`].
    pub async fn run<F, Fut>(&self, key: K, load: F) -> Result<V, LoadError>
    where
        F: FnOnce(Ticket) -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, LoadError>> + Send + 'static,
    {
        self.run_once(key, &mut Some(load), None).await
    }

    /// The same; leaves `load` where it is if another load was under way. A load that was begun
    /// here goes on `behind` if this is dropped.
    pub(crate) async fn run_once<F, Fut>(
        &self,
        key: K,
        load: &mut Option<F>,
        behind: Option<Behind<'_>>,
    ) -> Result<V, LoadError>
    where
        F: FnOnce(Ticket) -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, LoadError>> + Send + 'static,
    {
        let Joined { waiting, started, edge } = self.join(key, load)?;
        // A clone to poll; the original stays in the guard.
        let (shared, rest) = (waiting.load.clone(), waiting.load.clone());
        let rest = async move {
            let _ = rest.await;
            drop(waiting);
        };
        let leading = Leading::new(behind.filter(|_| started.is_some()), rest);
        let result = shared.await;
        leading.done();
        drop(edge);
        result
    }

    /// Forgets the load of `key`: it ends for those who wait for it, its [`Ticket`] is void, and
    /// who asks from now on starts another.
    pub fn forget<Q>(&self, key: &Q)
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        if self.loads.gate.is_quiet() {
            return;
        }
        let map = &self.loads.running;
        let shard = map.determine_shard(map.hash_usize(&key));
        let removed = map.shards().get(shard).and_then(|shard| {
            let same = |(own, _): &(K, _)| key.equivalent(own);
            shard.write().remove_entry(map.hasher().hash_one(key), same)
        });
        if let Some((_, running)) = removed {
            running.get().ticket.void();
        }
    }

    /// Forgets every load.
    pub fn forget_all(&self) {
        self.forget_where(|_| true);
    }

    /// Forgets the loads of all keys that `which` answers with true. It runs under a lock and
    /// must not call the flight.
    pub fn forget_where(&self, mut which: impl FnMut(&K) -> bool) {
        let mut removed = Vec::new();
        self.loads.running.retain(|key, running| {
            let forgotten = which(key);
            if forgotten {
                running.ticket.void();
                // Dropped below: a load's destructors are the caller's code.
                removed.push(running.load.clone());
            }
            !forgotten
        });
    }

    /// How many loads are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.loads.gate.inside()
    }

    /// A share in the load of `key`; with its ticket if it is `load` that it starts.
    pub(super) fn join<F, Fut>(
        &self,
        key: K,
        load: &mut Option<F>,
    ) -> Result<Joined<K, V>, LoadError>
    where
        F: FnOnce(Ticket) -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, LoadError>> + Send + 'static,
    {
        match self.loads.running.entry(key) {
            Entry::Occupied(mut entry) => self.share(&mut entry),
            Entry::Vacant(entry) => {
                let (ending, ticket) = (Loads::admit(&self.loads)?, Ticket::new());
                let (key, load) = (entry.key().clone(), load.take());
                // Whoever calls with nothing to load has had a turn already.
                let load = load.ok_or(LoadError::Absent)?;
                let edge = Edge::to(ticket.node())?;
                let flight = fly(ending, key, ticket.clone(), load).boxed().shared();
                let waiting = self.start(entry, ticket.clone(), flight, None);
                Ok(Joined { waiting, started: Some(ticket), edge })
            }
        }
    }

    /// A share in the load of `key`, if there is one that may have begun before the tags' tick
    /// `asked`, and the caller does not wait for itself.
    pub(crate) fn earlier(&self, key: &K, asked: u64) -> Option<Joined<K, V>> {
        // Mostly nothing is under way, or was ever invalidated.
        if asked == 0 || self.under_way() == 0 {
            return None;
        }
        let Entry::Occupied(mut entry) = self.loads.running.entry(key.clone()) else {
            return None;
        };
        let began = entry.get().ticket.inner.began.load(Ordering::Acquire);
        if began < asked { self.share(&mut entry).ok() } else { None }
    }

    fn share(
        &self,
        entry: &mut OccupiedEntry<'_, K, Running<V>>,
    ) -> Result<Joined<K, V>, LoadError> {
        let key = entry.key().clone();
        let running = entry.get_mut();
        let edge = Edge::to(running.ticket.node())?;
        running.waiters += 1;
        let (ticket, load) = (running.ticket.clone(), running.load.clone());
        let waiting = Waiting { loads: Arc::clone(&self.loads), key, ticket, load };
        Ok(Joined { waiting, started: None, edge })
    }

    pub(super) fn start(
        &self,
        entry: VacantEntry<'_, K, Running<V>>,
        ticket: Ticket,
        load: SharedLoad<V>,
        thread: Option<ThreadId>,
    ) -> Waiting<K, V> {
        let waiting = Waiting {
            loads: Arc::clone(&self.loads),
            key: entry.key().clone(),
            ticket: ticket.clone(),
            load: load.clone(),
        };
        entry.insert(Running { waiters: 1, ticket, load, onlookers: Vec::new(), thread });
        waiting
    }
}

impl<K, V> Loads<K, V> {
    pub(super) fn admit(loads: &Arc<Self>) -> Result<Ending<K, V>, LoadError> {
        if !loads.gate.enter() {
            return Err(LoadError::TooMany { max: loads.gate.max() });
        }
        Ok(Ending { loads: Arc::clone(loads), how: Load::Cancelled })
    }
}

/// The load itself: runs the loader, turns a panic into an error, and leaves the map.
async fn fly<K, V, F, Fut>(
    ending: Ending<K, V>,
    key: K,
    ticket: Ticket,
    load: F,
) -> Result<V, LoadError>
where
    K: Hash + Eq,
    V: Clone,
    F: FnOnce(Ticket) -> Fut,
    Fut: Future<Output = Result<V, LoadError>>,
{
    let own = ticket.clone();
    let group = Group::from([own.node().clone()]);
    // The loader's state is dropped by the panic; nobody sees it afterwards.
    let result = AssertUnwindSafe(within(group, async move { load(ticket).await }))
        .catch_unwind()
        .await
        .unwrap_or(Err(LoadError::Panicked));
    ending.with(&key, &own, &result);
    result
}

/// Counts how a load ended; dropped with the load, finished or not.
pub(super) struct Ending<K, V> {
    loads: Arc<Loads<K, V>>,
    how: Load,
}

impl<K: Hash + Eq, V: Clone> Ending<K, V> {
    /// The load has ended: takes it out of the map and tells the threads that wait for it.
    pub(super) fn with(mut self, key: &K, ticket: &Ticket, result: &Result<V, LoadError>) {
        self.how = ending(result);
        let ended = self.loads.running.remove_if(key, |_, running| running.ticket.is(ticket));
        for onlooker in ended.into_iter().flat_map(|(_, running)| running.onlookers) {
            // One that has left needs no answer.
            let _ = onlooker.try_send(result.clone());
        }
    }
}

impl<K, V> Drop for Ending<K, V> {
    fn drop(&mut self) {
        self.loads.gate.leave();
        self.loads.account.ended(self.how);
    }
}

/// A caller's part in a load.
pub(crate) struct Joined<K: Hash + Eq, V> {
    pub(crate) waiting: Waiting<K, V>,
    /// Its ticket, if the caller has begun it.
    pub(super) started: Option<Ticket>,
    /// Kept as long as the caller waits.
    pub(super) edge: Option<Edge>,
}

/// A waiter's share in a load; the last one to leave takes the load along.
pub(crate) struct Waiting<K: Hash + Eq, V> {
    loads: Arc<Loads<K, V>>,
    key: K,
    ticket: Ticket,
    pub(crate) load: SharedLoad<V>,
}

impl<K: Hash + Eq, V> Drop for Waiting<K, V> {
    fn drop(&mut self) {
        // What is removed here is dropped after the map's lock, and the load after that.
        self.loads.running.remove_if_mut(&self.key, |_, running| {
            if !running.ticket.is(&self.ticket) {
                return false;
            }
            running.waiters -= 1;
            running.waiters == 0
        });
    }
}

impl<K, V> Clone for Flight<K, V> {
    fn clone(&self) -> Self {
        Self { loads: Arc::clone(&self.loads) }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("current", &self.is_current()).finish_non_exhaustive()
    }
}

impl<K, V> fmt::Debug for Flight<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight")
            .field("under_way", &self.loads.gate.inside())
            .field("max", &self.loads.gate.max())
            .finish_non_exhaustive()
    }
}
