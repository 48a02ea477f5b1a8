//! The task that writes batches to the source, and what it shares with the callers.

use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};
use vtask::Backoff;

use super::buffer::{Buffer, Change, Left, Outgoing};
use super::config::WriteBehindConfig;
use super::log::Log;
use super::metrics::WriteMeters;
use super::room::{Room, Surplus};
use crate::error::BoxError;

/// Takes a batch to the source.
pub(super) type Sink<K, V> =
    Box<dyn Fn(Vec<(K, Change<V>)>) -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync>;

/// Takes what the source never took.
pub(super) type DeadLetters<K, V> =
    Box<dyn Fn(DeadLetter<K, V>) -> BoxFuture<'static, ()> + Send + Sync>;

/// Hears of keys whose write was given up.
pub(super) type Abandoned<K> = Box<dyn Fn(&K) + Send + Sync>;

/// A write that the source has not taken however often it was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter<K, V> {
    /// The key.
    pub key: K,
    /// What was to become of it.
    pub change: Change<V>,
    /// How often it was tried alone.
    pub attempts: u32,
    /// What the source said the last time.
    pub error: String,
}

/// What callers and the worker share.
pub(super) struct Shared<K, V> {
    pub(super) state: Mutex<State<K, V>>,
    pub(super) room: Room<K, V>,
    /// Something has come, or is to be done at once. The worker alone waits.
    pub(super) wake: Notify,
    /// A batch was written, or a write given up.
    pub(super) written: Notify,
    pub(super) log: Option<Log<K, V>>,
    pub(super) dead_letters: Option<DeadLetters<K, V>>,
    pub(super) abandoned: Option<Abandoned<K>>,
    pub(super) meters: WriteMeters,
    pub(super) config: WriteBehindConfig,
}

pub(super) struct State<K, V> {
    pub(super) buffer: Buffer<K, V>,
    /// Up to this place everything is due.
    pub(super) flush: u64,
    pub(super) surplus: Surplus,
    pub(super) closed: bool,
    /// The pace of batches, and of writes that failed alone: if the source is away both fail, and
    /// if not, the others do not wait for what it never takes.
    pub(super) batches: Pace,
    pub(super) suspects: Pace,
    pub(super) stats: WriteBehindStats,
}

/// Waits that grow from failure to failure.
pub(super) struct Pace {
    waits: Backoff,
    until: Option<Instant>,
}

impl Pace {
    pub(super) fn new(config: &WriteBehindConfig) -> Self {
        Self { waits: Backoff::new(config.backoff, config.max_backoff), until: None }
    }

    fn failed(&mut self) {
        self.until = Instant::now().checked_add(self.waits.next_wait());
    }

    fn reset(&mut self) {
        self.waits.reset();
        self.until = None;
    }

    /// When something may go that is due at `due`.
    fn after(&self, due: Instant) -> Instant {
        self.until.map_or(due, |until| until.max(due))
    }
}

impl<K, V> State<K, V> {
    fn resume(&mut self) {
        self.batches.reset();
        self.suspects.reset();
    }
}

/// The figures of a [`WriteBehind`](crate::WriteBehind).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct WriteBehindStats {
    /// Keys that are still to be written, those under way included.
    pub pending: usize,
    /// What their writes weigh, in bytes.
    pub pending_size: u64,
    /// Writes that the source has taken.
    pub written: u64,
    /// Writes that a later one of the same key took the place of.
    pub coalesced: u64,
    /// Writes that were given up.
    pub dead: u64,
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
    /// One that has failed alone before.
    Retry(Outgoing<K, V>),
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
        let mut state = self.state();
        state.buffer.hasten(Instant::now());
        state.resume();
        drop(state);
        self.wake.notify_one();
    }

    /// A batch of at most so many keys if one is due, or one write that failed before; the other
    /// of both than the last time if both are.
    fn next(&self, now: Instant, most: usize, retried: bool) -> Next<K, V> {
        let (state, config) = (self.state(), &self.config);
        if state.closed && state.buffer.len() == 0 {
            return Next::End;
        }
        let due = state.buffer.oldest().and_then(|(place, since)| {
            let (keys, bytes) = (state.buffer.ready(), state.buffer.weight());
            let full = keys >= config.batch || bytes >= config.batch_size;
            let at_once = full || place <= state.flush;
            let due = if at_once { Some(now) } else { since.checked_add(config.interval) };
            due.map(|due| state.batches.after(due))
        });
        let ripe = state.buffer.ripe().map(|ripe| state.suspects.after(ripe));
        let is_over = |time: Option<Instant>| time.is_some_and(|time| time <= now);
        if is_over(ripe)
            && !(retried && is_over(due))
            && let Some(write) = state.buffer.suspect(now)
        {
            return Next::Retry(write);
        }
        if is_over(due) {
            return Next::Write(state.buffer.batch(most, config.batch_size));
        }
        Next::Wait(due.into_iter().chain(ripe).min())
    }

    /// Hands a batch over; if the source has not taken it, what it said.
    async fn deliver(&self, sink: &Sink<K, V>, batch: &[Outgoing<K, V>]) -> Result<(), String> {
        let writes = batch.iter().map(|write| (write.key.clone(), write.change.clone())).collect();
        // What the closure and its future held is dropped by the panic, and seen by nobody.
        let attempt = AssertUnwindSafe(async move { sink(writes).await }).catch_unwind();
        let error = match timeout(self.config.timeout, attempt).await {
            Ok(Ok(Ok(()))) => return Ok(()),
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(_)) => "the writing closure panicked".to_owned(),
            Err(_) => format!("not done within {:?}", self.config.timeout),
        };
        self.meters.failed();
        let mut state = self.state();
        state.stats.failures += 1;
        state.stats.last_error = Some(error.clone());
        Err(error)
    }

    /// Hands a batch over and does what follows; if it failed, how many writes it had.
    async fn attempt(
        &self,
        sink: &Sink<K, V>,
        mut batch: Vec<Outgoing<K, V>>,
    ) -> Result<(), usize> {
        let Err(error) = self.deliver(sink, &batch).await else {
            self.settle(batch).await;
            return Ok(());
        };
        let writes = batch.len();
        if writes == 1
            && let Some(write) = batch.pop()
        {
            self.blame(write, error).await;
        }
        Err(writes)
    }

    /// The source has taken the batch.
    async fn settle(&self, batch: Vec<Outgoing<K, V>>) {
        let writes = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        {
            let mut state = self.state();
            state.stats.written += writes;
            state.stats.batches += 1;
            state.stats.last_error = None;
            state.resume();
        }
        self.meters.written(writes);
        self.leave(batch).await;
    }

    /// Nothing is to come of these writes any longer.
    async fn leave(&self, batch: Vec<Outgoing<K, V>>) {
        let gone: Vec<Left<K, V>> = {
            let mut state = self.state();
            let State { buffer, surplus, .. } = &mut *state;
            let written = |write: &Outgoing<K, V>| {
                let gone = buffer.written(&write.key, write.version)?;
                self.room.leave(gone.weight, surplus);
                Some(gone)
            };
            let gone = batch.iter().filter_map(written).collect();
            self.meters.pending(state.buffer.len(), state.buffer.weight());
            gone
        };
        // Under no lock: what is dropped is the caller's.
        drop(gone);
        if let Some(log) = &self.log {
            let written: Vec<_> =
                batch.into_iter().map(|write| (write.key, write.version)).collect();
            log.forget(&written).await;
        }
        self.written.notify_waiters();
    }

    /// The source has not taken a write that came alone: it waits, and the others go on; or it
    /// has been tried often enough.
    async fn blame(&self, write: Outgoing<K, V>, error: String) {
        let attempts = self.state().buffer.failed(&write.key, write.version);
        // Something newer has come, which may fare better.
        let Some(attempts) = attempts else { return };
        if self.config.max_attempts.is_some_and(|most| attempts >= most)
            && self.give_up(&write, attempts, error).await
        {
            self.meters.dead();
            self.state().stats.dead += 1;
            let key = write.key.clone();
            self.leave(vec![write]).await;
            if let Some(abandoned) = &self.abandoned {
                abandoned(&key);
            }
            return;
        }
        let mut waits = Backoff::new(self.config.backoff, self.config.max_backoff);
        let wait = (0..attempts.min(32)).map(|_| waits.next_wait()).last().unwrap_or_default();
        if let Some(until) = Instant::now().checked_add(wait) {
            self.state().buffer.set_aside(&write.key, until);
        }
    }

    /// Hands a write to the one who takes dead letters; whether that worked.
    async fn give_up(&self, write: &Outgoing<K, V>, attempts: u32, error: String) -> bool {
        let Some(dead_letters) = &self.dead_letters else { return false };
        let (key, change) = (write.key.clone(), write.change.clone());
        let letter = DeadLetter { key, change, attempts, error };
        let taken = AssertUnwindSafe(async move { dead_letters(letter).await }).catch_unwind();
        matches!(timeout(self.config.timeout, taken).await, Ok(Ok(())))
    }
}

/// Writes until it is closed and nothing is left.
///
/// A batch that fails is halved at once, until a part of it is taken or one write is left that is
/// not; so a source that is away is asked a few times, and then after waits that grow.
pub(super) async fn run<K, V>(shared: Arc<Shared<K, V>>, sink: Sink<K, V>)
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    let (mut most, mut retried) = (shared.config.batch, false);
    loop {
        match shared.next(Instant::now(), most, retried) {
            Next::End => break,
            // A wake that comes first is kept.
            Next::Wait(None) => shared.wake.notified().await,
            Next::Wait(Some(due)) => drop(timeout_at(due, shared.wake.notified()).await),
            Next::Retry(write) => {
                retried = true;
                if shared.attempt(&sink, vec![write]).await.is_err() {
                    shared.state().suspects.failed();
                }
            }
            Next::Write(batch) => {
                retried = false;
                match shared.attempt(&sink, batch).await {
                    Ok(()) => most = most.saturating_mul(2).min(shared.config.batch),
                    Err(1) => shared.state().batches.failed(),
                    Err(writes) => most = writes / 2,
                }
            }
        }
    }
}
