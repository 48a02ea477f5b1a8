//! What the handles, services and requests of one instance share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderValue, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use vhttp::{Body, ReplayVerdict, Timeline};

use crate::http::idempotency::caller::Source;
use crate::http::idempotency::config::{BuildError, Config};
use crate::http::idempotency::metrics::Meters;
use crate::http::idempotency::outcome::Outcome;
use crate::http::idempotency::store::AnyStore;
use crate::store::StoreError;

/// The shared state.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) store: Box<dyn AnyStore>,
    pub(crate) caller: Vec<Source>,
    link: Option<HeaderValue>,
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    meters: Meters,
    verdicts: [AtomicU64; ReplayVerdict::ALL.len()],
    errors: AtomicU64,
}

impl Shared {
    pub(crate) fn new(config: Config, store: Box<dyn AnyStore>) -> Result<Self, BuildError> {
        config.check()?;
        Ok(Self {
            store,
            caller: config.sources()?,
            link: config.link()?,
            running: Arc::new(Semaphore::new(places(config.max_running))),
            waiting: Arc::new(Semaphore::new(places(config.max_waiting))),
            meters: Meters::new(&config.name),
            verdicts: Default::default(),
            errors: AtomicU64::new(0),
            config,
        })
    }

    /// A place among those under way.
    pub(crate) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.running).try_acquire_owned().ok()
    }

    /// A place among those that wait.
    pub(crate) fn place_to_wait(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.waiting).try_acquire_owned().ok()
    }

    pub(crate) fn running(&self) -> usize {
        places(self.config.max_running).saturating_sub(self.running.available_permits())
    }

    pub(crate) fn waiting(&self) -> usize {
        places(self.config.max_waiting).saturating_sub(self.waiting.available_permits())
    }

    /// Counts what became of a request.
    pub(crate) fn count(&self, verdict: ReplayVerdict, timeline: Option<&Timeline>) {
        if let Some(timeline) = timeline {
            timeline.update(|record| record.replay = Some(verdict));
        }
        if let Some(counter) = place_of(verdict).and_then(|at| self.verdicts.get(at)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        self.meters.count(verdict);
    }

    /// How many requests had `verdict`.
    pub(crate) fn counted(&self, verdict: ReplayVerdict) -> u64 {
        let counter = place_of(verdict).and_then(|at| self.verdicts.get(at));
        counter.map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    /// Counts a call that the store failed.
    pub(crate) fn store_failed(&self, _: &StoreError) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        self.meters.store_failed();
    }

    pub(crate) fn store_errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// Answers in place of the service.
    pub(crate) fn refuse(&self, why: &Outcome, timeline: Option<&Timeline>) -> Response<Body> {
        self.count(why.verdict(), timeline);
        why.response(self.link.as_ref())
    }
}

/// A number of places that a semaphore can have.
fn places(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS)
}

fn place_of(verdict: ReplayVerdict) -> Option<usize> {
    ReplayVerdict::ALL.iter().position(|v| *v == verdict)
}
