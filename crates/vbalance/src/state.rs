//! What all users of one endpoint share: counts and streaks, kept as long as its address lives.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::address::Address;
use crate::metrics::EndpointMeters;

/// The longest error text that is kept.
const ERROR_CHARS: usize = 200;

/// The shared object of one endpoint.
///
/// Counts are relaxed: each is right by itself, and nothing is read across two of them.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) address: Address,
    pub(crate) meters: EndpointMeters,
    in_flight: AtomicU32,
    requests: AtomicU64,
    failures: AtomicU64,
    /// Times in a row that it could not be reached.
    pub(crate) unreachable: Streak,
    /// Times in a row that it answered badly.
    pub(crate) bad: Streak,
    /// Whether the one request of its trial is under way.
    trial: AtomicBool,
    /// A copy of what the set knows, to be read without its lock.
    ejected: AtomicBool,
    last_error: Mutex<Option<String>>,
}

impl State {
    pub(crate) fn new(upstream: &str, address: Address) -> Self {
        Self {
            meters: EndpointMeters::new(upstream, address.name()),
            address,
            in_flight: AtomicU32::new(0),
            requests: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            unreachable: Streak::default(),
            bad: Streak::default(),
            trial: AtomicBool::new(false),
            ejected: AtomicBool::new(false),
            last_error: Mutex::new(None),
        }
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn enter(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    pub(crate) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Claims the one request of a trial; whoever gets `true` must `end_trial`.
    pub(crate) fn claim_trial(&self) -> bool {
        !self.trial.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn end_trial(&self) {
        self.trial.store(false, Ordering::Release);
    }

    pub(crate) fn is_ejected(&self) -> bool {
        self.ejected.load(Ordering::Relaxed)
    }

    pub(crate) fn set_ejected(&self, ejected: bool) {
        self.ejected.store(ejected, Ordering::Relaxed);
    }

    pub(crate) fn note_error(&self, error: &dyn Display) {
        let text: String = error.to_string().chars().take(ERROR_CHARS).collect();
        *self.lock_error() = Some(text);
    }

    pub(crate) fn last_error(&self) -> Option<String> {
        self.lock_error().clone()
    }

    fn lock_error(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        // One assignment: a panic elsewhere leaves nothing half done.
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number of times in a row.
#[derive(Debug, Default)]
pub(crate) struct Streak(AtomicU32);

impl Streak {
    /// Adds one, and says how many it makes.
    pub(crate) fn grow(&self) -> u32 {
        self.0.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Back to zero. Reads first: nearly always it is zero already, and then the cache line stays
    /// shared between cores.
    pub(crate) fn reset(&self) {
        if self.0.load(Ordering::Relaxed) != 0 {
            self.0.store(0, Ordering::Relaxed);
        }
    }
}
