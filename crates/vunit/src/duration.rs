//! Durations: `250ms`, `10s`, `1m30s`, `2h`.
//!
//! With the feature `serde`, `#[serde(with = "vunit::duration")]` on a
//! [`Duration`] reads and writes this form, and `vunit::duration::option` does so for an optional
//! one.

use std::time::Duration;

use crate::error::{ParseError, Problem};
use crate::number;

const EXAMPLE: &str = "`250ms`, `10s`, `1m30s` or `2h`";

/// Nanoseconds in each unit, largest first, in the spelling that [`format`](fn@format) writes.
const UNITS: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Reads a duration: one or more numbers, each with a unit of `ns`, `us` (or `µs`), `ms`, `s`,
/// `m` (or `min`), `h` and `d`; a plain `0` needs no unit.
///
/// # Errors
///
/// Fails when a number or unit is missing or unknown, and above 584 years.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(vunit::duration::parse("1m30s").unwrap(), Duration::from_secs(90));
/// assert_eq!(vunit::duration::parse("1.5s").unwrap(), Duration::from_millis(1500));
/// assert!(vunit::duration::parse("10").unwrap_err().to_string().contains("has no unit"));
/// ```
pub fn parse(text: &str) -> Result<Duration, ParseError> {
    let nanos = nanos(text.trim()).map_err(|problem| ParseError::new(text, problem, EXAMPLE))?;
    Ok(Duration::from_nanos(nanos))
}

fn nanos(text: &str) -> Result<u64, Problem> {
    if text == "0" {
        return Ok(0);
    }
    let (mut rest, mut total) = (text, 0u64);
    loop {
        let (number, tail) = number::split(rest)?;
        let end = tail.find(|c: char| !c.is_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let part = number.times(unit_nanos(unit)?)?;
        total = total.checked_add(part).ok_or(Problem::TooLarge)?;
        rest = tail.trim_start();
        if rest.is_empty() {
            return Ok(total);
        }
    }
}

/// Nanoseconds in a unit as people write it.
pub(crate) fn unit_nanos(unit: &str) -> Result<u64, Problem> {
    let unit = match unit {
        "" => return Err(Problem::NoUnit),
        "µs" | "μs" => "us",
        "sec" | "second" | "seconds" => "s",
        "min" | "minute" | "minutes" => "m",
        "hour" | "hours" => "h",
        "day" | "days" => "d",
        other => other,
    };
    UNITS.iter().find(|(name, _)| *name == unit).map(|(_, ns)| *ns).ok_or(Problem::UnknownUnit)
}

/// Writes a duration as [`parse`] reads it, in the fewest units: `1m30s`, `250ms`.
///
/// Above 584 years it is cut off there.
#[must_use]
pub fn format(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, nanos) in UNITS {
        let count = rest / nanos;
        if count > 0 {
            text.push_str(&count.to_string());
            text.push_str(unit);
            rest %= nanos;
        }
    }
    text
}

#[cfg(feature = "serde")]
crate::with::with_modules!(Duration, "a duration such as \"250ms\" or \"10s\"");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forms_that_people_write() {
        for (text, millis) in [
            ("0", 0),
            ("250ms", 250),
            ("10s", 10_000),
            ("10 s", 10_000),
            ("1m 30s", 90_000),
            ("2h", 7_200_000),
            ("1.5s", 1_500),
            ("1_000ms", 1_000),
            ("1d", 86_400_000),
        ] {
            assert_eq!(parse(text).unwrap(), Duration::from_millis(millis), "{text}");
        }
    }

    #[test]
    fn forms_that_are_refused() {
        for (text, problem) in [
            ("", Problem::NoNumber),
            ("fast", Problem::NoNumber),
            ("-1s", Problem::NoNumber),
            ("1.2.3s", Problem::NoNumber),
            ("10", Problem::NoUnit),
            ("10 parsecs", Problem::UnknownUnit),
            ("600y", Problem::UnknownUnit),
            ("999999999999d", Problem::TooLarge),
        ] {
            assert_eq!(parse(text).unwrap_err(), ParseError::new(text, problem, EXAMPLE), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(nanos: u64) {
            let duration = Duration::from_nanos(nanos);
            prop_assert_eq!(parse(&format(duration)).unwrap(), duration);
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = parse(&text);
        }
    }
}
