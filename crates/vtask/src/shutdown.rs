//! Orderly shutdown: one beginning, many watchers, a count of what is in flight, a deadline.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The owner's side of a shutdown.
///
/// [`begin`](Self::begin) starts the drain: watchers stop taking new work and finish what they
/// have. [`finish`](Self::finish) waits for that, but no longer than the deadline. Clones are the
/// same shutdown.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
/// # runtime.block_on(async {
/// use std::time::Duration;
/// use vtask::{Shutdown, Task};
///
/// let shutdown = Shutdown::new(Duration::from_secs(30));
/// let watcher = shutdown.watch();
/// let guard = watcher.guard();
/// let worker = Task::cooperative(|_| async move {
///     watcher.draining().await;
///     drop(guard); // The last request is answered.
/// });
///
/// shutdown.begin();
/// let report = shutdown.finish().await;
/// assert!(report.drained);
/// # drop(worker);
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct Shutdown {
    state: Arc<State>,
}

/// The side of a shutdown that workers hold; cheap to clone.
#[derive(Debug, Clone)]
pub struct Watcher {
    state: Arc<State>,
}

/// One thing in flight; the drain waits until it is dropped.
#[derive(Debug)]
#[must_use = "the drain does not wait for a guard that is dropped"]
pub struct InFlight {
    _token: TaskTrackerToken,
}

/// How a shutdown went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Whether everything in flight ended before the deadline.
    pub drained: bool,
    /// How many things were still in flight at the deadline.
    pub left: usize,
    /// From the beginning of the drain to its end.
    pub took: Duration,
}

#[derive(Debug)]
struct State {
    deadline: Duration,
    /// When the drain began; set before `draining` is cancelled.
    begun: OnceLock<Instant>,
    draining: CancellationToken,
    expired: CancellationToken,
    in_flight: TaskTracker,
}

impl Shutdown {
    /// A shutdown whose drain lasts at most `deadline`.
    #[must_use]
    pub fn new(deadline: Duration) -> Self {
        let state = State {
            deadline,
            begun: OnceLock::new(),
            draining: CancellationToken::new(),
            expired: CancellationToken::new(),
            in_flight: TaskTracker::new(),
        };
        Self { state: Arc::new(state) }
    }

    /// A watcher for one more worker.
    #[must_use]
    pub fn watch(&self) -> Watcher {
        Watcher { state: self.state.clone() }
    }

    /// Begins the drain; the deadline counts from the first call.
    pub fn begin(&self) {
        self.state.begun.get_or_init(Instant::now);
        self.state.draining.cancel();
    }

    /// Ends the drain now, as if the deadline had passed.
    pub fn expire(&self) {
        self.begin();
        self.state.expired.cancel();
    }

    /// Begins the drain if nobody has, and waits until nothing is in flight or the deadline has
    /// passed.
    ///
    /// Cancel safety: a dropped `finish` leaves the drain going on and can be called again.
    pub async fn finish(&self) -> Report {
        self.begin();
        self.state.in_flight.close();
        let drained = self.state.in_flight.wait();
        let drained = self.state.unless_expired(drained).await.is_some();
        Report {
            drained,
            left: if drained { 0 } else { self.state.in_flight.len() },
            took: self.state.begun().elapsed(),
        }
    }
}

impl Watcher {
    /// Resolves when the drain begins, at once if it has.
    ///
    /// Cancel safety: nothing is lost when it is dropped.
    pub async fn draining(&self) {
        self.state.draining.cancelled().await;
    }

    /// Whether the drain has begun; one atomic load.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.state.begun.get().is_some()
    }

    /// Resolves when the drain has lasted as long as it may, at once if it has.
    ///
    /// Cancel safety: nothing is lost when it is dropped.
    pub async fn deadline_passed(&self) {
        self.draining().await;
        let never = std::future::pending::<()>();
        self.state.unless_expired(never).await;
    }

    /// Resolves when the drain has begun and nothing is in flight any more, or it has lasted as long
    /// as it may; at once if that is so. For who has to stay for others' work, such as the thread on
    /// whose runtime it goes on.
    ///
    /// Cancel safety: nothing is lost when it is dropped.
    pub async fn finished(&self) {
        self.draining().await;
        self.state.in_flight.close();
        self.state.unless_expired(self.state.in_flight.wait()).await;
    }

    /// Counts one thing in flight until the guard is dropped; also after the drain began.
    pub fn guard(&self) -> InFlight {
        InFlight { _token: self.state.in_flight.token() }
    }

    /// How many things are in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.state.in_flight.len()
    }
}

impl State {
    fn begun(&self) -> Instant {
        self.begun.get().copied().unwrap_or_else(Instant::now)
    }

    /// Runs `future` until the drain has lasted as long as it may.
    async fn unless_expired<F: Future>(&self, future: F) -> Option<F::Output> {
        // A deadline that no clock reaches is none.
        let due = self.begun().checked_add(self.deadline);
        let in_time = async {
            match due {
                Some(due) => timeout_at(due, future).await.ok(),
                None => Some(future.await),
            }
        };
        self.expired.run_until_cancelled(in_time).await.flatten()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (took, left) = (self.took, self.left);
        if self.drained {
            write!(f, "drained in {took:.1?}")
        } else {
            write!(f, "stopped after {took:.1?} with {left} still in flight")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn the_drain_ends_with_the_last_guard() {
        let shutdown = Shutdown::new(DEADLINE);
        let guard = shutdown.watch().guard();
        assert_eq!(shutdown.watch().in_flight(), 1);
        let (report, ()) = tokio::join!(shutdown.finish(), async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            drop(guard);
        });
        assert_eq!(report, Report { drained: true, left: 0, took: Duration::from_secs(2) });
        assert_eq!(report.to_string(), "drained in 2.0s");
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_counts_from_the_beginning() {
        let shutdown = Shutdown::new(DEADLINE);
        let _guards = [(); 2].map(|()| shutdown.watch().guard());
        shutdown.begin();
        tokio::time::advance(Duration::from_secs(10)).await;
        shutdown.begin();
        let report = shutdown.finish().await;
        assert_eq!((report.drained, report.left), (false, 2));
        assert_eq!(report.took, DEADLINE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_watcher_sees_the_end_too() {
        let shutdown = Shutdown::new(DEADLINE);
        let (watcher, guard) = (shutdown.watch(), shutdown.watch().guard());
        let early = tokio::time::timeout(DEADLINE * 9, watcher.finished()).await;
        assert!(early.is_err(), "it has not begun");
        shutdown.begin();
        let before = Instant::now();
        let ends = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            drop(guard);
        };
        tokio::join!(watcher.finished(), ends);
        assert_eq!(before.elapsed(), Duration::from_secs(2));
        let _late = watcher.guard();
        watcher.finished().await;
        assert_eq!(before.elapsed(), DEADLINE);
    }

    #[tokio::test(start_paused = true)]
    async fn watchers_see_the_beginning_and_the_deadline() {
        let shutdown = Shutdown::new(DEADLINE);
        let watcher = shutdown.watch();
        let early = tokio::time::timeout(DEADLINE * 9, watcher.deadline_passed()).await;
        assert!(early.is_err() && !watcher.is_draining());
        shutdown.begin();
        watcher.draining().await;
        assert!(watcher.is_draining());
        let before = Instant::now();
        watcher.deadline_passed().await;
        assert_eq!(before.elapsed(), DEADLINE);
    }

    #[tokio::test(start_paused = true)]
    async fn an_expired_drain_ends_at_once() {
        let shutdown = Shutdown::new(Duration::MAX);
        let _guard = shutdown.watch().guard();
        shutdown.expire();
        let report = shutdown.finish().await;
        assert_eq!((report.left, report.took), (1, Duration::ZERO));
        shutdown.watch().deadline_passed().await;
    }
}
