//! Entity tags: grammar, comparisons, lists, weakening.

use http::header::IF_NONE_MATCH;
use proptest::prelude::*;

use super::*;

fn tag(text: &str) -> Option<EntityTag> {
    EntityTag::parse(&HeaderValue::from_bytes(text.as_bytes()).unwrap())
}

fn tags(lines: &[&str]) -> Option<EntityTags> {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(IF_NONE_MATCH, HeaderValue::from_str(line).unwrap());
    }
    EntityTags::parse(&headers, &IF_NONE_MATCH)
}

#[test]
fn tags_of_the_grammar_and_others() {
    for text in ["\"\"", "\"a\"", "W/\"a\"", "\"a,b\\\"", "\"é\""] {
        assert_eq!(tag(text).unwrap().to_value(), text, "{text}");
    }
    for text in ["", "a", "\"a", "w/\"a\"", "W/ \"a\"", "\"a b\"", "\"a\"b", "\"a\",\"b\""] {
        assert_eq!(tag(text), None, "{text}");
    }
}

#[test]
fn the_comparisons_of_the_rfc_table() {
    // RFC 9110 §8.8.3.2, table 3.
    for (one, two, strong, weak) in [
        ("W/\"1\"", "W/\"1\"", false, true),
        ("W/\"1\"", "W/\"2\"", false, false),
        ("W/\"1\"", "\"1\"", false, true),
        ("\"1\"", "\"1\"", true, true),
    ] {
        let (one, two) = (tag(one).unwrap(), tag(two).unwrap());
        assert_eq!((one.strong_eq(&two), one.weak_eq(&two)), (strong, weak));
    }
}

#[test]
fn lists_of_conditional_requests() {
    let list = |texts: &[&str]| {
        let tags = texts.iter().map(|text| tag(text).unwrap());
        Some(EntityTags::List(tags.collect()))
    };
    for (lines, expected) in [
        (&["*"][..], Some(EntityTags::Any)),
        (&["*", "\"a\""], list(&["\"a\""])),
        (&["*, \"a\""], list(&["\"a\""])),
        (&["\"a\" , W/\"b,c\",,"], list(&["\"a\"", "W/\"b,c\""])),
        (&["\"a\\\", \"b\""], list(&["\"a\\\"", "\"b\""])),
        (&["\"a\"", "\"b\""], list(&["\"a\"", "\"b\""])),
        (&["bad, \"b\""], list(&["\"b\""])),
        (&["\"a\"x, \"b\""], list(&["\"b\""])),
        (&["\"open"], list(&[])),
        (&[], None),
    ] {
        assert_eq!(tags(lines), expected, "{lines:?}");
    }
}

#[test]
fn weakening() {
    for (before, after) in [("\"a\"", Some("W/\"a\"")), ("W/\"a\"", Some("W/\"a\"")), ("a", None)] {
        let mut headers = HeaderMap::new();
        headers.insert(ETAG, HeaderValue::from_static(before));
        EntityTag::weaken(&mut headers);
        let found = headers.get(ETAG).map(|value| value.to_str().unwrap());
        assert_eq!(found, after);
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(text in "[!#-~]{0,20}", weak: bool) {
        let tag = EntityTag { weak, ..EntityTag::new(text).unwrap() };
        prop_assert_eq!(EntityTag::parse(&tag.to_value()).unwrap(), tag);
    }

    #[test]
    fn no_list_panics(line in "[W/\", \\\\*a]{0,30}") {
        prop_assert!(tags(&[&line]).is_some());
    }
}
