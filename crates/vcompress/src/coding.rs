//! The content codings: their names and levels.

use std::fmt;
use std::ops::RangeInclusive;

use http::HeaderValue;

/// A content coding that this crate can apply (RFC 9110 §8.4.1, RFC 7932, RFC 8878).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Coding {
    /// `gzip`: every client reads it.
    Gzip,
    /// `deflate`: the zlib format (RFC 9110 §8.4.1.2). Worth nothing that gzip is not; some
    /// clients read it wrongly.
    Deflate,
    /// `br`: smallest for HTML and text, slow to make.
    #[cfg_attr(feature = "serde", serde(rename = "br"))]
    Brotli,
    /// `zstd`: cheapest to make at a good size.
    Zstd,
}

impl Coding {
    /// Every coding, compiled in or not.
    pub const ALL: [Self; 4] = [Self::Gzip, Self::Deflate, Self::Brotli, Self::Zstd];

    /// The coding's name, as in `Content-Encoding`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// The coding of that name, in any letter case; `x-gzip` is `gzip` (RFC 9110 §8.4.1.3).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("x-gzip") {
            return Some(Self::Gzip);
        }
        Self::ALL.into_iter().find(|coding| coding.as_str().eq_ignore_ascii_case(name))
    }

    /// The cargo feature that compiles the coding in.
    #[must_use]
    pub const fn feature(self) -> &'static str {
        match self {
            Self::Gzip | Self::Deflate => "gzip",
            Self::Brotli => "brotli",
            Self::Zstd => "zstd",
        }
    }

    /// Whether this build can apply the coding.
    #[must_use]
    pub const fn is_compiled_in(self) -> bool {
        match self {
            Self::Gzip | Self::Deflate => cfg!(feature = "gzip"),
            Self::Brotli => cfg!(feature = "brotli"),
            Self::Zstd => cfg!(feature = "zstd"),
        }
    }

    /// The levels that the coding knows, cheapest first.
    ///
    /// zstd ends at 19: above, its window may pass the 8 MiB that a content coding may ask of a
    /// client (RFC 9659 §3).
    #[must_use]
    pub const fn levels(self) -> RangeInclusive<i32> {
        match self {
            Self::Gzip | Self::Deflate => 1..=9,
            Self::Brotli => 0..=11,
            Self::Zstd => -7..=19,
        }
    }

    pub(crate) const fn field_value(self) -> HeaderValue {
        HeaderValue::from_static(self.as_str())
    }

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Gzip => 0,
            Self::Deflate => 1,
            Self::Brotli => 2,
            Self::Zstd => 3,
        }
    }
}

impl fmt::Display for Coding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_in_any_case() {
        for coding in Coding::ALL {
            assert_eq!(Coding::from_name(coding.as_str()), Some(coding));
            let upper = coding.as_str().to_ascii_uppercase();
            assert_eq!(Coding::from_name(&upper), Some(coding));
        }
        assert_eq!(Coding::from_name("x-gzip"), Some(Coding::Gzip));
        assert_eq!(Coding::from_name("identity"), None);
        assert_eq!(Coding::from_name("dcz"), None);
    }

    #[test]
    fn every_coding_has_a_place_of_its_own() {
        for (place, coding) in Coding::ALL.into_iter().enumerate() {
            assert_eq!(coding.index(), place);
        }
    }
}
