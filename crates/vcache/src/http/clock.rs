//! The wall clock as tokio's clock moves it on.

use std::time::{Duration, SystemTime};

use crate::clock::{Clock, TokioClock};

/// Tells the time of day from one reading of it and tokio's monotonic clock.
///
/// Resident times are then untouched by steps of the system clock (RFC 9111 §4.2.3 asks for
/// that), and tests that pause tokio's clock pause this one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WallClock {
    origin: SystemTime,
    since: TokioClock,
}

impl WallClock {
    pub(crate) fn new() -> Self {
        Self { origin: SystemTime::now(), since: TokioClock::new() }
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.at(self.since.now())
    }

    fn at(&self, elapsed: Duration) -> SystemTime {
        self.origin.checked_add(elapsed).unwrap_or(self.origin)
    }
}
