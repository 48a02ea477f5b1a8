//! One check: what it asks, and what it found.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use metrics::Gauge;
use tokio::time::{Instant, timeout};

use crate::health::config::Config;
use crate::health::report::{CheckReport, Status};
use crate::label::cut;

/// Share of the interval by which runs are moved, either way.
const JITTER: f64 = 0.2;

/// Intervals without a result after which a check counts as failing: nobody runs it.
const STALE_INTERVALS: u32 = 3;

/// Longest error that is kept, in bytes.
const MAX_ERROR_BYTES: usize = 512;

const UP: &str = "vmetrics_check_up";

type Run = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// A question asked again and again in the background, such as: does Redis answer?
///
/// A failing *critical* check makes the process unready. When all replicas share what is checked,
/// one blink of it makes all of them unready at once, and a slow answer becomes none: make such
/// checks *optional* (they only warn) unless the process is useless without.
///
/// The question must be cancel safe: a run past its timeout is dropped.
pub struct Check {
    name: Cow<'static, str>,
    critical: bool,
    config: Option<Config>,
    run: Run,
}

impl Check {
    /// A check that readiness depends on.
    #[must_use]
    pub fn critical<F, Fut>(name: impl Into<Cow<'static, str>>, run: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self {
            name: name.into(),
            critical: true,
            config: None,
            run: Box::new(move || Box::pin(run())),
        }
    }

    /// A check that only warns.
    #[must_use]
    pub fn optional<F, Fut>(name: impl Into<Cow<'static, str>>, run: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { critical: false, ..Self::critical(name, run) }
    }

    /// Runs this check by settings of its own.
    #[must_use]
    pub fn with_config(self, config: Config) -> Self {
        Self { config: Some(config), ..self }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) const fn config(&self) -> Option<&Config> {
        self.config.as_ref()
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check")
            .field("name", &self.name)
            .field("critical", &self.critical)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// A check that runs, and its last results.
pub(crate) struct Watched {
    check: Check,
    config: Config,
    up: Gauge,
    state: Mutex<State>,
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("check", &self.check).finish_non_exhaustive()
    }
}

impl Watched {
    pub(crate) fn new(check: Check, config: Config, now: Instant) -> Self {
        metrics::describe_gauge!(UP, "Whether the health check passes: 1 or 0.");
        Self {
            up: metrics::gauge!(UP, "check" => check.name.clone().into_owned()),
            state: Mutex::new(State::new(now)),
            check,
            config,
        }
    }

    /// Starts to run it: once now, then once each interval.
    pub(crate) fn start(self: Arc<Self>) -> [vtask::Task; 2] {
        let first = Arc::clone(&self);
        let interval = self.config.interval;
        [
            vtask::Task::spawn(async move { first.run().await }),
            vtask::every(interval, JITTER, move || {
                let again = Arc::clone(&self);
                async move { again.run().await }
            }),
        ]
    }

    async fn run(&self) {
        let began = Instant::now();
        let panics = OnPanic(self, began);
        let limit = self.config.timeout;
        let result = match timeout(limit, (self.check.run)()).await {
            Ok(result) => result,
            Err(_) => Err(format!("no answer within {limit:?}")),
        };
        drop(panics);
        self.finished(result, began);
    }

    fn finished(&self, result: Result<(), String>, began: Instant) {
        let now = Instant::now();
        let mut state = self.lock();
        state.took = now.duration_since(began);
        state.checked_at = Some(SystemTime::now());
        state.record(result, now, &self.config);
        let passes = state.verdict == Verdict::Passing;
        drop(state);
        self.up.set(if passes { 1.0 } else { 0.0 });
    }

    pub(crate) fn report(&self, now: Instant) -> CheckReport {
        let state = self.lock();
        let stale = now.saturating_duration_since(state.heard) > self.stale_after();
        let status = self.status(&state, stale);
        let error =
            if stale { Some("the check does not run".to_owned()) } else { state.error.clone() };
        CheckReport {
            name: self.check.name.clone().into_owned(),
            critical: self.check.critical,
            status,
            passing: state.verdict == Verdict::Passing && !stale,
            error,
            took: state.took,
            checked_at: state.checked_at,
        }
    }

    /// A critical check fails when its verdict does, as readiness has it; all else is said at
    /// once, because a warning takes nobody out of service.
    const fn status(&self, state: &State, stale: bool) -> Status {
        let fails = stale || matches!(state.verdict, Verdict::Failing);
        if fails && self.check.critical {
            return Status::Fail;
        }
        let is_well = !stale && state.error.is_none() && state.checked_at.is_some();
        if is_well { Status::Pass } else { Status::Warn }
    }

    fn stale_after(&self) -> Duration {
        self.config.interval.saturating_add(self.config.timeout).saturating_mul(STALE_INTERVALS)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is a few assignments; a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes down a run that panicked; the loop itself goes on.
struct OnPanic<'a>(&'a Watched, Instant);

impl Drop for OnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.finished(Err("the check panicked".to_owned()), self.1);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Pending,
    Passing,
    Failing,
}

/// What is known of a check.
#[derive(Debug)]
struct State {
    verdict: Verdict,
    /// Results in a row that speak against the verdict.
    against: u32,
    error: Option<String>,
    took: Duration,
    checked_at: Option<SystemTime>,
    /// When there was a result last, or when the check began.
    heard: Instant,
}

impl State {
    const fn new(now: Instant) -> Self {
        Self {
            verdict: Verdict::Pending,
            against: 0,
            error: None,
            took: Duration::ZERO,
            checked_at: None,
            heard: now,
        }
    }

    /// Takes one result; the verdict turns after `rise` or `fall` results against it.
    fn record(&mut self, result: Result<(), String>, now: Instant, config: &Config) {
        self.heard = now;
        let (says, needed) = match &result {
            Ok(()) => (Verdict::Passing, config.rise.get()),
            Err(_) => (Verdict::Failing, config.fall.get()),
        };
        self.error = result.err().map(|error| cut(&error, MAX_ERROR_BYTES).to_owned());
        if says == self.verdict {
            self.against = 0;
            return;
        }
        self.against += 1;
        if self.verdict == Verdict::Pending || self.against >= needed {
            self.verdict = says;
            self.against = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(results: &[bool]) -> Verdict {
        let now = Instant::now();
        let mut state = State::new(now);
        for passed in results {
            let result = if *passed { Ok(()) } else { Err("no".to_owned()) };
            state.record(result, now, &Config::default());
        }
        state.verdict
    }

    #[test]
    fn the_first_result_counts_at_once() {
        assert_eq!(after(&[]), Verdict::Pending);
        assert_eq!(after(&[true]), Verdict::Passing);
        assert_eq!(after(&[false]), Verdict::Failing);
    }

    #[test]
    fn three_failures_in_a_row_turn_it_and_two_successes_turn_it_back() {
        assert_eq!(after(&[true, false, false]), Verdict::Passing);
        assert_eq!(after(&[true, false, false, true, false]), Verdict::Passing);
        assert_eq!(after(&[true, false, false, false]), Verdict::Failing);
        assert_eq!(after(&[false, true]), Verdict::Failing);
        assert_eq!(after(&[false, true, true]), Verdict::Passing);
    }
}
