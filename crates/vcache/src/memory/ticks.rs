//! Whether a time has come, mostly without asking the clock.
//!
//! Asking costs nearly as much as all the rest of a hit. The system keeps a coarse clock that
//! costs a tenth: it stands still for some milliseconds and never runs ahead. As long as it is a
//! second before the time in question, that is the answer; only then does the clock decide. So
//! answers are the clock's own, unless the system did not advance its time for a whole second.

use crate::coarse;

/// What the coarse clock may lag behind, in nanoseconds. It is advanced every 1 to 10 ms.
const LAG: u64 = 1_000_000_000;

#[derive(Debug)]
pub(super) struct Ticks {
    /// What the cache's clock is ahead of the coarse one, if that keeps pace with it.
    ahead: Option<u64>,
    /// When the cache's clock began, by the coarse one; rather too late than too early.
    origin: Option<u64>,
}

impl Ticks {
    /// `now` asks the clock; `system` says that it is the machine's own.
    pub(super) fn new(system: bool, now: impl Fn() -> u64) -> Self {
        // The coarse clock first, so that the difference is rather too large than too small.
        let coarse = coarse::now().filter(|_| system);
        let ahead = coarse.map(|coarse| now().wrapping_sub(coarse));
        let now = now();
        let origin = coarse.and_then(|_| coarse::exact()?.checked_sub(now));
        Self { ahead, origin }
    }

    /// A time some milliseconds ago at most, for what lives for as long as `least`, which may do
    /// with those less; `None` if it may not, or nothing but the clock itself knows.
    #[inline]
    pub(super) fn lately(&self, least: u64) -> Option<u64> {
        let origin = self.origin.filter(|_| least >= LAG)?;
        Some(coarse::now()?.saturating_sub(origin))
    }

    /// Whether `now` has come to `time`.
    #[inline]
    pub(super) fn has_come(&self, time: u64, now: impl Fn() -> u64) -> bool {
        let early = |ahead| {
            coarse::now()
                .is_some_and(|coarse| coarse.wrapping_add(ahead).saturating_add(LAG) < time)
        };
        !self.ahead.is_some_and(early) && time <= now()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn near_the_time_the_clock_decides() {
        for system in [false, true] {
            let ticks = Ticks::new(system, || 5);
            let asked = Cell::new(0);
            let clock = |now: u64| {
                asked.set(asked.get() + 1);
                now
            };
            assert!(!ticks.has_come(10, || clock(9)));
            assert!(ticks.has_come(10, || clock(10)));
            assert!(ticks.has_come(10, || clock(11)));
            assert_eq!(asked.get(), 3);
        }
    }

    #[test]
    fn what_lives_long_may_begin_a_moment_ago() {
        let clock = crate::clock::SystemClock::new();
        let now = || crate::clock::nanos(crate::clock::Clock::now(&clock));
        let ticks = Ticks::new(true, now);
        assert_eq!((ticks.lately(LAG - 1), Ticks::new(false, now).lately(LAG)), (None, None));
        for _ in 0..1000 {
            let (lately, now) = (ticks.lately(LAG), now());
            assert!(lately.is_none_or(|lately| lately <= now && now < lately + LAG));
        }
    }

    #[test]
    fn only_the_machines_own_clock_is_judged_by_another() {
        let ticks = Ticks::new(false, || 5);
        assert!(ticks.has_come(u64::MAX - 1, || u64::MAX));
        let far = 1000 * LAG;
        let ticks = Ticks::new(true, || 5);
        #[cfg(target_os = "linux")]
        assert!(!ticks.has_come(far, || unreachable!("the time is far")));
        assert!(ticks.has_come(5, || 5));
        assert!(!ticks.has_come(far, || 6));
    }
}
