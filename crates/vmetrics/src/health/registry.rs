//! `Health`: all checks of a process and its readiness.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use crate::health::check::{Check, Watched};
use crate::health::config::Config;
use crate::health::report::{Report, Status};

/// Most checks of a process; all may run at the same time.
const MAX_CHECKS: usize = 64;

const STARTING: u8 = 0;
const READY: u8 = 1;
const DRAINING: u8 = 2;

/// Why checks could not be started.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartError {
    /// Two checks have one name.
    #[error("two checks are called `{0}`")]
    Duplicate(String),
    /// There are more than 64 checks.
    #[error("there are {0} checks; at most {MAX_CHECKS} are possible")]
    TooMany(usize),
    /// The timeout of a check leaves no room in its interval.
    #[error("the timeout of `{0}` must be above zero and at most half of its interval")]
    Timeout(String),
    /// There is no tokio runtime to run the checks on.
    #[error("checks need a tokio runtime")]
    NoRuntime,
}

/// Collects the checks of a process; see [`Health::builder`].
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until `start` is called"]
pub struct HealthBuilder {
    checks: Vec<Check>,
    config: Config,
    version: Option<String>,
    service: Option<String>,
}

impl HealthBuilder {
    /// Adds a check.
    pub fn check(mut self, check: Check) -> Self {
        self.checks.push(check);
        self
    }

    /// Runs every check by `config` that has no settings of its own.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The version of the service, for the report's details.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// The name of the service, for the report's details.
    pub fn service(mut self, service: impl Into<String>) -> Self {
        self.service = Some(service.into());
        self
    }

    /// Checks the settings and starts to run every check, on the current runtime.
    ///
    /// # Errors
    ///
    /// See [`StartError`].
    pub fn start(self) -> Result<Health, StartError> {
        self.validate()?;
        let now = Instant::now();
        let checks: Vec<_> = self
            .checks
            .into_iter()
            .map(|check| {
                let config = check.config().unwrap_or(&self.config).clone();
                Arc::new(Watched::new(check, config, now))
            })
            .collect();
        let tasks = checks.iter().flat_map(|check| Arc::clone(check).start()).collect();
        Ok(Health {
            inner: Arc::new(Inner {
                phase: AtomicU8::new(STARTING),
                checks,
                tasks: Mutex::new(tasks),
                version: self.version,
                service: self.service,
            }),
        })
    }

    fn validate(&self) -> Result<(), StartError> {
        if self.checks.len() > MAX_CHECKS {
            return Err(StartError::TooMany(self.checks.len()));
        }
        let mut names: Vec<&str> = self.checks.iter().map(Check::name).collect();
        names.sort_unstable();
        for pair in names.windows(2) {
            if let [one, other] = pair
                && one == other
            {
                return Err(StartError::Duplicate((*one).to_owned()));
            }
        }
        for check in &self.checks {
            let config = check.config().unwrap_or(&self.config);
            if config.timeout.is_zero() || config.timeout > config.interval / 2 {
                return Err(StartError::Timeout(check.name().to_owned()));
            }
        }
        tokio::runtime::Handle::try_current().map(drop).map_err(|_| StartError::NoRuntime)
    }
}

/// The health of a process: its checks, and whether it takes requests.
///
/// Clones share one state. Checks run in the background until [`stop`](Self::stop), or until the
/// last clone is dropped; every question here is answered at once from what they left.
///
/// A process starts unready: say [`set_ready`](Self::set_ready) when it listens, and
/// [`set_draining`](Self::set_draining) before the listener closes.
#[derive(Debug, Clone)]
pub struct Health {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    phase: AtomicU8,
    checks: Vec<Arc<Watched>>,
    tasks: Mutex<Vec<vtask::Task>>,
    version: Option<String>,
    service: Option<String>,
}

impl Health {
    /// Collects checks.
    pub fn builder() -> HealthBuilder {
        HealthBuilder::default()
    }

    /// Whether the process has started. Without effect once it drains.
    pub fn set_ready(&self, ready: bool) {
        let phase = if ready { READY } else { STARTING };
        let change = |old: u8| (old != DRAINING).then_some(phase);
        // Refused while draining, which is as it should be.
        let _ = self.inner.phase.fetch_update(Ordering::AcqRel, Ordering::Acquire, change);
    }

    /// The process takes no more requests, for good.
    pub fn set_draining(&self) {
        self.inner.phase.store(DRAINING, Ordering::Release);
    }

    /// Whether the process is about to end.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.inner.phase.load(Ordering::Acquire) == DRAINING
    }

    /// Whether requests should come here: started, not draining, critical checks passing.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.report().ready
    }

    /// Everything known now.
    #[must_use]
    pub fn report(&self) -> Report {
        let now = Instant::now();
        let inner = &*self.inner;
        let checks: Vec<_> = inner.checks.iter().map(|check| check.report(now)).collect();
        let status = checks.iter().map(|check| check.status).max();
        let unready = match inner.phase.load(Ordering::Acquire) {
            DRAINING => Some("draining"),
            STARTING => Some("starting"),
            _ if checks.iter().any(|check| check.critical && !check.passing) => Some("checks"),
            _ => None,
        };
        Report {
            status: status.unwrap_or(Status::Pass),
            ready: unready.is_none(),
            unready,
            version: inner.version.clone(),
            service: inner.service.clone(),
            checks,
        }
    }

    /// Ends all checks and waits for the runs under way; later reports say that they do not run.
    ///
    /// Cancel safety: a dropped `stop` aborts the checks that it has not waited for.
    pub async fn stop(&self) {
        let tasks =
            std::mem::take(&mut *self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            task.stop().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn fine(name: &'static str) -> Check {
        Check::critical(name, || async { Ok(()) })
    }

    #[tokio::test]
    async fn settings_are_checked_at_the_start() {
        let twice = Health::builder().check(fine("a")).check(fine("a"));
        assert_eq!(twice.start().unwrap_err(), StartError::Duplicate("a".to_owned()));
        let config = Config { interval: Duration::from_secs(1), ..Config::default() };
        let tight = Health::builder().check(fine("a").with_config(config));
        assert_eq!(tight.start().unwrap_err(), StartError::Timeout("a".to_owned()));
        let many = (0..65).fold(Health::builder(), |builder, n| {
            builder.check(Check::optional(n.to_string(), || async { Ok(()) }))
        });
        assert_eq!(many.start().unwrap_err(), StartError::TooMany(65));
    }

    #[test]
    fn checks_need_a_runtime() {
        let health = Health::builder().check(fine("a")).start();
        assert_eq!(health.unwrap_err(), StartError::NoRuntime);
    }

    #[tokio::test]
    async fn draining_is_for_good() {
        let health = Health::builder().start().unwrap();
        assert_eq!(health.report().unready, Some("starting"));
        health.set_ready(true);
        assert!(health.is_ready());
        health.set_ready(false);
        assert!(!health.is_ready());
        health.set_draining();
        health.set_ready(true);
        assert_eq!(health.report().unready, Some("draining"));
    }
}
