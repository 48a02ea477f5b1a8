//! After a fetch that brought nothing, the next one for the same response waits a while.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Until when the origin is not asked about a stored response again, and what it did last time:
/// microseconds since 1970, and two bits.
#[derive(Debug, Default)]
pub(crate) struct HoldOff(AtomicU64);

/// What the last fetch brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// An answer that did not take the place of the stored one.
    Refused,
    /// An outage.
    Failed {
        /// Whether the origin did not answer at all.
        is_silence: bool,
    },
}

/// What became of a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The stored response is confirmed, replaced or gone.
    Stored,
    /// There was an answer that did not take its place.
    Refused,
    /// There was an outage.
    Failed,
}

impl HoldOff {
    /// Holds off for a time from `now` on. What an outage has begun, an answer does not change.
    pub(crate) fn begin(&self, now: SystemTime, time: Duration, cause: Cause) {
        if time.is_zero() || (cause == Cause::Refused && self.cause(now).is_some()) {
            return;
        }
        let bits = match cause {
            Cause::Refused => 0,
            Cause::Failed { is_silence: false } => 1,
            Cause::Failed { is_silence: true } => 2,
        };
        let until = micros(now).saturating_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        self.0.store(until.min(u64::MAX >> 2) << 2 | bits, Ordering::Relaxed);
    }

    /// Why the origin is not asked at `now`, if it is not.
    pub(crate) fn cause(&self, now: SystemTime) -> Option<Cause> {
        let held = self.0.load(Ordering::Relaxed);
        if held == 0 || held >> 2 <= micros(now) {
            return None;
        }
        Some(match held & 3 {
            0 => Cause::Refused,
            bits => Cause::Failed { is_silence: bits == 2 },
        })
    }
}

fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_with_its_time_and_remembers_the_outage() {
        let hold_off = HoldOff::default();
        let at = |millis| UNIX_EPOCH + Duration::from_secs(1) + Duration::from_millis(millis);
        let second = Duration::from_secs(1);
        assert_eq!(hold_off.cause(at(0)), None);
        for cause in [
            Cause::Refused,
            Cause::Failed { is_silence: false },
            Cause::Failed { is_silence: true },
        ] {
            hold_off.begin(at(0), second, cause);
            assert_eq!((hold_off.cause(at(999)), hold_off.cause(at(1000))), (Some(cause), None));
        }
        hold_off.begin(at(500), second, Cause::Refused);
        assert_eq!(hold_off.cause(at(999)), Some(Cause::Failed { is_silence: true }));
        assert_eq!(hold_off.cause(at(1000)), None);
        hold_off.begin(at(2000), Duration::ZERO, Cause::Refused);
        assert_eq!(hold_off.cause(at(2000)), None);
    }
}
