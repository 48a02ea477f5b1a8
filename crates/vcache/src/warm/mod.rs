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
//!     .fetch(|_product| async { Ok::<_, std::io::Error>(199) });
//! let warmer = Warmer::builder(prices.clone())
//!     .pattern(popular)
//!     .interval(Duration::from_secs(240))
//!     .start();
//!
//! let round = warmer.warmed().await; // Before the first request is taken.
//! assert_eq!((round.loaded, round.failed), (2, 0));
//! assert_eq!(prices.get("tea"), Some(199));
//! warmer.stop().await;
//! # Ok::<(), vcache::BuildError>(())
//! # }).unwrap();
//! ```

mod pattern;
mod progress;
mod round;

use std::fmt;
use std::hash::Hash;
use std::time::Duration;

pub use pattern::{Fetching, Pattern};
pub use progress::{Progress, Watch};
use tokio::sync::watch;
use tokio::time::Instant;
use vtask::{Stop, Task};

use self::round::Round;
use crate::cache::Cache;

/// Builds a [`Warmer`].
#[must_use = "a builder does nothing until `start` is called"]
pub struct WarmerBuilder<K, V> {
    cache: Cache<K, V>,
    patterns: Vec<Fetching<K, V>>,
    interval: Option<Duration>,
    concurrency: usize,
    timeout: Duration,
}

impl<K, V> WarmerBuilder<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Adds keys to warm. Patterns of higher priority go first, equals in this order.
    pub fn pattern(mut self, pattern: Fetching<K, V>) -> Self {
        self.patterns.push(pattern);
        self
    }

    /// How long after the beginning of a round the next begins, at the earliest when it has
    /// ended. Default: none, one round only. Take less than the TTLs, and what was warmed stays
    /// so: what would expire before the next round is fetched in this one. Under a millisecond
    /// counts as one.
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

    /// Starts the first round on the current tokio runtime.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub fn start(mut self) -> Warmer {
        self.patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.priority));
        let (tell, progress) = watch::channel(Progress::default());
        let task = Task::cooperative(|stop| self.run(stop, tell));
        Warmer { task, progress }
    }

    async fn run(self, stop: Stop, tell: watch::Sender<Progress>) {
        let Self { cache, patterns, interval, concurrency, timeout } = self;
        loop {
            let began = Instant::now();
            let until_next = interval.unwrap_or_default();
            let round = Round { cache: &cache, tell: &tell, concurrency, timeout, until_next };
            if stop.or(round.run(&patterns)).await.is_none() {
                return;
            }
            let Some(interval) = interval else { return };
            // Beyond what the clock can say is never.
            let next = began.checked_add(interval.max(Duration::from_millis(1)));
            let Some(next) = next else { return };
            if stop.or(tokio::time::sleep_until(next)).await.is_none() {
                return;
            }
        }
    }
}

/// Warms a cache, as long as somebody holds it. Dropping it ends the round under way.
#[derive(Debug)]
#[must_use = "dropping a warmer stops it"]
pub struct Warmer {
    task: Task,
    progress: watch::Receiver<Progress>,
}

impl Warmer {
    /// Starts building a warmer for `cache`.
    pub const fn builder<K, V>(cache: Cache<K, V>) -> WarmerBuilder<K, V>
    where
        K: Hash + Eq + Clone + Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        WarmerBuilder {
            cache,
            patterns: Vec::new(),
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

    /// Ends the round under way, at its next `await`, and waits until it has.
    ///
    /// Cancel safety: a dropped `stop` ends it too.
    pub async fn stop(self) {
        self.task.stop().await;
    }
}

impl<K, V> fmt::Debug for WarmerBuilder<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WarmerBuilder")
            .field("patterns", &self.patterns)
            .field("interval", &self.interval)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}
