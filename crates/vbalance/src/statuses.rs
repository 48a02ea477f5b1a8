//! `StatusRange`: which status codes are meant, written `2xx`, `204` or `200-399`.

use std::fmt;
use std::str::FromStr;

use http::StatusCode;

/// A range of status codes: `204`, `5xx` or `200-399`.
///
/// ```
/// use vbalance::StatusRange;
///
/// let good: StatusRange = "200-399".parse().unwrap();
/// assert!(good.contains(http::StatusCode::NO_CONTENT));
/// assert_eq!("5xx".parse::<StatusRange>().unwrap().to_string(), "5xx");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatusRange {
    first: u16,
    last: u16,
}

/// Why a text is not a range of status codes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a range of status codes; write it like `204`, `2xx` or `200-399`")]
pub struct StatusRangeError {
    text: String,
}

impl StatusRange {
    /// Success and redirection: 200 to 399.
    pub const GOOD: Self = Self { first: 200, last: 399 };
    /// Server errors: 500 to 599.
    pub const SERVER_ERROR: Self = Self { first: 500, last: 599 };

    /// Whether `status` is in the range.
    #[must_use]
    pub fn contains(self, status: StatusCode) -> bool {
        (self.first..=self.last).contains(&status.as_u16())
    }
}

impl FromStr for StatusRange {
    type Err = StatusRangeError;

    fn from_str(text: &str) -> Result<Self, StatusRangeError> {
        parse(text.trim()).ok_or_else(|| StatusRangeError { text: text.chars().take(40).collect() })
    }
}

fn parse(text: &str) -> Option<StatusRange> {
    if let Some(class) = text.strip_suffix("xx") {
        let first = code(&format!("{class}00"))?;
        return Some(StatusRange { first, last: first + 99 });
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (code(first)?, code(last)?);
    (first <= last).then_some(StatusRange { first, last })
}

/// Three digits, 100 to 599 (RFC 9110 §15).
fn code(text: &str) -> Option<u16> {
    let digits = text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
    let code = digits.then(|| text.parse().ok())??;
    (100..600).contains(&code).then_some(code)
}

impl fmt::Display for StatusRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last } = *self;
        if first == last {
            write!(f, "{first}")
        } else if first.is_multiple_of(100) && last == first + 99 {
            write!(f, "{}xx", first / 100)
        } else {
            write!(f, "{first}-{last}")
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for StatusRange {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for StatusRange {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::text::parsed(deserializer, "status codes such as \"2xx\" or \"200-399\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_written_back() {
        for text in ["204", "2xx", "5xx", "200-399"] {
            assert_eq!(text.parse::<StatusRange>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "20", "6xx", "xx", "399-200", "2xx-3xx", "+20", "2000"] {
            assert!(text.parse::<StatusRange>().is_err(), "{text}");
        }
    }
}
