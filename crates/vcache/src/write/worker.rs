//! The task that writes batches to the source, and what it shares with the callers.

use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use vtask::Backoff;

use super::buffer::{Buffer, Change, Outgoing};
use super::config::WriteBehindConfig;
use super::log::Log;
use super::metrics::WriteMeters;
use crate::error::BoxError;

/// Takes a batch to the source.
pub(super) type Sink<K, V> =
    Box<dyn Fn(Vec<(K, Change<V>)>) -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync>;

/// What callers and the worker share.
pub(super) struct Shared<K, V> {
    pub(super) state: Mutex<State<K, V>>,
    /// One permit for each key that may still become pending.
    pub(super) room: Semaphore,
    /// Something has come, or is to be done at once. The worker alone waits.
    pub(super) wake: Notify,
    /// Somebody waits for what is pending: no pause is to be kept to.
    pub(super) hurry: Notify,
    /// A batch was written.
    pub(super) written: Notify,
    pub(super) log: Option<Log<K, V>>,
    pub(super) meters: WriteMeters,
    pub(super) config: WriteBehindConfig,
}

pub(super) struct State<K, V> {
    pub(super) buffer: Buffer<K, V>,
    /// Up to this place everything is due.
    pub(super) flush: u64,
    /// Keys from another life, more than may be pending: they give no room when they leave.
    pub(super) surplus: usize,
    pub(super) closed: bool,
    pub(super) stats: WriteBehindStats,
}

/// The figures of a [`WriteBehind`](crate::WriteBehind).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct WriteBehindStats {
    /// Keys that are still to be written, those under way included.
    pub pending: usize,
    /// Writes that the source has taken.
    pub written: u64,
    /// Writes that a later one of the same key took the place of.
    pub coalesced: u64,
    /// Batches that the source has taken.
    pub batches: u64,
    /// Batches that it has not.
    pub failures: u64,
    /// What it said the last time, if it has taken nothing since.
    pub last_error: Option<String>,
}

/// What is to be done next.
enum Next<K, V> {
    Write(Vec<Outgoing<K, V>>),
    /// Nothing is due before.
    Wait(Option<Instant>),
    End,
}

impl<K, V> Shared<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(super) fn state(&self) -> MutexGuard<'_, State<K, V>> {
        // Nothing in the critical sections panics; a poisoned lock is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has all that is due tried at once.
    pub(super) fn hasten(&self) {
        self.wake.notify_one();
        self.hurry.notify_one();
    }

    fn next(&self, now: Instant) -> Next<K, V> {
        let state = self.state();
        let Some((place, since)) = state.buffer.oldest() else {
            return if state.closed { Next::End } else { Next::Wait(None) };
        };
        let due = since.checked_add(self.config.interval);
        let full = state.buffer.len() >= self.config.batch;
        if full || place <= state.flush || due.is_some_and(|due| due <= now) {
            return Next::Write(state.buffer.batch(self.config.batch));
        }
        Next::Wait(due)
    }

    /// Hands a batch over; whether the source has taken it.
    async fn deliver(&self, sink: &Sink<K, V>, batch: &[Outgoing<K, V>]) -> bool {
        let writes = batch.iter().map(|write| (write.key.clone(), write.change.clone())).collect();
        // What the closure and its future held is dropped by the panic, and seen by nobody.
        let attempt = AssertUnwindSafe(async move { sink(writes).await }).catch_unwind();
        let error = match timeout(self.config.timeout, attempt).await {
            Ok(Ok(Ok(()))) => return true,
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(_)) => "the writing closure panicked".to_owned(),
            Err(_) => format!("not done within {:?}", self.config.timeout),
        };
        self.meters.failed();
        let mut state = self.state();
        state.stats.failures += 1;
        state.stats.last_error = Some(error);
        false
    }

    /// The source has taken the batch.
    async fn settle(&self, batch: Vec<Outgoing<K, V>>) {
        let writes = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let mut gone = 0;
        {
            let mut state = self.state();
            for write in &batch {
                gone += usize::from(state.buffer.written(&write.key, write.version));
            }
            let surplus = gone.min(state.surplus);
            state.surplus -= surplus;
            gone -= surplus;
            state.stats.written += writes;
            state.stats.batches += 1;
            state.stats.last_error = None;
            self.meters.pending(state.buffer.len());
        }
        self.meters.written(writes);
        self.room.add_permits(gone);
        if let Some(log) = &self.log {
            let written: Vec<_> =
                batch.into_iter().map(|write| (write.key, write.version)).collect();
            log.forget(&written).await;
        }
        self.written.notify_waiters();
    }
}

/// Writes until it is closed and nothing is left.
pub(super) async fn run<K, V>(shared: Arc<Shared<K, V>>, sink: Sink<K, V>)
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    let mut backoff = Backoff::new(shared.config.backoff, shared.config.max_backoff);
    loop {
        match shared.next(Instant::now()) {
            Next::End => break,
            // A wake that comes first is kept.
            Next::Wait(None) => shared.wake.notified().await,
            Next::Wait(Some(due)) => drop(timeout_at(due, shared.wake.notified()).await),
            Next::Write(batch) => {
                if shared.deliver(&sink, &batch).await {
                    backoff.reset();
                    shared.settle(batch).await;
                } else if timeout(backoff.next_wait(), shared.hurry.notified()).await.is_ok() {
                    backoff.reset();
                }
            }
        }
    }
}
