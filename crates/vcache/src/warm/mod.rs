//! Filling a cache before it is asked, and keeping it filled.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! use std::time::Duration;
//! use vcache::Cache;
//! use vcache::warm::{Pattern, Warmer};
//!
//! let prices = Cache::<String, u32>::builder().build()?;
//! let popular = Pattern::keys("popular", ["tea".to_owned(), "coffee".to_owned()])
//!     .priority(10)
//!     .ttl(Duration::from_secs(300))
//!     .fill(&prices, |_product| async { Ok::<_, std::io::Error>(199) });
//! let warmer = Warmer::builder()
//!     .pattern(popular)
//!     .interval(Duration::from_secs(240))
//!     .start();
//!
//! let round = warmer.warmed().await; // Before the first request is taken.
//! assert_eq!((round.loaded, round.failed), (2, 0));
//! assert_eq!(prices.get("tea"), Some(199));
//! assert_eq!(warmer.patterns()[0].loaded, 2);
//! warmer.stop().await;
//! # Ok::<(), vcache::BuildError>(())
//! # }).unwrap();
//! ```

mod metrics;
mod pattern;
mod progress;
mod round;
mod stats;
mod target;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use pattern::{Job, Pattern};
pub use progress::{Progress, Watch};
pub use stats::PatternStats;
pub use target::{Target, Warmed};
use tokio::sync::watch;
use tokio::time::Instant;
use vtask::{Stop, Task};

use self::metrics::RoundMeters;
use self::round::{Round, Timed};
use self::stats::Tally;

/// Builds a [`Warmer`].
#[derive(Debug)]
#[must_use = "a builder does nothing until `start` is called"]
pub struct WarmerBuilder {
    name: Cow<'static, str>,
    jobs: Vec<Job>,
    interval: Option<Duration>,
    concurrency: usize,
    timeout: Duration,
}

impl WarmerBuilder {
    /// Its name in logs and metrics. Default: `warm`.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Adds keys to warm. Patterns of higher priority go first, equals in this order.
    pub fn pattern(mut self, job: Job) -> Self {
        self.jobs.push(job);
        self
    }

    /// How long after the beginning of a round the next begins, at the earliest when it has
    /// ended; for patterns that have no interval of their own. Default: none, one round only. Take
    /// less than the TTLs, and what was warmed stays so: what would expire before the next round
    /// is fetched in this one. Under a millisecond counts as one.
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Most fetches at once. Default: 8; zero counts as one. It bounds the load on the source.
    pub const fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// How long one fetch, or one making of keys, may take; it counts as failed then. Default:
    /// one minute.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Starts the first round on the current tokio runtime. Each round is logged when it is over,
    /// and each pattern that had failures, with the last of them.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub fn start(mut self) -> Warmer {
        self.jobs.sort_by_key(|job| Reverse(job.priority));
        let tally = |job: &Job| Arc::new(Tally::new(&self.name, job.name.clone(), job.priority));
        let tallies: Arc<[_]> = self.jobs.iter().map(tally).collect();
        let (tell, progress) = watch::channel(Progress::default());
        let counted = Arc::clone(&tallies);
        let task = Task::cooperative(|stop| self.run(stop, tell, counted));
        Warmer { task, progress, tallies }
    }

    async fn run(self, stop: Stop, tell: watch::Sender<Progress>, tallies: Arc<[Arc<Tally>]>) {
        let Self { name, jobs, interval, concurrency, timeout } = self;
        let meters = RoundMeters::new(&name);
        let round = Round { warmer: &name, tell: &tell, concurrency, timeout };
        let first = Some(Instant::now());
        let timed = |(job, tally): (Job, &Arc<Tally>)| {
            let stay = job.interval.or(interval).map(|every| every.max(Duration::from_millis(1)));
            let stay = stay.unwrap_or_default();
            Timed { job, stay, due: first, tally: Arc::clone(tally) }
        };
        let mut jobs: Vec<Timed> = jobs.into_iter().zip(tallies.iter()).map(timed).collect();
        let mut next = first;
        while let Some(due) = next {
            if stop.or(tokio::time::sleep_until(due)).await.is_none() {
                return;
            }
            let began = Instant::now();
            if stop.or(round.run(&jobs, began)).await.is_none() {
                return;
            }
            meters.ended(began.elapsed());
            next = plan(&mut jobs, began);
        }
    }
}

/// When what was due at `began` is due again, and when the next of all is.
fn plan(jobs: &mut [Timed], began: Instant) -> Option<Instant> {
    for timed in jobs.iter_mut().filter(|timed| timed.due.is_some_and(|due| due <= began)) {
        // Beyond what the clock can say is never.
        let again = Some(timed.stay).filter(|stay| !stay.is_zero());
        timed.due = again.and_then(|stay| began.checked_add(stay));
    }
    jobs.iter().filter_map(|timed| timed.due).min()
}

/// Warms caches, as long as somebody holds it. Dropping it ends the round under way.
#[must_use = "dropping a warmer stops it"]
pub struct Warmer {
    task: Task,
    progress: watch::Receiver<Progress>,
    tallies: Arc<[Arc<Tally>]>,
}

impl Warmer {
    /// Starts building a warmer.
    pub const fn builder() -> WarmerBuilder {
        WarmerBuilder {
            name: Cow::Borrowed("warm"),
            jobs: Vec::new(),
            interval: None,
            concurrency: 8,
            timeout: Duration::from_secs(60),
        }
    }

    /// The barrier at start-up: waits until the first round is over, at once if it is, and gives
    /// the progress by then. What could not be fetched is counted there; put a time limit around
    /// it if the source may be away.
    ///
    /// Cancel safety: nothing is lost when it is dropped.
    pub async fn warmed(&self) -> Progress {
        let mut watch = self.watch();
        while let Some(progress) = watch.next().await {
            if progress.rounds > 0 {
                return progress;
            }
        }
        self.progress()
    }

    /// How far the round under way is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// Follows the progress.
    pub fn watch(&self) -> Watch {
        Watch::new(self.progress.clone())
    }

    /// The figures of each pattern, those of higher priority first.
    #[must_use]
    pub fn patterns(&self) -> Vec<PatternStats> {
        self.tallies.iter().map(|tally| tally.read()).collect()
    }

    /// Ends the round under way, at its next `await`, and waits until it has.
    ///
    /// Cancel safety: a dropped `stop` ends it too.
    pub async fn stop(self) {
        self.task.stop().await;
    }
}

impl fmt::Debug for Warmer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Warmer").field("progress", &self.progress()).finish_non_exhaustive()
    }
}
