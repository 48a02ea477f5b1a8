//! Whose key it is: the fields and cookies that tell callers apart.

use http::header::{COOKIE, HeaderMap, HeaderName};

use crate::http::idempotency::digest::Parts;

/// What tells one caller from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A request field, all of its lines.
    Field(HeaderName),
    /// One cookie by its name.
    Cookie(String),
}

impl Source {
    /// Reads `authorization` or `cookie:session`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            Some((kind, name)) if kind.eq_ignore_ascii_case("cookie") => {
                vhttp::list::is_token(name).then(|| Self::Cookie(name.to_owned()))
            }
            Some(_) => None,
            None => HeaderName::from_bytes(text.as_bytes()).ok().map(Self::Field),
        }
    }

    /// Adds what `headers` says of the caller.
    pub(crate) fn add(&self, headers: &HeaderMap, parts: &mut Parts) {
        let mut count: u64 = 0;
        let mut add = |value: &[u8]| {
            count = count.saturating_add(1);
            parts.add(value);
        };
        match self {
            Self::Field(name) => headers.get_all(name).iter().for_each(|v| add(v.as_bytes())),
            Self::Cookie(name) => cookies(headers, name).for_each(add),
        }
        parts.add(&count.to_be_bytes());
    }
}

/// The values of the cookie `name` (RFC 6265 §4.2.1).
fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let lines = headers.get_all(COOKIE).into_iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(move |pair| {
        let rest = pair.trim_ascii().strip_prefix(name.as_bytes())?;
        rest.strip_prefix(b"=")
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::http::idempotency::digest::Digest;

    fn caller(source: &str, lines: &[(&'static str, &'static str)]) -> Digest {
        let headers = lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let mut map = HeaderMap::new();
        map.extend(headers.map(|(name, value)| (Some(name), value)));
        let mut parts = Parts::default();
        Source::parse(source).unwrap().add(&map, &mut parts);
        parts.finish()
    }

    #[test]
    fn a_cookie_is_told_from_its_neighbours() {
        let of = |line| caller("cookie:sid", &[("cookie", line)]);
        assert_eq!(of("a=1; sid=x; b=2"), of("sid=x"));
        assert_eq!(of("sid=x; seen=9"), of("theme=dark; sid=x"));
        assert_ne!(of("sid=x"), of("sid=y"));
        assert_ne!(of("xsid=x"), of("sid=x"));
        assert_eq!(of("xsid=x"), caller("cookie:sid", &[]));
    }

    #[test]
    fn a_field_counts_with_all_its_lines() {
        let of = |lines| caller("authorization", lines);
        assert_ne!(of(&[("authorization", "a")]), of(&[("authorization", "b")]));
        assert_ne!(of(&[("authorization", "")]), of(&[]));
        assert_ne!(
            of(&[("authorization", "a"), ("authorization", "b")]),
            of(&[("authorization", "a")])
        );
    }

    #[test]
    fn what_is_neither_is_refused() {
        for text in ["", "a b", "query:x", "cookie:", "cookie:a=b"] {
            assert_eq!(Source::parse(text), None, "{text}");
        }
    }
}
