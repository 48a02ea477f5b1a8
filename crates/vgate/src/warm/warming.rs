//! The running warmer, started anew with every configuration.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use verve::cache::warm::{Job, Pattern, PatternStats, Warmer, Watch};
use verve::task::Task;

use crate::config::warm::{self, Warm};
use crate::state::State;
use crate::warm::bar;
use crate::warm::list::{Visit, visits};
use crate::warm::visit::visit;

/// The warmer of the process, if there is something to warm.
#[derive(Debug, Default)]
pub(crate) struct Warming {
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    warmer: Warmer,
    _shown: Task,
}

impl Warming {
    /// Starts what the present configuration wants, in place of what runs; what is fresh is not
    /// fetched again. Needs a runtime.
    pub(crate) fn start(&self, state: &Arc<State>) {
        let running = running(&state.graph().config().warm, state);
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = running;
    }

    /// Ends it.
    pub(crate) fn stop(&self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn with<T>(&self, look: impl FnOnce(&Warmer) -> T) -> Option<T> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().map(|running| look(&running.warmer))
    }

    /// Waits until the first round is over, up to what `config` allows.
    ///
    /// Cancel safety: nothing is lost when it is dropped.
    pub(crate) async fn warmed(&self, config: &Warm) {
        let Some(watch) = self.with(Warmer::watch) else {
            return;
        };
        if tokio::time::timeout(config.barrier_timeout, first_round(watch)).await.is_err() {
            tracing::warn!("warming takes longer than `barrier_timeout`; it goes on");
        }
    }

    /// Its figures; null if there is nothing to warm.
    pub(crate) fn status(&self) -> Value {
        let status = self.with(|warmer| {
            let progress = warmer.progress();
            json!({
                "rounds": progress.rounds,
                "keys": progress.keys,
                "done": progress.done(),
                "loaded": progress.loaded,
                "skipped": progress.skipped,
                "failed": progress.failed,
                "patterns": warmer.patterns().iter().map(pattern).collect::<Value>(),
            })
        });
        status.unwrap_or(Value::Null)
    }
}

async fn first_round(mut watch: Watch) {
    while watch.next().await.is_some_and(|progress| progress.rounds == 0) {}
}

fn running(config: &Warm, state: &Arc<State>) -> Option<Running> {
    if config.patterns.is_empty() {
        return None;
    }
    let mut builder = Warmer::builder()
        .name("vgate")
        .concurrency(config.concurrency.get())
        .timeout(config.timeout);
    if let Some(interval) = config.interval {
        builder = builder.interval(interval);
    }
    for (place, pattern) in config.patterns.iter().enumerate() {
        builder = builder.pattern(job(place, pattern, state));
    }
    let warmer = builder.start();
    let shown = Task::spawn(bar::show(warmer.watch()));
    Some(Running { warmer, _shown: shown })
}

fn job(place: usize, config: &warm::Pattern, state: &Arc<State>) -> Job {
    let (from, name, own) = (Arc::clone(state), config.name(place), Arc::new(config.clone()));
    let mut pattern = Pattern::generated(name, move || {
        let (state, own) = (Arc::clone(&from), Arc::clone(&own));
        async move { visits(&state, &own).await }
    })
    .priority(config.priority);
    if let Some(interval) = config.interval {
        pattern = pattern.interval(interval);
    }
    let state = Arc::clone(state);
    pattern.visit(move |key: Visit, stay| {
        let state = Arc::clone(&state);
        async move { visit(&state, key.question(), stay).await }
    })
}

fn pattern(stats: &PatternStats) -> Value {
    json!({
        "name": stats.name,
        "priority": stats.priority,
        "rounds": stats.rounds,
        "keys": stats.keys,
        "loaded": stats.loaded,
        "skipped": stats.skipped,
        "failed": stats.failed,
        "failed_rounds": stats.failed_rounds,
        "last_error": stats.last_error,
    })
}
