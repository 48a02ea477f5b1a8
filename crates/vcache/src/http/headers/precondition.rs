//! Preconditions of GET and HEAD, in the order of RFC 9110 §13.2.2.

use std::time::SystemTime;

use http::header::{
    IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE, LAST_MODIFIED,
};
use http::{HeaderMap, HeaderName, StatusCode};
use vhttp::{EntityTag, EntityTags};

/// What a client's knowledge depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conditions {
    matches: Option<EntityTags>,
    unmodified: Option<SystemTime>,
    none_match: Option<EntityTags>,
    modified: Option<SystemTime>,
}

/// What comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The answer as it is.
    Proceed,
    /// 304.
    NotModified,
    /// 412.
    Failed,
}

impl Conditions {
    /// Those of a request; `None` when it has none.
    pub(crate) fn of(request: &HeaderMap) -> Option<Self> {
        let fields = [IF_MATCH, IF_UNMODIFIED_SINCE, IF_NONE_MATCH, IF_MODIFIED_SINCE];
        if !fields.iter().any(|name| request.contains_key(name)) {
            return None;
        }
        Some(Self {
            matches: EntityTags::parse(request, &IF_MATCH),
            unmodified: date(request, &IF_UNMODIFIED_SINCE),
            none_match: EntityTags::parse(request, &IF_NONE_MATCH),
            modified: date(request, &IF_MODIFIED_SINCE),
        })
    }

    /// Evaluates them for an answer; only successes are subject to them (§13.2.1).
    pub(crate) fn evaluate(&self, status: StatusCode, answer: &HeaderMap) -> Verdict {
        if !status.is_success() {
            return Verdict::Proceed;
        }
        let tag = EntityTag::of(answer);
        let changed = date(answer, &LAST_MODIFIED);
        if !self.holds(tag.as_ref(), changed) {
            return Verdict::Failed;
        }
        let same = match (&self.none_match, self.modified) {
            (Some(EntityTags::Any), _) => true,
            // Weak comparison (§13.1.2); the date does not count beside it.
            (Some(tags), _) => tag.is_some_and(|tag| tags.weak_match(&tag)),
            // A date that is not known is not compared (§13.1.3).
            (None, Some(since)) => changed.is_some_and(|changed| changed <= since),
            (None, None) => false,
        };
        if same { Verdict::NotModified } else { Verdict::Proceed }
    }

    /// Steps 1 and 2: by strong comparison (§13.1.1), or by the date.
    fn holds(&self, tag: Option<&EntityTag>, changed: Option<SystemTime>) -> bool {
        match (&self.matches, self.unmodified) {
            (Some(EntityTags::Any), _) | (None, None) => true,
            (Some(tags), _) => tag.is_some_and(|tag| tags.strong_match(tag)),
            (None, Some(since)) => changed.is_none_or(|changed| changed <= since),
        }
    }
}

/// The date in a field that is there once; what is no date counts as absent.
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    let mut lines = headers.get_all(name).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return None;
    };
    vhttp::date::parse(line.to_str().ok()?)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const OLD: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const NOW: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const NEW: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    fn verdict(request: &[(&'static str, &'static str)]) -> Verdict {
        let answer = map(&[("etag", "\"a\""), ("last-modified", NOW)]);
        let conditions = Conditions::of(&map(request));
        conditions.map_or(Verdict::Proceed, |c| c.evaluate(StatusCode::OK, &answer))
    }

    #[test]
    fn each_condition_by_itself() {
        use Verdict::{Failed, NotModified, Proceed};
        for (name, value, expected) in [
            // RFC 9110 §13.1.1
            ("if-match", "\"a\"", Proceed),
            ("if-match", "\"b\", \"a\"", Proceed),
            ("if-match", "*", Proceed),
            ("if-match", "W/\"a\"", Failed),
            ("if-match", "\"b\"", Failed),
            // §13.1.2
            ("if-none-match", "\"a\"", NotModified),
            ("if-none-match", "W/\"a\"", NotModified),
            ("if-none-match", "\"b\", \"a\"", NotModified),
            ("if-none-match", "*", NotModified),
            ("if-none-match", "\"b\"", Proceed),
            ("if-none-match", "a", Proceed),
            // §13.1.3
            ("if-modified-since", OLD, Proceed),
            ("if-modified-since", NOW, NotModified),
            ("if-modified-since", NEW, NotModified),
            ("if-modified-since", "Sunday, 06-Nov-94 08:49:37 GMT", NotModified),
            ("if-modified-since", "yesterday", Proceed),
            // §13.1.4
            ("if-unmodified-since", OLD, Failed),
            ("if-unmodified-since", NOW, Proceed),
            ("if-unmodified-since", NEW, Proceed),
            ("if-unmodified-since", "yesterday", Proceed),
        ] {
            assert_eq!(verdict(&[(name, value)]), expected, "{name}: {value}");
        }
    }

    #[test]
    fn the_order_is_that_of_the_rfc() {
        use Verdict::{Failed, NotModified, Proceed};
        // RFC 9110 §13.2.2: a tag counts, and the date beside it does not.
        assert_eq!(verdict(&[("if-match", "\"a\""), ("if-unmodified-since", OLD)]), Proceed);
        assert_eq!(verdict(&[("if-match", "\"b\""), ("if-unmodified-since", NEW)]), Failed);
        assert_eq!(verdict(&[("if-none-match", "\"b\""), ("if-modified-since", NEW)]), Proceed);
        assert_eq!(verdict(&[("if-none-match", "\"a\""), ("if-modified-since", OLD)]), NotModified);
        // What fails comes before what is not modified.
        assert_eq!(verdict(&[("if-match", "\"b\""), ("if-none-match", "\"a\"")]), Failed);
        assert_eq!(verdict(&[("if-match", "\"a\""), ("if-none-match", "\"a\"")]), NotModified);
        assert_eq!(verdict(&[]), Proceed);
    }

    #[test]
    fn without_validators_dates_say_nothing_and_tags_do_not_match() {
        let bare = HeaderMap::new();
        let of = |name, value| {
            let conditions = Conditions::of(&map(&[(name, value)])).unwrap();
            conditions.evaluate(StatusCode::OK, &bare)
        };
        assert_eq!(of("if-modified-since", NEW), Verdict::Proceed);
        assert_eq!(of("if-unmodified-since", OLD), Verdict::Proceed);
        assert_eq!(of("if-none-match", "\"a\""), Verdict::Proceed);
        assert_eq!(of("if-match", "\"a\""), Verdict::Failed);
    }

    #[test]
    fn only_successes_are_subject_to_conditions() {
        let conditions = Conditions::of(&map(&[("if-none-match", "*")])).unwrap();
        for status in [301, 304, 404, 500] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(conditions.evaluate(status, &HeaderMap::new()), Verdict::Proceed);
        }
    }
}
