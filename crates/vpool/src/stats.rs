//! What a pool counts.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::metrics::{Cause, Census, Meters};

/// A pool at one moment, and its counts since it was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections, idle and in use.
    pub size: usize,
    /// Of these, waiting to be used.
    pub idle: usize,
    /// Of these, in use.
    pub in_use: usize,
    /// Callers that wait for a connection, or for one to be created or checked.
    pub waiting: usize,
    /// Connections given out since the start.
    pub gets: u64,
    /// Calls that ran out of time since the start.
    pub timeouts: u64,
    /// Connections created since the start.
    pub created: u64,
    /// Connections let go of since the start because they were idle for too long.
    pub retired_idle: u64,
    /// Connections let go of since the start because they were too old.
    pub retired_lifetime: u64,
    /// Connections let go of since the start because they failed a check or were discarded.
    pub retired_check: u64,
}

/// The counters of one pool.
#[derive(Debug)]
pub(crate) struct Ledger {
    idle: AtomicUsize,
    in_use: AtomicUsize,
    waiting: AtomicUsize,
    pub(crate) gets: AtomicU64,
    pub(crate) timeouts: AtomicU64,
    pub(crate) created: AtomicU64,
    retired_idle: AtomicU64,
    retired_lifetime: AtomicU64,
    retired_check: AtomicU64,
    pub(crate) meters: Meters,
}

/// What a connection is doing, or that a caller waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Idle,
    InUse,
    Waiting,
}

impl State {
    const fn census(self) -> Census {
        let mut census = Census { idle: 0, in_use: 0, connecting: 0, waiting: 0 };
        match self {
            Self::Idle => census.idle = 1,
            Self::InUse => census.in_use = 1,
            Self::Waiting => census.waiting = 1,
        }
        census
    }
}

impl Ledger {
    pub(crate) const fn new(meters: Meters) -> Self {
        Self {
            idle: AtomicUsize::new(0),
            in_use: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            gets: AtomicU64::new(0),
            timeouts: AtomicU64::new(0),
            created: AtomicU64::new(0),
            retired_idle: AtomicU64::new(0),
            retired_lifetime: AtomicU64::new(0),
            retired_check: AtomicU64::new(0),
            meters,
        }
    }

    const fn count(&self, state: State) -> &AtomicUsize {
        match state {
            State::Idle => &self.idle,
            State::InUse => &self.in_use,
            State::Waiting => &self.waiting,
        }
    }

    /// One comes to, leaves, or changes its state.
    pub(crate) fn moved(&self, from: Option<State>, to: Option<State>) {
        if let Some(from) = from {
            self.count(from).fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(to) = to {
            self.count(to).fetch_add(1, Ordering::Relaxed);
        }
        let census = |state: Option<State>| state.map_or_else(Census::default, State::census);
        self.meters.moved(census(from), census(to));
    }

    pub(crate) fn retired(&self, cause: Cause) {
        let counter = match cause {
            Cause::Idle => &self.retired_idle,
            Cause::Lifetime => &self.retired_lifetime,
            Cause::Check => &self.retired_check,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.meters.retired(cause);
    }

    pub(crate) fn idle(&self) -> usize {
        self.idle.load(Ordering::Relaxed)
    }

    pub(crate) fn read(&self) -> Stats {
        let number = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (idle, in_use) = (self.idle(), self.in_use.load(Ordering::Relaxed));
        Stats {
            size: idle + in_use,
            idle,
            in_use,
            waiting: self.waiting.load(Ordering::Relaxed),
            gets: number(&self.gets),
            timeouts: number(&self.timeouts),
            created: number(&self.created),
            retired_idle: number(&self.retired_idle),
            retired_lifetime: number(&self.retired_lifetime),
            retired_check: number(&self.retired_check),
        }
    }
}
