//! One round of warming.

use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::watch;
use tokio::time::Instant;

use super::pattern::{Errands, Job};
use super::progress::Progress;
use super::stats::{Tally, said};
use super::target::Warmed;
use crate::error::BoxError;

/// A job, when it is due, and what came of it.
pub(super) struct Timed {
    pub(super) job: Job,
    /// How long after the beginning of one round the next begins; zero if there is none.
    pub(super) stay: Duration,
    pub(super) due: Option<Instant>,
    pub(super) tally: Arc<Tally>,
}

/// One round over the patterns that are due.
pub(super) struct Round<'a> {
    pub(super) warmer: &'a str,
    pub(super) tell: &'a watch::Sender<Progress>,
    pub(super) concurrency: usize,
    pub(super) timeout: Duration,
}

impl Round<'_> {
    /// Warms what is due at `now`, one pattern after the other.
    pub(super) async fn run(&self, jobs: &[Timed], now: Instant) {
        self.tell.send_modify(|all| *all = Progress { rounds: all.rounds, ..Progress::default() });
        for timed in jobs.iter().filter(|timed| timed.due.is_some_and(|due| due <= now)) {
            self.warm(timed).await;
        }
        self.tell.send_modify(|all| all.rounds += 1);
        let (all, took) = (*self.tell.borrow(), now.elapsed());
        tracing::info!(
            warmer = self.warmer,
            keys = all.keys,
            loaded = all.loaded,
            skipped = all.skipped,
            failed = all.failed,
            failed_patterns = all.failed_patterns,
            took = format!("{took:.1?}"),
            "warmed"
        );
    }

    async fn warm(&self, timed: &Timed) {
        let Timed { job, stay, tally, .. } = timed;
        let before = tally.read();
        match self.within(async { (job.begin)(*stay).await }).await {
            Ok(Errands { count, each }) => {
                let count = u64::try_from(count).unwrap_or(u64::MAX);
                tally.made(count);
                self.tell.send_modify(|all| all.keys += count);
                let errand = |errand| async { self.note(tally, self.within(errand).await) };
                stream::iter(each).for_each_concurrent(self.concurrency.max(1), errand).await;
            }
            Err(error) => {
                tally.not_made(error);
                self.tell.send_modify(|all| all.failed_patterns += 1);
            }
        }
        tally.ended();
        let after = tally.read();
        let failed = after.failed - before.failed;
        if failed > 0 || after.failed_rounds > before.failed_rounds {
            let (pattern, error) = (&*after.name, after.last_error);
            tracing::warn!(warmer = self.warmer, pattern, failed, error, "not all could be warmed");
        }
    }

    fn note(&self, tally: &Tally, done: Result<Warmed, String>) {
        self.tell.send_modify(|all| {
            *match &done {
                Ok(Warmed::Loaded) => &mut all.loaded,
                Ok(Warmed::Skipped) => &mut all.skipped,
                Err(_) => &mut all.failed,
            } += 1;
        });
        tally.done(done);
    }

    /// What `step` gives within the time that it has; a panic is an error, as all else is.
    async fn within<T>(
        &self,
        step: impl Future<Output = Result<T, BoxError>>,
    ) -> Result<T, String> {
        let step = AssertUnwindSafe(step).catch_unwind();
        match tokio::time::timeout(self.timeout, step).await {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(error))) => {
                let error: &(dyn Error + 'static) = &*error;
                Err(said(error))
            }
            Ok(Err(_)) => Err("it panicked".to_owned()),
            Err(_) => Err(format!("it took longer than {}", vunit::duration::format(self.timeout))),
        }
    }
}
