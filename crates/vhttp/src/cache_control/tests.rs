//! `Cache-Control`: the grammar as a table, doubt on the safe side.

use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn headers(lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(CACHE_CONTROL, HeaderValue::from_str(line).unwrap());
    }
    headers
}

fn response(line: &str) -> CacheControl {
    CacheControl::response(&headers(&[line]))
}

fn request(line: &str) -> CacheControl {
    CacheControl::request(&headers(&[line]))
}

#[test]
fn seconds_are_strict_and_saturate() {
    for (text, seconds) in [
        ("max-age=60", 60),
        ("MAX-AGE=\"60\"", 60),
        ("max-age=0060", 60),
        ("max-age=2147483647", 2_147_483_647),
        ("max-age=2147483648", MAX_SECONDS),
        ("max-age=99999999999999999999999", MAX_SECONDS),
        ("max-age", 0),
        ("max-age=", 0),
        ("max-age='60'", 0),
        ("max-age=-1", 0),
        ("max-age=+1", 0),
        ("max-age=60a", 0),
        ("max-age= 60", 0),
        ("max-age =60", 0),
        ("max-age=1.5", 0),
        ("max-age=60, max-age=10", 10),
        ("max-age=10, max-age=60", 10),
        ("max-age=60, max-age=x", 0),
    ] {
        assert_eq!(response(text).max_age, Some(seconds), "{text}");
    }
}

#[test]
fn a_directive_inside_a_quoted_string_does_not_count() {
    assert_eq!(response("note=\"a, max-age=60, b\"").max_age, None);
}

#[test]
fn every_line_counts() {
    let control = CacheControl::response(&headers(&["max-age=60", "No-Store"]));
    assert_eq!((control.max_age, control.no_store), (Some(60), true));
}

#[test]
fn field_names_qualify_no_cache_and_private() {
    let named = |names: &[&'static str]| {
        let names = names.iter().copied().map(HeaderName::from_static);
        Some(Fields::Named(names.collect()))
    };
    for (text, fields) in [
        ("private", Some(Fields::All)),
        ("private=\"\"", Some(Fields::All)),
        ("private=\"set-cookie, X-User\"", named(&["set-cookie", "x-user"])),
        ("private=set-cookie", Some(Fields::All)),
        ("private=1", Some(Fields::All)),
        ("private=\"a\", private=b", Some(Fields::All)),
        ("private=\"bad name\"", Some(Fields::All)),
        ("private=\"open", Some(Fields::All)),
        ("private=\"a\", private=\"b\"", named(&["a", "b"])),
        ("private=\"a\", private", Some(Fields::All)),
        ("private, private=\"a\"", Some(Fields::All)),
    ] {
        assert_eq!(response(text).private, fields, "{text}");
        let text = text.replace("private", "no-cache");
        assert_eq!(response(&text).no_cache, fields, "{text}");
    }
}

#[test]
fn request_directives() {
    let control = request("max-stale, min-fresh=5, min-fresh=9, only-if-cached, no-cache=x");
    assert_eq!(control.max_stale, Some(MAX_SECONDS));
    assert_eq!(control.min_fresh, Some(9));
    assert_eq!(control.no_cache, Some(Fields::All));
    assert!(control.only_if_cached);
    assert_eq!(request("max-stale=30, max-stale").max_stale, Some(30));
    assert_eq!(request("max-stale=x").max_stale, Some(0));
    assert_eq!(request("min-fresh=x").min_fresh, Some(MAX_SECONDS));
}

#[test]
fn response_directives() {
    let control = response(
        "s-maxage=1, public, must-revalidate, proxy-revalidate, must-understand, \
         no-transform, immutable, stale-while-revalidate=2, stale-if-error=3, unknown=4",
    );
    let expected = CacheControl {
        s_maxage: Some(1),
        public: true,
        must_revalidate: true,
        proxy_revalidate: true,
        must_understand: true,
        no_transform: true,
        immutable: true,
        stale_while_revalidate: Some(2),
        stale_if_error: Some(3),
        ..CacheControl::default()
    };
    assert_eq!(control, expected);
}

#[test]
fn what_the_other_side_alone_may_say_is_ignored() {
    let line = "private, public, s-maxage=1, immutable, must-revalidate";
    assert_eq!(request(line), CacheControl::default());
    let line = "max-stale=1, min-fresh=1, only-if-cached";
    assert_eq!(response(line), CacheControl::default());
}

proptest! {
    #[test]
    fn no_value_panics(value in "[ -~]{0,60}") {
        let _ = (request(&value), response(&value));
    }

    #[test]
    fn a_further_directive_never_loosens(first in 0u64..100, more in "[a-z0-9=\", -]{0,20}") {
        let control = response(&format!("max-age={first}, no-store, {more}"));
        prop_assert!(control.max_age.unwrap() <= first && control.no_store);
    }
}
