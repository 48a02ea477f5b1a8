//! The system's coarse clock: a tenth of the price, and some milliseconds behind.

#[cfg(target_os = "linux")]
mod imp {
    use rustix::time::{ClockId, clock_gettime};

    #[inline]
    pub(crate) fn now() -> Option<u64> {
        read(ClockId::MonotonicCoarse)
    }

    pub(crate) fn exact() -> Option<u64> {
        read(ClockId::Monotonic)
    }

    #[inline]
    fn read(clock: ClockId) -> Option<u64> {
        let time = clock_gettime(clock);
        let (seconds, nanos) = (time.tv_sec.cast_unsigned(), time.tv_nsec.cast_unsigned());
        #[allow(clippy::useless_conversion, reason = "other widths on other processors")]
        Some(u64::from(seconds).wrapping_mul(1_000_000_000).wrapping_add(u64::from(nanos)))
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    pub(crate) const fn now() -> Option<u64> {
        None
    }

    pub(crate) const fn exact() -> Option<u64> {
        None
    }
}

/// Nanoseconds since some moment, if there is such a clock. No system call: a read of a page that
/// the kernel shares. It stands still for 1 to 10 milliseconds and never runs ahead.
#[inline]
pub(crate) fn now() -> Option<u64> {
    imp::now()
}

/// The same time, exactly.
pub(crate) fn exact() -> Option<u64> {
    imp::exact()
}
