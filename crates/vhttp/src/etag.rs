//! Entity tags and the lists of conditional requests (RFC 9110 §8.8.3, §13.1).

use bytes::Bytes;
use http::header::{ETAG, HeaderMap, HeaderName, HeaderValue};

/// An entity tag: `"abc"`, or `W/"abc"` when it is weak.
///
/// ```
/// use http::HeaderValue;
/// use vhttp::EntityTag;
///
/// let strong = EntityTag::parse(&HeaderValue::from_static("\"abc\"")).unwrap();
/// let weak = EntityTag::parse(&HeaderValue::from_static("W/\"abc\"")).unwrap();
/// assert!(strong.weak_eq(&weak) && !strong.strong_eq(&weak));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EntityTag {
    /// Whether the tag is weak: equal tags then mean equivalent content, not equal bytes.
    pub weak: bool,
    opaque: Bytes,
}

impl EntityTag {
    /// A strong tag of `opaque`, the text between the quotes; `None` when a tag cannot hold it
    /// (a quote, white space or control character).
    #[must_use]
    pub fn new(opaque: impl Into<Bytes>) -> Option<Self> {
        let opaque = opaque.into();
        opaque.iter().all(|&b| is_etagc(b)).then_some(Self { weak: false, opaque })
    }

    /// Reads a field value that is one entity tag and nothing else.
    #[must_use]
    pub fn parse(value: &HeaderValue) -> Option<Self> {
        let (tag, rest) = Self::split_first(value.as_bytes().trim_ascii())?;
        rest.is_empty().then_some(tag)
    }

    /// The tag in the field `ETag`; `None` when it is absent, malformed or there are several.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut lines = headers.get_all(ETAG).into_iter();
        let only = lines.next().filter(|_| lines.next().is_none())?;
        Self::parse(only)
    }

    /// The text between the quotes.
    #[must_use]
    pub fn opaque(&self) -> &[u8] {
        &self.opaque
    }

    /// The same tag, weak.
    #[must_use]
    pub fn into_weak(self) -> Self {
        Self { weak: true, ..self }
    }

    /// Strong comparison (RFC 9110 §8.8.3.2): the same text, and both strong. For ranges and
    /// `If-Match`.
    #[must_use]
    pub fn strong_eq(&self, other: &Self) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// Weak comparison (RFC 9110 §8.8.3.2): the same text. For `If-None-Match`.
    #[must_use]
    pub fn weak_eq(&self, other: &Self) -> bool {
        self.opaque == other.opaque
    }

    /// The tag as a field value.
    #[must_use]
    pub fn to_value(&self) -> HeaderValue {
        let start: &[u8] = if self.weak { b"W/\"" } else { b"\"" };
        let value = [start, &self.opaque, b"\""].concat();
        // A tag holds only bytes that a field value may hold.
        HeaderValue::from_bytes(&value).unwrap_or_else(|_| HeaderValue::from_static("W/\"\""))
    }

    /// Makes the `ETag` of a message weak, because its bytes were changed but not its meaning.
    ///
    /// A field that is malformed or repeated is removed: it could be taken for a strong tag.
    pub fn weaken(headers: &mut HeaderMap) {
        match Self::of(headers) {
            Some(tag) if tag.weak => {}
            Some(tag) => {
                headers.insert(ETAG, tag.into_weak().to_value());
            }
            None => {
                headers.remove(ETAG);
            }
        }
    }

    /// Takes a tag from the start of `text`.
    fn split_first(text: &[u8]) -> Option<(Self, &[u8])> {
        // The `W` is case-sensitive (RFC 9110 §8.8.3).
        let unprefixed = text.strip_prefix(b"W/");
        let inside = unprefixed.unwrap_or(text).strip_prefix(b"\"")?;
        let end = inside.iter().position(|&b| !is_etagc(b))?;
        let (opaque, rest) = inside.split_at_checked(end)?;
        let tag = Self { weak: unprefixed.is_some(), opaque: Bytes::copy_from_slice(opaque) };
        Some((tag, rest.strip_prefix(b"\"")?))
    }
}

/// What may stand between the quotes (RFC 9110 §8.8.3); a backslash escapes nothing.
const fn is_etagc(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x7e | 0x80..)
}

/// The value of `If-Match` or `If-None-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntityTags {
    /// `*`: any representation at all.
    Any,
    /// One of these; members that are no entity tags are left out, so it may be empty.
    List(Vec<EntityTag>),
}

impl EntityTags {
    /// Reads all lines of a field; `None` when there are none.
    ///
    /// `*` counts only when it stands alone (RFC 9110 §13.1.1, §13.1.2).
    #[must_use]
    pub fn parse(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let mut lines = headers.get_all(name).into_iter().peekable();
        lines.peek()?;
        let mut tags = Vec::new();
        for (index, line) in lines.enumerate() {
            let line = line.as_bytes().trim_ascii();
            if line == b"*" && index == 0 && is_single(headers, name) {
                return Some(Self::Any);
            }
            read_line(line, &mut tags);
        }
        Some(Self::List(tags))
    }

    /// Whether the tag of the current representation is among these, by strong comparison; `Any`
    /// matches every tag.
    #[must_use]
    pub fn strong_match(&self, current: &EntityTag) -> bool {
        match self {
            Self::Any => true,
            Self::List(tags) => tags.iter().any(|tag| tag.strong_eq(current)),
        }
    }

    /// Whether the tag of the current representation is among these, by weak comparison; `Any`
    /// matches every tag.
    #[must_use]
    pub fn weak_match(&self, current: &EntityTag) -> bool {
        match self {
            Self::Any => true,
            Self::List(tags) => tags.iter().any(|tag| tag.weak_eq(current)),
        }
    }
}

fn is_single(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get_all(name).into_iter().nth(1).is_none()
}

/// Adds the tags of one line; what is none is skipped up to the next comma.
fn read_line(mut line: &[u8], tags: &mut Vec<EntityTag>) {
    loop {
        line = line.trim_ascii_start();
        let after = match EntityTag::split_first(line) {
            Some((tag, rest)) => {
                let rest = rest.trim_ascii_start();
                if rest.is_empty() || rest.starts_with(b",") {
                    tags.push(tag);
                }
                rest
            }
            None => line,
        };
        let Some(comma) = after.iter().position(|&b| b == b',') else {
            return;
        };
        line = after.get(comma + 1..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests;
