//! Sizes in bytes: `512B`, `64KiB`, `10MB`, `1.5GiB`.
//!
//! With the feature `serde`, `#[serde(with = "vunit::size")]` on a `u64` reads and writes this
//! form, and `vunit::size::option` does so for an optional one.

use crate::error::{ParseError, Problem};
use crate::number;

const EXAMPLE: &str = "`512B`, `64KiB` or `10MB`";

/// Bytes in each binary unit, largest first.
const BINARY: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Bytes in each decimal unit.
const DECIMAL: [(&str, u64); 4] =
    [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000)];

/// Reads a size: a number and a unit, binary (`KiB` = 1024 B) or decimal (`KB` = 1000 B), upper
/// or lower case; a plain `0` needs no unit.
///
/// # Errors
///
/// Fails when the number or unit is missing or unknown, and at 16 EiB.
///
/// ```
/// assert_eq!(vunit::size::parse("64MiB").unwrap(), 64 * 1024 * 1024);
/// assert_eq!(vunit::size::parse("1.5 kB").unwrap(), 1500);
/// ```
pub fn parse(text: &str) -> Result<u64, ParseError> {
    bytes(text.trim()).map_err(|problem| ParseError::new(text, problem, EXAMPLE))
}

fn bytes(text: &str) -> Result<u64, Problem> {
    if text == "0" {
        return Ok(0);
    }
    let (number, unit) = number::split(text)?;
    if unit.is_empty() {
        return Err(Problem::NoUnit);
    }
    let known = BINARY.iter().chain(&DECIMAL).find(|(name, _)| name.eq_ignore_ascii_case(unit));
    number.times(known.ok_or(Problem::UnknownUnit)?.1)
}

/// Writes a size as [`parse`] reads it, in the largest binary unit that needs no decimals.
#[must_use]
pub fn format(bytes: u64) -> String {
    let fits = |(_, unit): &&(&str, u64)| bytes >= *unit && bytes.is_multiple_of(*unit);
    let (name, unit) = BINARY.iter().find(fits).copied().unwrap_or(("B", 1));
    let count = bytes / unit;
    format!("{count}{name}")
}

#[cfg(feature = "serde")]
crate::with::with_modules!(u64, "a size such as \"64KiB\" or \"10MB\"");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forms_that_people_write() {
        for (text, size) in
            [("0", 0), ("512B", 512), ("64KiB", 65_536), ("10MB", 10_000_000), ("0.5GiB", 1 << 29)]
        {
            assert_eq!(parse(text).unwrap(), size, "{text}");
        }
    }

    #[test]
    fn forms_that_are_refused() {
        for (text, problem) in [
            ("", Problem::NoNumber),
            ("64", Problem::NoUnit),
            ("64 MIB!", Problem::UnknownUnit),
            ("99999999999TiB", Problem::TooLarge),
        ] {
            assert_eq!(parse(text).unwrap_err(), ParseError::new(text, problem, EXAMPLE), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(bytes: u64) {
            prop_assert_eq!(parse(&format(bytes)).unwrap(), bytes);
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = parse(&text);
        }
    }
}
