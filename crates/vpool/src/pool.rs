//! The pool: get a connection, use it, drop it.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool::managed::{self, Manager, Object, PoolError, TimeoutType, Timeouts};
use tokio::time::Instant;
use vtask::Task;

use crate::config::Config;
use crate::error::GetError;
use crate::keeper::{Keeper, Unopened};
use crate::limited::limited;
use crate::metrics::{Meters, Outcome};
use crate::stats::{Ledger, State, Stats};
use crate::upkeep;

/// A pool of connections, with upkeep.
///
/// Works with every deadpool manager. Connections are used last in, first out, so that those the
/// load does not need grow old and are let go of. Clones are cheap and share one pool; upkeep
/// ends with the last.
pub struct Pool<M: Manager + 'static> {
    inner: Arc<Inner<M>>,
}

struct Inner<M: Manager + 'static> {
    pool: managed::Pool<Keeper<M>>,
    upkeep: Mutex<Option<Task>>,
}

impl<M: Manager + 'static> Pool<M> {
    pub(crate) fn assemble(pool: managed::Pool<Keeper<M>>, upkeep: Task) -> Self {
        let upkeep = Mutex::new(Some(upkeep));
        Self { inner: Arc::new(Inner { pool, upkeep }) }
    }

    /// A connection: an idle one that passes its check, else a fresh one, else the first that
    /// becomes free. Takes at most the wait, recycle and create timeouts together.
    ///
    /// Cancel safety: dropping the future gives up the place in the queue; a connection that was
    /// being created or checked is dropped.
    ///
    /// # Errors
    ///
    /// See [`GetError`].
    pub async fn get(&self) -> Result<Pooled<M>, GetError<M::Error>> {
        let (ledger, begun) = (self.ledger(), Meters::began());
        let waiting = Waiting::new(ledger);
        let limit = self.config().get_timeout();
        let got = match limited(limit, self.taken()).await {
            Ok(got) => got.map_err(|error| self.explain(error)),
            Err(_) => Err(GetError::CheckTimeout(limit)),
        };
        drop(waiting);
        ledger.meters.got(outcome(&got), begun.map_or(Duration::ZERO, |begun| begun.elapsed()));
        match got {
            Ok(object) => {
                ledger.gets.fetch_add(1, Ordering::Relaxed);
                Ok(Pooled { object })
            }
            Err(error) => {
                let timeouts = u64::from(error.is_timeout());
                ledger.timeouts.fetch_add(timeouts, Ordering::Relaxed);
                Err(error)
            }
        }
    }

    /// Takes what is free, or waits for it.
    async fn taken(&self) -> Result<Object<Keeper<M>>, PoolError<Unopened<M::Error>>> {
        match self.inner.pool.timeout_get(&upkeep::AT_ONCE).await {
            Err(PoolError::Timeout(TimeoutType::Wait)) => {
                let wait = Some(self.config().wait_timeout);
                let timeouts = Timeouts { wait, ..upkeep::AT_ONCE };
                Box::pin(self.inner.pool.timeout_get(&timeouts)).await
            }
            got => got,
        }
    }

    /// Creates idle connections now until there are `min_idle`, and says how many were created:
    /// for a start that is not slow for the first caller.
    ///
    /// Cancel safety: dropping the future leaves those that are in the pool already.
    ///
    /// # Errors
    ///
    /// Fails when a connection cannot be created in time; those created before stay.
    pub async fn warm(&self) -> Result<usize, GetError<M::Error>> {
        upkeep::fill(&self.inner.pool).await
    }

    /// The pool at this moment. The numbers are read one after the other, so under load they may
    /// not add up.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.ledger().read()
    }

    /// Closes the pool for all clones: idle connections now, those in use when they come back;
    /// whoever waits fails with [`GetError::Closed`], and so does every `get` from now on.
    pub fn close(&self) {
        self.inner.pool.close();
        let upkeep = self.inner.upkeep.lock();
        let task = upkeep.unwrap_or_else(PoisonError::into_inner).take();
        drop(task);
    }

    /// Whether [`close`](Self::close) was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.pool.is_closed()
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.pool.manager().config
    }

    /// The manager that creates the connections.
    #[must_use]
    pub fn manager(&self) -> &M {
        &self.inner.pool.manager().manager
    }

    fn ledger(&self) -> &Ledger {
        &self.inner.pool.manager().ledger
    }

    fn explain(&self, error: PoolError<Unopened<M::Error>>) -> GetError<M::Error> {
        let config = self.config();
        match error {
            PoolError::Timeout(TimeoutType::Wait) => GetError::WaitTimeout(config.wait_timeout),
            PoolError::Backend(Unopened::TooSlow)
            | PoolError::PostCreateHook(managed::HookError::Backend(Unopened::TooSlow)) => {
                GetError::CreateTimeout(config.create_timeout)
            }
            PoolError::Backend(Unopened::Failed(error))
            | PoolError::PostCreateHook(managed::HookError::Backend(Unopened::Failed(error))) => {
                GetError::Create(error)
            }
            // The builder sets the runtime and no hooks, and deadpool limits the wait alone, so
            // only `Closed` comes here.
            PoolError::Closed
            | PoolError::NoRuntimeSpecified
            | PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle)
            | PoolError::PostCreateHook(managed::HookError::Message(_)) => GetError::Closed,
        }
    }
}

fn outcome<M: Manager>(got: &Result<Object<Keeper<M>>, GetError<M::Error>>) -> Outcome {
    match got {
        Ok(object) if object.fresh => Outcome::Opened,
        Ok(_) => Outcome::Reused,
        Err(GetError::WaitTimeout(_)) => Outcome::WaitTimeout,
        Err(GetError::CreateTimeout(_) | GetError::CheckTimeout(_)) => Outcome::ConnectTimeout,
        Err(GetError::Create(_)) => Outcome::Failed,
        Err(GetError::Closed) => Outcome::Closed,
    }
}

impl<M: Manager + 'static> Clone for Pool<M> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<M: Manager + 'static> fmt::Debug for Pool<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("stats", &self.stats())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// A connection out of a pool; dropping it gives it back.
pub struct Pooled<M: Manager> {
    object: Object<Keeper<M>>,
}

impl<M: Manager> Pooled<M> {
    /// Gives the connection back as unfit: nobody gets it again.
    pub fn discard(mut self) {
        self.object.discarded = true;
    }
}

impl<M: Manager> Deref for Pooled<M> {
    type Target = M::Type;

    fn deref(&self) -> &M::Type {
        &self.object.value
    }
}

impl<M: Manager> DerefMut for Pooled<M> {
    fn deref_mut(&mut self) -> &mut M::Type {
        &mut self.object.value
    }
}

impl<M: Manager> Drop for Pooled<M> {
    fn drop(&mut self) {
        // deadpool takes the object back right after this.
        self.object.idle_since = Instant::now();
        self.object.change(State::Idle);
    }
}

impl<M: Manager> fmt::Debug for Pooled<M>
where
    M::Type: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pooled").field(&**self).finish()
    }
}

/// Counts a caller that waits.
struct Waiting<'a>(&'a Ledger);

impl<'a> Waiting<'a> {
    fn new(ledger: &'a Ledger) -> Self {
        ledger.moved(None, Some(State::Waiting));
        Self(ledger)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.moved(Some(State::Waiting), None);
    }
}
