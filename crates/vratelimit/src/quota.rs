//! `Quota`: how fast units come back, and how many can be spent at once.

use std::num::NonZeroU32;
use std::time::Duration;

use vunit::Rate;

use crate::error::BuildError;

/// How fast units come back, and how many can be spent at once.
///
/// In any window of length W at most `burst + W / interval` units pass. A burst of a tenth of the
/// rate keeps the most that passes in one period near the rate; a burst as large as the rate lets
/// twice the rate pass in one period.
///
/// ```
/// use std::num::NonZeroU32;
/// use std::time::Duration;
/// use vratelimit::Quota;
///
/// let quota = Quota::new("100/s".parse().unwrap(), NonZeroU32::new(20).unwrap()).unwrap();
/// assert_eq!(quota.interval(), Duration::from_millis(10));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    rate: Rate,
    burst: NonZeroU32,
    /// Nanoseconds in which one unit comes back; never zero.
    interval: u64,
    /// Nanoseconds in which the whole burst comes back.
    full: u64,
}

/// Times beyond this, 146 years, would leave no room to count.
const MOST_NANOS: u64 = u64::MAX / 4;

impl Quota {
    /// Units come back at `rate`; at most `burst` can be spent at one instant.
    ///
    /// The interval between two units is cut to a whole nanosecond, in the caller's favour.
    ///
    /// # Errors
    ///
    /// Fails when the rate is above one unit in each nanosecond, and when the whole burst would
    /// take more than 146 years to come back.
    pub fn new(rate: Rate, burst: NonZeroU32) -> Result<Self, BuildError> {
        let interval = rate.period().as_nanos() / u128::from(rate.amount().get());
        if interval == 0 {
            return Err(BuildError::RateTooHigh { rate });
        }
        let full = interval.saturating_mul(u128::from(burst.get()));
        match (u64::try_from(interval), u64::try_from(full)) {
            (Ok(interval), Ok(full)) if full <= MOST_NANOS => {
                Ok(Self { rate, burst, interval, full })
            }
            _ => Err(BuildError::TooSlow { rate, burst }),
        }
    }

    /// The rate that the quota was made from.
    #[must_use]
    pub const fn rate(&self) -> Rate {
        self.rate
    }

    /// The most units that can be spent at one instant.
    #[must_use]
    pub const fn burst(&self) -> NonZeroU32 {
        self.burst
    }

    /// The time in which one unit comes back; never zero.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        Duration::from_nanos(self.interval)
    }

    pub(crate) const fn interval_nanos(&self) -> u64 {
        self.interval
    }

    pub(crate) const fn full_nanos(&self) -> u64 {
        self.full
    }

    /// The burst that stands for a rate when none is given: a tenth of it, at least 1.
    pub(crate) fn default_burst(rate: Rate) -> NonZeroU32 {
        NonZeroU32::new(rate.amount().get() / 10).unwrap_or(NonZeroU32::MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(rate: &str, burst: u32) -> Result<Quota, BuildError> {
        Quota::new(rate.parse().unwrap(), NonZeroU32::new(burst).unwrap())
    }

    #[test]
    fn the_interval_is_cut_to_a_nanosecond() {
        let quota = quota("3/s", 1).unwrap();
        assert_eq!(quota.interval(), Duration::from_nanos(333_333_333));
    }

    #[test]
    fn what_cannot_be_counted_is_refused() {
        assert!(quota("1000000000/s", 1).is_ok());
        assert!(matches!(quota("1000000001/s", 1), Err(BuildError::RateTooHigh { .. })));
        assert!(quota("1/d", 50_000).is_ok());
        assert!(matches!(quota("1/d", 60_000), Err(BuildError::TooSlow { .. })));
        assert!(quota("4294967295/s", 1).is_err());
    }

    #[test]
    fn the_default_burst_is_a_tenth() {
        for (rate, burst) in [("100/s", 10), ("19/s", 1), ("1/m", 1)] {
            let default = Quota::default_burst(rate.parse().unwrap());
            assert_eq!(default.get(), burst, "{rate}");
        }
    }
}
