//! Rates: `100/s`, `5000/m`, `10/500ms`.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use crate::duration;
use crate::error::{ParseError, Problem};

const EXAMPLE: &str = "`100/s`, `5000/m` or `10/500ms`";

/// So many in so long: `100/s`.
///
/// ```
/// use std::time::Duration;
/// use vunit::Rate;
///
/// let rate: Rate = "100/s".parse().unwrap();
/// assert_eq!((rate.amount().get(), rate.period()), (100, Duration::from_secs(1)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    amount: NonZeroU32,
    period: Duration,
}

impl Rate {
    /// `amount` in each `period`; `None` when the period is zero.
    #[must_use]
    pub const fn new(amount: NonZeroU32, period: Duration) -> Option<Self> {
        if period.is_zero() { None } else { Some(Self { amount, period }) }
    }

    /// `amount` in each second.
    #[must_use]
    pub const fn per_second(amount: NonZeroU32) -> Self {
        Self { amount, period: Duration::from_secs(1) }
    }

    /// How many.
    #[must_use]
    pub const fn amount(self) -> NonZeroU32 {
        self.amount
    }

    /// In how long; never zero.
    #[must_use]
    pub const fn period(self) -> Duration {
        self.period
    }
}

impl FromStr for Rate {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse(text.trim()).map_err(|problem| ParseError::new(text, problem, EXAMPLE))
    }
}

fn parse(text: &str) -> Result<Rate, Problem> {
    let (amount, period) = text.split_once('/').ok_or(Problem::NoSlash)?;
    let (number, unit) = crate::number::split(amount.trim())?;
    if !unit.is_empty() {
        return Err(Problem::UnknownUnit);
    }
    let amount = u32::try_from(number.times(1)?).map_err(|_| Problem::TooLarge)?;
    let amount = NonZeroU32::new(amount).ok_or(Problem::Zero)?;
    Rate::new(amount, period_of(period.trim())?).ok_or(Problem::Zero)
}

/// `s` and `500ms` are both periods.
fn period_of(text: &str) -> Result<Duration, Problem> {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return duration::parse(text).map_err(|_| Problem::UnknownUnit);
    }
    duration::unit_nanos(text).map(Duration::from_nanos)
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let period = duration::format(self.period);
        let unit = period.strip_prefix('1').filter(|unit| !unit.contains(char::is_numeric));
        write!(f, "{}/{}", self.amount, unit.unwrap_or(&period))
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Rate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Rate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::with::text(deserializer, "a rate such as \"100/s\"", str::parse)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forms_that_people_write() {
        for (text, amount, millis) in
            [("100/s", 100, 1_000), ("5000 / m", 5_000, 60_000), ("10/500ms", 10, 500)]
        {
            let rate: Rate = text.parse().unwrap();
            assert_eq!(rate.amount().get(), amount, "{text}");
            assert_eq!(rate.period(), Duration::from_millis(millis), "{text}");
        }
    }

    #[test]
    fn forms_that_are_refused() {
        for (text, problem) in [
            ("100", Problem::NoSlash),
            ("/s", Problem::NoNumber),
            ("0/s", Problem::Zero),
            ("1/0s", Problem::Zero),
            ("1/fortnight", Problem::UnknownUnit),
            ("5000000000/s", Problem::TooLarge),
        ] {
            let error = text.parse::<Rate>().unwrap_err();
            assert_eq!(error, ParseError::new(text, problem, EXAMPLE), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(amount in 1u32.., nanos in 1u64..) {
            let rate = Rate::new(NonZeroU32::new(amount).unwrap(), Duration::from_nanos(nanos));
            let rate = rate.unwrap();
            prop_assert_eq!(rate.to_string().parse::<Rate>().unwrap(), rate);
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = text.parse::<Rate>();
        }
    }
}
