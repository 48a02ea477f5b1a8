//! Write-behind: acknowledge now, write to the source later and in batches.

use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hashbrown::Equivalent;
use tokio::time::{Instant, timeout_at};
use vtask::Task;

use super::buffer::Change;
use super::error::WriteError;
use super::log::{Entry, Promise};
use super::room::{Given, Lack};
use super::worker::{Shared, WriteBehindStats};

/// Takes writes now and brings them to the source later, in batches. Cloning gives another handle
/// to the same.
///
/// - **One write per key**: a later one takes the place of one that is still pending, so that the
///   source sees the last only. Writes of one key reach it in their order.
/// - **Batches** go, one after the other, when [`batch`](crate::WriteBehindConfig::batch) keys are
///   pending, when the oldest has waited for [`interval`](crate::WriteBehindConfig::interval), and
///   on [`flush`](Self::flush) and [`close`](Self::close).
/// - **A source that fails**, panics or takes too long gets the same keys again, for as long as it
///   takes: a batch by halves at once, and what fails alone after a wait that grows, while
///   the others go on. So the source may see a write twice, and must not mind. With
///   [`max_attempts`](crate::WriteBehindConfig::max_attempts) a write that never succeeds is
///   handed to [`dead_letters`](crate::WriteBehindBuilder::dead_letters).
/// - **Bounded**: at most [`max_pending`](crate::WriteBehindConfig::max_pending) keys and
///   [`max_pending_size`](crate::WriteBehindConfig::max_pending_size) bytes; what is more
///   waits or is refused. Nothing that was acknowledged is dropped for another.
/// - **Acknowledged** means in memory, lost with the process; with a
///   [journal](crate::WriteBehindBuilder::journal) it means committed to disk, and a killed process
///   finds it there in its next life and writes it then.
/// - **Dropping** the last handle abandons what is pending; [`close`](Self::close) first.
///
/// Who reads the source meanwhile sees what it has; [`pending`](Self::pending) tells what it will
/// have. A [`WriteBack`](crate::WriteBack) is one in front of a [`Cache`](crate::Cache), whose
/// readers always see what is pending.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use std::time::Duration;
/// use vcache::{Change, WriteBehind};
///
/// let counts = WriteBehind::builder(|batch: Vec<(String, Change<u64>)>| async move {
///     // One statement for all of them.
///     # drop(batch);
///     Ok::<_, std::io::Error>(())
/// })
/// .build()?;
/// counts.put("/".to_owned(), 1).await?;
/// counts.put("/".to_owned(), 2).await?;
/// let report = counts.close(Duration::from_secs(10)).await;
/// assert_eq!((report.written, report.left), (1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct WriteBehind<K, V> {
    owner: Arc<Owner<K, V>>,
}

struct Owner<K, V> {
    shared: Arc<Shared<K, V>>,
    /// Ended by dropping it.
    task: Mutex<Option<Task>>,
}

/// A write that is about to be taken.
struct Taking<'a, K, V> {
    key: K,
    change: Change<V>,
    weight: u64,
    given: Given<'a>,
    entry: Option<Entry>,
}

enum Placed<'a, K, V> {
    /// It is pending as this version, and acknowledged when the journal has it.
    Pending(u64, Option<Promise>),
    NoRoom(Taking<'a, K, V>, Lack),
}

/// How closing went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteReport {
    /// Writes that the source has taken while closing.
    pub written: u64,
    /// Keys that it has not taken, or not in time. In the journal if there is one, lost if not.
    pub left: usize,
}

impl<K, V> WriteBehind<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(super) fn from_parts(shared: Arc<Shared<K, V>>, task: Task) -> Self {
        Self { owner: Arc::new(Owner { shared, task: Mutex::new(Some(task)) }) }
    }

    /// Has `key` set to `value` in the source, later.
    ///
    /// Cancel safety: a dropped future has taken the write or not.
    ///
    /// # Errors
    ///
    /// See [`WriteError`].
    pub async fn put(&self, key: K, value: V) -> Result<(), WriteError> {
        self.take(key, Change::Put(value), |_| ()).await
    }

    /// Has `key` removed from the source, later.
    ///
    /// Cancel safety: a dropped future has taken the removal or not.
    ///
    /// # Errors
    ///
    /// See [`WriteError`].
    pub async fn remove(&self, key: K) -> Result<(), WriteError> {
        self.take(key, Change::Remove, |_| ()).await
    }

    /// What is still to be written for `key`.
    #[must_use]
    pub fn pending<Q>(&self, key: &Q) -> Option<Change<V>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.owner.shared.state().buffer.get(key).cloned()
    }

    /// Waits until the source has all that was taken before, however long it fails, or it was
    /// given up. Nothing newer has to be there. Where the writer waits because of a failure, it tries at once.
    ///
    /// Cancel safety: when dropped, what was pending is written at once all the same.
    pub async fn flush(&self) {
        let shared = &self.owner.shared;
        let newest = {
            let mut state = shared.state();
            state.flush = state.buffer.newest();
            state.flush
        };
        shared.hasten();
        loop {
            let written = shared.written.notified();
            let owed = shared.state().buffer.owed();
            if owed.is_none_or(|place| place > newest) {
                return;
            }
            written.await;
        }
    }

    /// Takes no more writes, writes what is pending for at most `deadline`, and ends. It tries at
    /// once, however long the writer would have waited because of a failure. A journal that has
    /// not committed all by then goes on with it behind; calling again waits for that.
    ///
    /// Cancel safety: a dropped future has closed the writer; dropping the last handle or calling
    /// again ends it.
    pub async fn close(&self, deadline: Duration) -> WriteReport {
        let shared = &self.owner.shared;
        let before = {
            let mut state = shared.state();
            state.closed = true;
            state.flush = u64::MAX;
            state.stats.written
        };
        shared.room.close();
        shared.hasten();
        let end = Instant::now().checked_add(deadline);
        let task = self.owner.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut task) = task {
            // Where the time is over, dropping the task ends it.
            let _ = until(end, task.wait()).await;
        }
        if let Some(log) = &shared.log {
            let _ = until(end, log.close()).await;
        }
        let state = shared.state();
        WriteReport { written: state.stats.written - before, left: state.buffer.len() }
    }

    /// The figures since it was built.
    #[must_use]
    pub fn stats(&self) -> WriteBehindStats {
        let state = self.owner.shared.state();
        let (pending, pending_size) = (state.buffer.len(), state.buffer.weight());
        WriteBehindStats { pending, pending_size, ..state.stats.clone() }
    }

    pub(super) fn shared(&self) -> &Arc<Shared<K, V>> {
        &self.owner.shared
    }

    /// Takes a write; `placed` is told of its version as soon as it is pending, before anything is
    /// waited for.
    pub(super) async fn take(
        &self,
        key: K,
        change: Change<V>,
        placed: impl FnOnce(u64),
    ) -> Result<(), WriteError> {
        let shared = &self.owner.shared;
        let weight = shared.room.weigh(&key, &change);
        let mut given = Given::default();
        // Before the journal's: who waits for the source must not stand in the way of those who
        // need no room.
        while let Some(lack) = {
            let before = shared.state().buffer.weight_of(&key);
            shared.room.lack(before, weight, &given)
        } {
            shared.room.give(&mut given, lack, &shared.meters).await?;
        }
        let entry = match &shared.log {
            Some(log) => Some(log.entry(&key, &change).await?),
            None => None,
        };
        let mut write = Taking { key, change, weight, given, entry };
        let (version, promise) = loop {
            match self.place(write)? {
                Placed::Pending(version, promise) => break (version, promise),
                // What was pending for the key has been written meanwhile, or replaced.
                Placed::NoRoom(mut back, lack) => {
                    shared.room.give(&mut back.given, lack, &shared.meters).await?;
                    write = back;
                }
            }
        };
        placed(version);
        shared.wake.notify_one();
        match promise {
            Some(promise) => promise.kept().await,
            None => Ok(()),
        }
    }

    fn place<'a>(&self, write: Taking<'a, K, V>) -> Result<Placed<'a, K, V>, WriteError> {
        let shared = &self.owner.shared;
        let mut state = shared.state();
        if state.closed {
            // Not under the lock: what the write holds is the caller's.
            drop(state);
            return Err(WriteError::Closed);
        }
        let before = state.buffer.weight_of(&write.key);
        if let Some(lack) = shared.room.lack(before, write.weight, &write.given) {
            return Ok(Placed::NoRoom(write, lack));
        }
        let Taking { key, change, weight, given, entry } = write;
        shared.room.take(before, weight, given, &mut state.surplus);
        let (version, replaced) = state.buffer.put(key, change, weight, Instant::now());
        if replaced.is_some() {
            state.stats.coalesced += 1;
            shared.meters.coalesced();
        }
        shared.meters.pending(state.buffer.len(), state.buffer.weight());
        // Under the lock, so that the journal's order is that of the versions.
        let promise = match (&shared.log, entry) {
            (Some(log), Some(entry)) => Some(log.append(entry, version)),
            _ => None,
        };
        drop(state);
        drop(replaced);
        Ok(Placed::Pending(version, promise))
    }
}

/// What comes of `future`, if it does until then; never is for ever.
async fn until<F: Future>(end: Option<Instant>, future: F) -> Option<F::Output> {
    match end {
        Some(end) => timeout_at(end, future).await.ok(),
        None => Some(future.await),
    }
}

impl<K, V> Clone for WriteBehind<K, V> {
    fn clone(&self) -> Self {
        Self { owner: Arc::clone(&self.owner) }
    }
}

impl<K, V> fmt::Debug for WriteBehind<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteBehind")
            .field("config", &self.owner.shared.config)
            .finish_non_exhaustive()
    }
}
