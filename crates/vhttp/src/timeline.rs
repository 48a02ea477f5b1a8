//! A request's phases and verdicts, which every layer writes and every view reads.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One part of the way of a request; its time is added up over attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Waiting for a place under a concurrency limit.
    Queue,
    /// Deciding on the rate limit.
    Limit,
    /// Asking whether the request was answered before, and waiting for its first answer.
    Replay,
    /// Looking up and storing in the cache.
    Cache,
    /// Waiting for an upstream connection, connecting included.
    Pool,
    /// From the request sent to the head of the upstream's answer.
    Upstream,
    /// Coding the body.
    Coding,
}

impl Phase {
    /// Every phase, in the order of the request's way.
    pub const ALL: [Self; 7] = [
        Self::Queue,
        Self::Limit,
        Self::Replay,
        Self::Cache,
        Self::Pool,
        Self::Upstream,
        Self::Coding,
    ];

    /// The phase's name, as in `Server-Timing`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Limit => "limit",
            Self::Replay => "replay",
            Self::Cache => "cache",
            Self::Pool => "pool",
            Self::Upstream => "upstream",
            Self::Coding => "coding",
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Queue => 0,
            Self::Limit => 1,
            Self::Replay => 2,
            Self::Cache => 3,
            Self::Pool => 4,
            Self::Upstream => 5,
            Self::Coding => 6,
        }
    }
}

/// What the HTTP cache did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CacheVerdict {
    /// Answered from the store, fresh.
    Hit,
    /// Answered from the store, past its lifetime.
    Stale,
    /// Answered from the store after the origin confirmed it.
    Revalidated,
    /// Joined another request's fetch.
    Collapsed,
    /// Nothing stored could be used.
    Miss,
    /// The request is not one for a cache.
    Bypass,
}

impl CacheVerdict {
    /// The verdict's name, as in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Revalidated => "revalidated",
            Self::Collapsed => "collapsed",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
        }
    }
}

/// What the limits decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LimitVerdict {
    /// Within every limit.
    Allowed,
    /// Over a quota.
    Denied,
    /// Over the concurrency limit.
    Shed,
}

impl LimitVerdict {
    /// The verdict's name, as in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Shed => "shed",
        }
    }
}

/// What became of a request that must not be carried out twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReplayVerdict {
    /// Carried out, as the first of its key.
    Ran,
    /// Answered with what the first one got.
    Replayed,
    /// Refused: the first one is still under way, or its answer was not kept.
    Conflict,
    /// Refused: its content is not that of the first one.
    Mismatch,
    /// Refused: its key is missing or malformed, or its content too large.
    Refused,
    /// Carried out without protection, because the store could not be asked.
    Unprotected,
    /// Refused: the store could not be asked, or too many are under way.
    Unavailable,
}

impl ReplayVerdict {
    /// Every verdict.
    pub const ALL: [Self; 7] = [
        Self::Ran,
        Self::Replayed,
        Self::Conflict,
        Self::Mismatch,
        Self::Refused,
        Self::Unprotected,
        Self::Unavailable,
    ];

    /// The verdict's name, as in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ran => "ran",
            Self::Replayed => "replayed",
            Self::Conflict => "conflict",
            Self::Mismatch => "mismatch",
            Self::Refused => "refused",
            Self::Unprotected => "unprotected",
            Self::Unavailable => "unavailable",
        }
    }
}

/// What is known of a request so far; see [`Timeline`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// The route's name.
    pub route: Option<Arc<str>>,
    /// What the HTTP cache did.
    pub cache: Option<CacheVerdict>,
    /// What the limits decided.
    pub limit: Option<LimitVerdict>,
    /// What became of a request that must not be carried out twice.
    pub replay: Option<ReplayVerdict>,
    /// The endpoint that answered, or was asked last.
    pub upstream: Option<Arc<str>>,
    /// How often an upstream was asked.
    pub attempts: u8,
    /// The content coding that was applied here.
    pub coding: Option<&'static str>,
    /// Why the answer was made here instead of by the origin.
    pub reason: Option<&'static str>,
    phases: [Option<Duration>; Phase::ALL.len()],
}

impl Record {
    /// The time spent in `phase` so far; `None` when the request never entered it.
    #[must_use]
    pub fn time(&self, phase: Phase) -> Option<Duration> {
        self.phases.get(phase.index()).copied().flatten()
    }

    /// The phases as the value of a `Server-Timing` field (W3C Server Timing §2), in
    /// milliseconds; empty when no phase was entered.
    #[must_use]
    pub fn server_timing(&self) -> String {
        let mut value = String::new();
        for phase in Phase::ALL {
            let Some(time) = self.time(phase) else {
                continue;
            };
            let separator = if value.is_empty() { "" } else { ", " };
            let (name, ms) = (phase.name(), time.as_secs_f64() * 1e3);
            // Writing to a String cannot fail.
            let _ = write!(value, "{separator}{name};dur={ms:.3}");
        }
        value
    }
}

/// The record of one request, shared by the layers it passes.
///
/// It travels in the request's extensions. Layers write into it when it is there
/// (`request.extensions().get::<Timeline>()`) and do nothing when it is not. Clones share one
/// record. It reads no clock: whoever writes a phase says how long it took.
///
/// ```
/// use std::time::Duration;
/// use vhttp::{CacheVerdict, Phase, Timeline};
///
/// let timeline = Timeline::new();
/// timeline.update(|record| record.cache = Some(CacheVerdict::Miss));
/// timeline.add(Phase::Upstream, Duration::from_millis(12));
/// assert_eq!(timeline.read().server_timing(), "upstream;dur=12.000");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    record: Arc<Mutex<Record>>,
}

impl Timeline {
    /// An empty record.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds to the time spent in `phase`.
    pub fn add(&self, phase: Phase, time: Duration) {
        if let Some(slot) = self.lock().phases.get_mut(phase.index()) {
            *slot = Some(slot.unwrap_or_default().saturating_add(time));
        }
    }

    /// Writes a verdict. `change` runs under the record's lock: assign and leave.
    pub fn update(&self, change: impl FnOnce(&mut Record)) {
        change(&mut self.lock());
    }

    /// Reads a part of the record without copying the rest. `look` runs under the record's lock:
    /// take and leave.
    pub fn look<R>(&self, look: impl FnOnce(&Record) -> R) -> R {
        look(&self.lock())
    }

    /// A copy of the record as it is now.
    #[must_use]
    pub fn read(&self) -> Record {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        // Every write is a plain assignment, so a panic elsewhere leaves nothing half done.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_phase_add_up() {
        let timeline = Timeline::new();
        timeline.add(Phase::Pool, Duration::from_millis(1));
        let same = timeline.clone();
        same.add(Phase::Pool, Duration::from_millis(2));
        assert_eq!(timeline.read().time(Phase::Pool), Some(Duration::from_millis(3)));
        assert_eq!(timeline.look(|record| record.time(Phase::Queue)), None);
    }

    #[test]
    fn every_phase_has_a_place_of_its_own() {
        let timeline = Timeline::new();
        for (phase, ms) in Phase::ALL.into_iter().zip(1..) {
            timeline.add(phase, Duration::from_millis(ms));
        }
        for (phase, ms) in Phase::ALL.into_iter().zip(1..) {
            assert_eq!(timeline.read().time(phase), Some(Duration::from_millis(ms)), "{phase:?}");
        }
    }
}
