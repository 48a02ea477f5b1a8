//! The same flight for threads: a sync load, and threads that wait for any load.

use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use dashmap::mapref::entry::Entry;
use futures_channel::oneshot;
use futures_util::FutureExt;

use crate::error::LoadError;
use crate::load::circle::{Edge, Group, Inside};
use crate::load::flight::{Ending, Flight, Loads, Ticket, Waiting};

/// What a thread that wants a key does.
enum Part<K: Hash + Eq, V> {
    Load(Lead<K, V>),
    Wait(Receiver<Result<V, LoadError>>, Option<Edge>),
}

/// A thread's own load.
struct Lead<K: Hash + Eq, V> {
    ending: Ending<K, V>,
    /// Keeps the load in the map though no future waits for it.
    _waiting: Waiting<K, V>,
    followers: oneshot::Sender<Result<V, LoadError>>,
    key: K,
    ticket: Ticket,
    /// Kept as long as the load runs, which may be within another.
    _edge: Option<Edge>,
}

impl<K, V> Flight<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Waits for the load of `key` on this thread, running `load` here if none is under way,
    /// async or sync. Needs no runtime. A load that is dropped because no async task waits for
    /// it any longer, or forgotten, is not waited for: this thread then tries again.
    ///
    /// It blocks: an async task that calls it while another task of the same thread loads `key`
    /// waits for ever. Use [`run`](Self::run) there.
    ///
    /// # Errors
    ///
    /// The loader's error, shared by all who waited, or [`LoadError::Recursive`] if this thread
    /// is loading `key` already, or the load of `key` waits for one that this is part of; see
    /// [`LoadError`].
    pub fn run_sync(
        &self,
        key: &K,
        load: impl FnOnce(Ticket) -> Result<V, LoadError>,
    ) -> Result<V, LoadError> {
        self.run_sync_once(key, &mut Some(load))
    }

    /// The same; leaves `load` where it is if another load was under way.
    pub(crate) fn run_sync_once(
        &self,
        key: &K,
        load: &mut Option<impl FnOnce(Ticket) -> Result<V, LoadError>>,
    ) -> Result<V, LoadError> {
        loop {
            match self.part(key)? {
                Part::Load(lead) => {
                    let load = load.take();
                    return lead.fly(|ticket| load.map_or(Err(LoadError::Absent), |it| it(ticket)));
                }
                Part::Wait(result, _edge) => {
                    if let Ok(result) = result.recv() {
                        return result;
                    }
                }
            }
        }
    }

    fn part(&self, key: &K) -> Result<Part<K, V>, LoadError> {
        let here = thread::current().id();
        match self.loads.running.entry(key.clone()) {
            Entry::Occupied(mut entry) => {
                let running = entry.get_mut();
                if running.thread == Some(here) {
                    return Err(LoadError::Recursive);
                }
                let edge = Edge::to(running.ticket.node())?;
                let (sender, receiver) = sync_channel(1);
                running.onlookers.push(sender);
                Ok(Part::Wait(receiver, edge))
            }
            Entry::Vacant(entry) => {
                let (ending, ticket) = (Loads::admit(&self.loads)?, Ticket::new());
                let edge = Edge::to(ticket.node())?;
                let (followers, result) = oneshot::channel();
                // The leader always answers: it catches panics.
                let result = async { result.await.unwrap_or(Err(LoadError::Panicked)) };
                let load = result.boxed().shared();
                let waiting = self.start(entry, ticket.clone(), load, Some(here));
                let key = key.clone();
                let lead = Lead { ending, _waiting: waiting, followers, key, ticket, _edge: edge };
                Ok(Part::Load(lead))
            }
        }
    }
}

impl<K: Hash + Eq, V: Clone> Lead<K, V> {
    fn fly(self, load: impl FnOnce(Ticket) -> Result<V, LoadError>) -> Result<V, LoadError> {
        let ticket = self.ticket.clone();
        let inside = Inside::enter(&Group::from([ticket.node().clone()]));
        // What the closure held is dropped by the panic.
        let result =
            catch_unwind(AssertUnwindSafe(|| load(ticket))).unwrap_or(Err(LoadError::Panicked));
        drop(inside);
        self.ending.with(&self.key, &self.ticket, &result);
        let _ = self.followers.send(result.clone());
        result
    }
}
