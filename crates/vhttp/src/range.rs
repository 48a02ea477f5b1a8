//! Byte ranges: `Range` of requests, `Content-Range` of responses (RFC 9110 §14).

use std::ops::Range;

use http::header::{CONTENT_RANGE, HeaderMap, HeaderValue, RANGE};

use crate::list;

/// One range that a request asks for (RFC 9110 §14.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ByteRange {
    /// `a-b`: from the first position to the last, both included.
    Between(u64, u64),
    /// `a-`: from a position to the end.
    From(u64),
    /// `-n`: the last `n` bytes.
    Last(u64),
}

impl ByteRange {
    /// The bytes of a representation of `length` bytes; `None` when it has none of them.
    ///
    /// ```
    /// use vhttp::ByteRange;
    ///
    /// assert_eq!(ByteRange::Between(2, 99).resolve(10), Some(2..10));
    /// assert_eq!(ByteRange::Last(3).resolve(10), Some(7..10));
    /// assert_eq!(ByteRange::From(10).resolve(10), None);
    /// ```
    #[must_use]
    pub fn resolve(self, length: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::Between(first, last) => first..last.saturating_add(1).min(length),
            Self::From(first) => first..length,
            Self::Last(count) => length.saturating_sub(count)..length,
        };
        (range.start < range.end).then_some(range)
    }

    fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-')?;
        match (first, last) {
            ("", last) => Some(Self::Last(position(last)?)),
            (first, "") => Some(Self::From(position(first)?)),
            (first, last) => {
                let (first, last) = (position(first)?, position(last)?);
                (first <= last).then_some(Self::Between(first, last))
            }
        }
    }
}

/// The ranges that a request asks for: `Range: bytes=…`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ByteRanges(Vec<ByteRange>);

impl ByteRanges {
    /// Reads `Range`; `None` when it is to be ignored: absent or there twice, of another unit than
    /// `bytes`, malformed, or of more than `max` ranges.
    ///
    /// Positions saturate, however many digits they have.
    #[must_use]
    pub fn parse(headers: &HeaderMap, max: usize) -> Option<Self> {
        let mut lines = headers.get_all(RANGE).into_iter();
        let line = lines.next().filter(|_| lines.next().is_none())?;
        let (unit, set) = line.to_str().ok()?.split_once('=')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let mut ranges = Vec::new();
        for member in list::split(set.as_bytes()) {
            if ranges.len() == max {
                return None;
            }
            ranges.push(ByteRange::parse(member)?);
        }
        (!ranges.is_empty()).then_some(Self(ranges))
    }

    /// The ranges, in the order of the request; never empty.
    #[must_use]
    pub fn as_slice(&self) -> &[ByteRange] {
        &self.0
    }

    /// The only range, when there is one.
    #[must_use]
    pub fn single(&self) -> Option<ByteRange> {
        match self.0.as_slice() {
            [only] => Some(*only),
            _ => None,
        }
    }
}

/// `Content-Range: bytes …` (RFC 9110 §14.4).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContentRange {
    /// The bytes that are sent; `None` when none could be (416).
    pub range: Option<Range<u64>>,
    /// The length of the whole representation, where it is known.
    pub complete: Option<u64>,
}

impl ContentRange {
    /// Reads the field; `None` when it is absent or there twice, of another unit, malformed, or
    /// contradicts itself.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut lines = headers.get_all(CONTENT_RANGE).into_iter();
        let line = lines.next().filter(|_| lines.next().is_none())?;
        let (unit, rest) = line.to_str().ok()?.split_once(' ')?;
        let (range, complete) = rest.split_once('/')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let complete = if complete == "*" { None } else { Some(position(complete)?) };
        if range == "*" {
            return complete.map(|complete| Self { range: None, complete: Some(complete) });
        }
        let (first, last) = range.split_once('-')?;
        let (first, end) = (position(first)?, position(last)?.checked_add(1)?);
        let fits = first < end && complete.is_none_or(|complete| end <= complete);
        fits.then_some(Self { range: Some(first..end), complete })
    }

    /// The length of the part in bytes; `None` without a part.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        let range = self.range.as_ref()?;
        range.end.checked_sub(range.start)
    }

    /// The field's value.
    #[must_use]
    pub fn to_value(&self) -> HeaderValue {
        let complete = self.complete.map_or_else(|| "*".to_owned(), |length| length.to_string());
        let text = match &self.range {
            Some(range) => format!("bytes {}-{}/{complete}", range.start, range.end.max(1) - 1),
            None => format!("bytes */{complete}"),
        };
        // Digits and signs are what a field value may hold.
        HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("bytes */0"))
    }
}

/// Digits as a number that saturates.
fn position(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(name: &http::HeaderName, lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (name.clone(), HeaderValue::from_str(line).unwrap())).collect()
    }

    fn ranges(lines: &[&str]) -> Option<Vec<ByteRange>> {
        ByteRanges::parse(&headers(&RANGE, lines), 3).map(|ranges| ranges.0)
    }

    #[test]
    fn requests_are_read_as_the_grammar_says() {
        use ByteRange::{Between, From, Last};
        for (line, expected) in [
            ("bytes=0-0", Some(vec![Between(0, 0)])),
            ("BYTES=1-", Some(vec![From(1)])),
            ("bytes=-5", Some(vec![Last(5)])),
            ("bytes=-0", Some(vec![Last(0)])),
            ("bytes= 0-1 ,, 3-4", Some(vec![Between(0, 1), Between(3, 4)])),
            ("bytes=0-99999999999999999999999", Some(vec![Between(0, u64::MAX)])),
            ("bytes=0-1,2-3,4-5,6-7", None),
            ("bytes=", None),
            ("bytes=-", None),
            ("bytes=2-1", None),
            ("bytes=1", None),
            ("bytes=+1-2", None),
            ("bytes=1-2,x", None),
            ("bytes =1-2", None),
            ("bytes=1 - 2", None),
            ("lines=1-2", None),
            ("1-2", None),
        ] {
            assert_eq!(ranges(&[line]), expected, "{line}");
        }
        assert_eq!(ranges(&[]), None);
        assert_eq!(ranges(&["bytes=0-1", "bytes=0-1"]), None);
    }

    #[test]
    fn responses_are_read_as_the_grammar_says() {
        let part = |range, complete| Some(ContentRange { range, complete });
        for (line, expected) in [
            ("bytes 0-4/10", part(Some(0..5), Some(10))),
            ("Bytes 0-4/*", part(Some(0..5), None)),
            ("bytes */10", part(None, Some(10))),
            ("bytes */*", None),
            ("bytes 4-0/10", None),
            ("bytes 0-10/10", None),
            ("bytes 0-4", None),
            ("bytes  0-4/10", None),
            ("bytes=0-4/10", None),
            ("lines 0-4/10", None),
            ("bytes 0-18446744073709551615/*", None),
        ] {
            let found = ContentRange::of(&headers(&CONTENT_RANGE, &[line]));
            assert_eq!(found, expected, "{line}");
        }
        assert_eq!(
            ContentRange::of(&headers(&CONTENT_RANGE, &["bytes 0-4/9", "bytes 0-4/9"])),
            None
        );
    }

    proptest! {
        #[test]
        fn a_resolved_range_is_within_the_representation(
            line in "bytes=([0-9]{0,3}-[0-9]{0,22},?){0,4}",
            length in 0u64..1000,
        ) {
            for range in ranges(&[&line]).unwrap_or_default() {
                if let Some(found) = range.resolve(length) {
                    prop_assert!(found.start < found.end && found.end <= length);
                }
            }
        }

        #[test]
        fn no_bytes_panic(line: Vec<u8>) {
            if let Ok(value) = HeaderValue::from_bytes(&line) {
                let headers = HeaderMap::from_iter([(RANGE, value.clone()), (CONTENT_RANGE, value)]);
                let _ = (ByteRanges::parse(&headers, 16), ContentRange::of(&headers));
            }
        }

        #[test]
        fn what_is_written_is_read(first in 0u64..1000, count in 1u64..1000, more: Option<u16>) {
            let range = first..first + count;
            let complete = more.map(|more| range.end + u64::from(more));
            let field = ContentRange { range: Some(range), complete };
            let headers = HeaderMap::from_iter([(CONTENT_RANGE, field.to_value())]);
            prop_assert_eq!(ContentRange::of(&headers), Some(field));
        }
    }
}
