//! How far this process is to be trusted to know of the purges of others.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Until when all is known that was purged elsewhere.
#[derive(Debug)]
pub(super) struct Trust {
    /// Microseconds since 1970; `ALWAYS` where there is nobody else.
    until: AtomicU64,
    /// How old what was validated may be that is used afterwards.
    offline: Duration,
}

const ALWAYS: u64 = u64::MAX;

impl Trust {
    /// With others: none before they were heard of.
    pub(super) const fn new(is_alone: bool, offline: Duration) -> Self {
        Self { until: AtomicU64::new(if is_alone { ALWAYS } else { 0 }), offline }
    }

    /// Whether this process knows of all purges, up to a message on its way.
    pub(super) fn is_in_touch(&self, now: SystemTime) -> bool {
        let until = self.until.load(Ordering::Acquire);
        until == ALWAYS || micros(now) < until
    }

    /// Whether what was received at `received` may be used at `now` without asking.
    pub(super) fn covers(&self, received: SystemTime, now: SystemTime) -> bool {
        self.is_in_touch(now) || now.duration_since(received).unwrap_or_default() < self.offline
    }

    /// All is known, for `bound` from `sent` on.
    #[cfg(feature = "redis")]
    pub(super) fn extend(&self, sent: SystemTime, bound: Duration) {
        let until = sent.checked_add(bound).map_or(ALWAYS - 1, micros);
        self.until.fetch_max(until, Ordering::AcqRel);
    }
}

fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(ALWAYS - 1).min(ALWAYS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_alone_is_always_in_touch_and_others_as_long_as_they_heard() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert!(Trust::new(true, Duration::ZERO).covers(at(0), at(1 << 40)));
        let trust = Trust::new(false, Duration::from_secs(5));
        assert!(!trust.is_in_touch(at(100)));
        assert!(trust.covers(at(96), at(100)) && !trust.covers(at(95), at(100)));
        #[cfg(feature = "redis")]
        {
            trust.extend(at(100), Duration::from_secs(2));
            assert!(trust.covers(at(0), at(101)) && !trust.covers(at(0), at(102)));
        }
    }
}
