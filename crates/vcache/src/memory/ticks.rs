//! Whether a time has come, mostly without asking the clock.
//!
//! Asking costs more than all the rest of a hit. The processor's counter says for less that
//! little time can have passed since somebody last asked; only near the time in question, or when
//! the last answer is old, does the clock decide. So the answer is as exact as the clock's.
#![cfg_attr(
    target_arch = "x86_64",
    expect(
        unsafe_code,
        reason = "reading the processor's counter is an instruction of its own"
    )
)]

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts after which an answer is old.
const OLD: u64 = 100_000;
/// Nanoseconds that so many counts take at most: counters run at 100 MHz at least.
const SLACK: u64 = 1_000_000;

#[derive(Debug)]
pub(super) struct Ticks {
    /// The counter just before the clock was last asked; zero if it cannot be relied upon.
    count: AtomicU64,
    /// What the clock answered, in nanoseconds.
    answer: AtomicU64,
    reliable: bool,
}

impl Ticks {
    /// `system` says that the clock is the machine's own, which the counter keeps pace with.
    pub(super) fn new(system: bool) -> Self {
        Self {
            count: AtomicU64::new(0),
            answer: AtomicU64::new(0),
            reliable: system && counter::is_invariant(),
        }
    }

    /// Whether `now` has come to `time`.
    #[inline]
    pub(super) fn has_come(&self, time: u64, now: impl Fn() -> u64) -> bool {
        if self.reliable {
            // Acquire: the answer is not older than the count that is read.
            let count = self.count.load(Ordering::Acquire);
            let answer = self.answer.load(Ordering::Relaxed);
            if counter::read().wrapping_sub(count) < OLD && answer.saturating_add(SLACK) < time {
                return false;
            }
        }
        time <= self.ask(now)
    }

    #[cold]
    fn ask(&self, now: impl Fn() -> u64) -> u64 {
        if !self.reliable {
            return now();
        }
        // First the counter: however long this thread sleeps between the two, no more time has
        // passed since the count than since the answer plus what the counter tells.
        let count = counter::read();
        let now = now();
        self.answer.fetch_max(now, Ordering::Relaxed);
        self.count.fetch_max(count, Ordering::Release);
        now
    }
}

#[cfg(target_arch = "x86_64")]
mod counter {
    use std::arch::x86_64::{__cpuid, _rdtsc};

    #[inline]
    pub(super) fn read() -> u64 {
        // SAFETY: every x86-64 has the instruction, and no system that Rust runs on forbids it.
        unsafe { _rdtsc() }
    }

    /// Whether it counts at one pace on all processors, at rest too.
    #[allow(
        unused_unsafe,
        reason = "safe in later versions of the standard library"
    )]
    pub(super) fn is_invariant() -> bool {
        // SAFETY: every x86-64 has the instruction.
        let most = unsafe { __cpuid(0x8000_0000) }.eax;
        // SAFETY: as above; the number is one that it knows.
        most >= 0x8000_0007 && unsafe { __cpuid(0x8000_0007) }.edx >> 8 & 1 == 1
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod counter {
    pub(super) fn read() -> u64 {
        0
    }

    pub(super) fn is_invariant() -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn near_the_time_the_clock_decides() {
        for system in [false, true] {
            let (ticks, asked) = (Ticks::new(system), Cell::new(0));
            let clock = |now: u64| {
                asked.set(asked.get() + 1);
                now
            };
            assert!(!ticks.has_come(10, || clock(9)));
            assert!(ticks.has_come(10, || clock(10)));
            assert!(ticks.has_come(10, || clock(11)));
            assert_eq!(asked.get(), 3, "always asked within the slack");
        }
    }

    #[test]
    fn far_from_the_time_the_clock_is_asked_now_and_then() {
        let (ticks, asked) = (Ticks::new(true), Cell::new(0));
        let clock = || {
            asked.set(asked.get() + 1);
            5
        };
        for _ in 0..1000 {
            assert!(!ticks.has_come(u64::MAX - 1, clock));
        }
        assert!(asked.get() >= 1);
        assert!(!Ticks::new(false).reliable);
    }
}
