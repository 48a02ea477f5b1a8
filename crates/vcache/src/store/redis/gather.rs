//! Reads that tasks make at the same time, joined into one command.

use std::pin::Pin;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use ::redis::{Cmd, Value};
use vtask::Task;

use super::error::again;
use super::generations::Clock;
use crate::store::StoreError;

/// Reads that go by themselves at a time; the next ones are joined.
const ALONE: u32 = 2;
/// Most keys of a batch, and about how many bytes its answer is to have: what is joined is also
/// answered at once.
const MOST: usize = 64;
const BYTES: usize = 256 * 1024;

/// Gathers the reads of each connection.
///
/// A read goes by itself while few are under way: then nothing is to be gained. Else it joins a
/// batch, which is sent as one `MGET` as soon as the tasks that could run when it was opened have
/// run. So nobody waits for a timer or for another's answer, and where many ask, one command, one
/// system call and one timer serve many of them.
///
/// A batch belongs to those who wait for it, and ends with the last of them.
pub(super) struct Gather(Box<[Lane]>);

/// One connection.
pub(super) struct Lane {
    /// Reads under way by themselves.
    alone: AtomicU32,
    /// Most keys of a batch at present.
    most: AtomicUsize,
    open: Mutex<Option<Arc<Batch>>>,
}

/// What Redis has under a key.
pub(super) struct Fetched {
    pub(super) value: Value,
    /// Whether the clock was asked for, and what it said.
    pub(super) asked: bool,
    pub(super) clock: Option<Clock>,
}

/// What Redis has under several keys.
pub(super) struct Several {
    pub(super) values: Vec<Value>,
    /// As in [`Fetched`].
    pub(super) asked: bool,
    pub(super) clock: Option<Clock>,
}

/// Reads that are sent together.
struct Batch {
    state: Mutex<State>,
    task: OnceLock<Task>,
}

struct State {
    command: Cmd,
    /// One for each key.
    waiting: Vec<Option<Waker>>,
    stage: Stage,
}

enum Stage {
    Gathering,
    Sent,
    Answered(Several),
    Failed(Arc<StoreError>),
    /// Its runtime has ended before it was answered.
    Lost,
}

impl Gather {
    /// For so many connections; for none, nothing is joined.
    pub(super) fn new(connections: usize) -> Self {
        let lane = || Lane {
            alone: AtomicU32::new(0),
            most: AtomicUsize::new(MOST),
            open: Mutex::default(),
        };
        Self((0..connections).map(|_| lane()).collect())
    }

    /// The reads of one connection, if they are joined.
    pub(super) fn lane(&self, number: usize) -> Option<&Lane> {
        self.0.get(number)
    }
}

impl Lane {
    /// Leave to go by oneself, if few do.
    pub(super) fn alone(&self) -> Option<Alone<'_>> {
        if self.alone.load(Ordering::Relaxed) >= ALONE {
            return None;
        }
        // A few more do no harm.
        self.alone.fetch_add(1, Ordering::Relaxed);
        Some(Alone(&self.alone))
    }

    /// Takes a place in the batch that is open, or opens one and has it sent.
    pub(super) fn join<F>(&self, entry: &str, send: impl FnOnce(End) -> F) -> Waiting
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut open = self.open();
        let most = self.most.load(Ordering::Relaxed);
        let placed = open.as_ref().and_then(|batch| Some((batch.take(entry, most)?, batch)));
        if let Some((place, batch)) = placed {
            return Waiting { batch: Arc::clone(batch), place };
        }
        let batch = Arc::new(Batch::new(entry));
        // Made here, because a task may end before it begins.
        let end = End { batch: Arc::downgrade(&batch), stage: Stage::Lost };
        let sending = send(end);
        // Nobody else knows the batch yet.
        let _ = batch.task.set(Task::cooperative(|_| sending));
        *open = Some(Arc::clone(&batch));
        Waiting { batch, place: 0 }
    }

    /// Takes no more reads into a batch, once the tasks have run that can; what it is to ask, if
    /// anybody still waits for it.
    pub(super) async fn gathered(&self, end: &End) -> Option<Cmd> {
        after_others().await;
        let batch = end.batch.upgrade()?;
        let mut open = self.open();
        if open.as_ref().is_some_and(|open| Arc::ptr_eq(open, &batch)) {
            *open = None;
        }
        drop(open);
        let mut state = batch.state();
        state.stage = Stage::Sent;
        Some(std::mem::take(&mut state.command))
    }

    /// Batches shrink where values are large.
    pub(super) fn learn(&self, values: &[Value]) {
        let size = |value: &Value| match value {
            Value::BulkString(bytes) => bytes.len(),
            _ => 0,
        };
        let mean = values.iter().map(size).sum::<usize>() / values.len().max(1);
        let most = BYTES.checked_div(mean).unwrap_or(MOST).clamp(1, MOST);
        self.most.store(most, Ordering::Relaxed);
    }

    fn open(&self) -> MutexGuard<'_, Option<Arc<Batch>>> {
        // Nothing in the critical sections panics; a poisoned lock is as good as any.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A read under way by itself.
pub(super) struct Alone<'a>(&'a AtomicU32);

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Lets the tasks run that can.
async fn after_others() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The end of a batch, however it comes.
pub(super) struct End {
    batch: Weak<Batch>,
    stage: Stage,
}

impl End {
    /// Hands out the answer.
    pub(super) fn answered(mut self, answer: Result<Several, StoreError>) {
        self.stage = match answer {
            Ok(several) => Stage::Answered(several),
            Err(error) => Stage::Failed(Arc::new(error)),
        };
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let Some(batch) = self.batch.upgrade() else { return };
        let mut state = batch.state();
        state.stage = std::mem::replace(&mut self.stage, Stage::Lost);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().flatten().for_each(Waker::wake);
    }
}

impl Batch {
    fn new(entry: &str) -> Self {
        let mut command = Cmd::with_capacity(MOST + 2, MOST * (entry.len() + 4));
        command.arg("MGET").arg(entry);
        let mut waiting = Vec::with_capacity(MOST);
        waiting.push(None);
        let state = State { command, waiting, stage: Stage::Gathering };
        Self { state: Mutex::new(state), task: OnceLock::new() }
    }

    /// The place of one more read, if there is room.
    fn take(&self, entry: &str, most: usize) -> Option<usize> {
        let mut state = self.state();
        let place = state.waiting.len();
        if place >= most || !matches!(state.stage, Stage::Gathering) {
            return None;
        }
        state.command.arg(entry);
        state.waiting.push(None);
        Some(place)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in the critical sections panics; a poisoned lock is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who waits for a batch. `None` if nobody will answer it.
pub(super) struct Waiting {
    batch: Arc<Batch>,
    place: usize,
}

impl Future for Waiting {
    type Output = Option<Result<Fetched, StoreError>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let place = self.place;
        let mut state = self.batch.state();
        let State { waiting, stage, .. } = &mut *state;
        Poll::Ready(match stage {
            Stage::Gathering | Stage::Sent => {
                if let Some(waker) = waiting.get_mut(place) {
                    match waker {
                        Some(waker) => waker.clone_from(context.waker()),
                        None => *waker = Some(context.waker().clone()),
                    }
                }
                return Poll::Pending;
            }
            Stage::Answered(Several { values, asked, clock }) => {
                let value = values.get_mut(place);
                let value = value.map_or(Value::Nil, |value| std::mem::replace(value, Value::Nil));
                Some(Ok(Fetched { value, asked: *asked, clock: *clock }))
            }
            Stage::Failed(error) => Some(Err(again(error))),
            Stage::Lost => None,
        })
    }
}
