//! Single flight: one load per key, however many ask for it.

use std::borrow::Borrow;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use crate::error::LoadError;
use crate::metrics::{Load, LoadMeters};

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
    loads: Arc<Loads<K, V>>,
}

struct Loads<K, V> {
    running: DashMap<K, Running<V>, foldhash::fast::RandomState>,
    /// Loads that exist: those in `running`, and those forgotten that still have waiters.
    count: AtomicUsize,
    next: AtomicU64,
    max: usize,
    meters: LoadMeters,
}

type SharedLoad<V> = Shared<BoxFuture<'static, Result<V, LoadError>>>;

struct Running<V> {
    id: u64,
    waiters: usize,
    ticket: Ticket,
    load: SharedLoad<V>,
}

/// Tells a load whether its result is still wanted for storing.
#[derive(Debug, Clone)]
pub struct Ticket {
    current: Arc<AtomicBool>,
}

impl Ticket {
    /// False once the key was forgotten: what the load found may be out of date. Its waiters get
    /// it all the same, because they asked before that.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.current.load(Ordering::Acquire)
    }

    fn void(&self) {
        self.current.store(false, Ordering::Release);
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
        Self::metered(max, LoadMeters::new("flight"))
    }

    pub(crate) fn metered(max: usize, meters: LoadMeters) -> Self {
        Self {
            loads: Arc::new(Loads {
                running: DashMap::default(),
                count: AtomicUsize::new(0),
                next: AtomicU64::new(0),
                max,
                meters,
            }),
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
    /// The loader's error, shared by all who waited; see [`LoadError`].
    pub async fn run<F, Fut>(&self, key: K, load: F) -> Result<V, LoadError>
    where
        F: FnOnce(Ticket) -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, LoadError>> + Send + 'static,
    {
        let waiting = self.join(key, load)?;
        // A clone to poll; the original stays in the guard.
        waiting.load.clone().await
    }

    /// Forgets the load of `key`: it ends for those who wait for it, its [`Ticket`] is void, and
    /// who asks from now on starts another.
    pub fn forget<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        // Mostly nothing is under way, and writers should not pay for a look-up then. The fence
        // pairs with the one in `admit`: either the load is seen here, or it sees the source as
        // the caller left it.
        fence(Ordering::SeqCst);
        if self.under_way() == 0 {
            return;
        }
        if let Some((_, running)) = self.loads.running.remove(key) {
            running.ticket.void();
        }
    }

    /// Forgets every load.
    pub fn forget_all(&self) {
        let mut removed = Vec::new();
        self.loads.running.retain(|_, running| {
            running.ticket.void();
            // Dropped below: a load's destructors are the caller's code.
            removed.push(running.load.clone());
            false
        });
    }

    /// How many loads are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.loads.count.load(Ordering::Relaxed)
    }

    fn join<F, Fut>(&self, key: K, load: F) -> Result<Waiting<K, V>, LoadError>
    where
        F: FnOnce(Ticket) -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, LoadError>> + Send + 'static,
    {
        let loads = &self.loads;
        let (id, load) = match loads.running.entry(key.clone()) {
            Entry::Occupied(mut entry) => {
                let running = entry.get_mut();
                running.waiters += 1;
                (running.id, running.load.clone())
            }
            Entry::Vacant(entry) => {
                let ending = Loads::admit(loads)?;
                let id = loads.next.fetch_add(1, Ordering::Relaxed);
                let ticket = Ticket { current: Arc::new(AtomicBool::new(true)) };
                let flight = fly(ending, key.clone(), id, ticket.clone(), load);
                let load = flight.boxed().shared();
                entry.insert(Running { id, waiters: 1, ticket, load: load.clone() });
                (id, load)
            }
        };
        Ok(Waiting { loads: Arc::clone(loads), key, id, load })
    }
}

impl<K, V> Loads<K, V> {
    fn admit(loads: &Arc<Self>) -> Result<Ending<K, V>, LoadError> {
        let max = loads.max;
        let more = |count: usize| (count < max).then_some(count + 1);
        loads
            .count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .map_err(|_| LoadError::TooMany { max })?;
        fence(Ordering::SeqCst);
        Ok(Ending { loads: Arc::clone(loads), how: Load::Cancelled })
    }
}

/// The load itself: runs the loader, turns a panic into an error, and leaves the map.
async fn fly<K, V, F, Fut>(
    mut ending: Ending<K, V>,
    key: K,
    id: u64,
    ticket: Ticket,
    load: F,
) -> Result<V, LoadError>
where
    K: Hash + Eq,
    F: FnOnce(Ticket) -> Fut,
    Fut: Future<Output = Result<V, LoadError>>,
{
    // The loader's state is dropped by the panic; nobody sees it afterwards.
    let result = AssertUnwindSafe(async move { load(ticket).await })
        .catch_unwind()
        .await
        .unwrap_or(Err(LoadError::Panicked));
    ending.how = match &result {
        Ok(_) => Load::Loaded,
        Err(LoadError::Panicked) => Load::Panicked,
        Err(_) => Load::Failed,
    };
    let running = &ending.loads.running;
    running.remove_if(&key, |_, running| running.id == id);
    result
}

/// Counts how a load ended; dropped with the load, finished or not.
struct Ending<K, V> {
    loads: Arc<Loads<K, V>>,
    how: Load,
}

impl<K, V> Drop for Ending<K, V> {
    fn drop(&mut self) {
        self.loads.count.fetch_sub(1, Ordering::Relaxed);
        self.loads.meters.ended(self.how);
    }
}

/// A waiter's share in a load; the last one to leave takes the load along.
struct Waiting<K: Hash + Eq, V> {
    loads: Arc<Loads<K, V>>,
    key: K,
    id: u64,
    load: SharedLoad<V>,
}

impl<K: Hash + Eq, V> Drop for Waiting<K, V> {
    fn drop(&mut self) {
        // What is removed here is dropped after the map's lock, and the load after that.
        self.loads.running.remove_if_mut(&self.key, |_, running| {
            if running.id != self.id {
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

impl<K, V> fmt::Debug for Flight<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight")
            .field("under_way", &self.loads.count.load(Ordering::Relaxed))
            .field("max", &self.loads.max)
            .finish_non_exhaustive()
    }
}
