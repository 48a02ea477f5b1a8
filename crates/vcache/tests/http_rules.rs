//! The rules of a shared cache, one row each, named by the section of the RFC.
#![cfg(feature = "http")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use vcache::http::policy::{Decision, Refusal, Rules, Wish, admit, decide, merge_304, select};
use vcache::http::{Exchange, SetCookie, Terms, VaryKey, vary_names};

const NOON: &str = "Sun, 06 Nov 2022 12:00:00 GMT";

/// Fields from text, a line each.
fn fields(text: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in text.split('\n').filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap();
        let name = HeaderName::from_bytes(name.trim().as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value.trim()).unwrap());
    }
    headers
}

fn noon() -> SystemTime {
    vhttp::date::parse(NOON).unwrap()
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Admits the answer to a GET that was received at noon without delay.
fn admitted(request: &str, status: u16, response: &str, rules: Rules) -> Result<Terms, Refusal> {
    let exchange = Exchange { requested: noon(), received: noon() };
    admit(
        (&Method::GET, &fields(request)),
        (StatusCode::from_u16(status).unwrap(), &fields(response)),
        rules,
        exchange,
    )
}

fn terms(response: &str) -> Terms {
    admitted("", 200, response, Rules::default()).unwrap()
}

#[rustfmt::skip]
const LIFETIMES: &[(&str, &str, u64)] = &[
    // RFC 9111 §4.2.1: the order of precedence.
    ("§4.2.1", "cache-control: s-maxage=5, max-age=9\nexpires: 0", 5),
    ("§4.2.1", "cache-control: max-age=9\nexpires: Sun, 06 Nov 2022 13:00:00 GMT", 9),
    ("§4.2.1", "date: Sun, 06 Nov 2022 12:00:00 GMT\nexpires: Sun, 06 Nov 2022 13:00:00 GMT", 3600),
    // §5.3: without a Date, or with one that is none, the time of receipt counts.
    ("§5.3", "expires: Sun, 06 Nov 2022 12:01:00 GMT", 60),
    ("§5.3", "date: today\nexpires: Sun, 06 Nov 2022 12:01:00 GMT", 60),
    ("§5.3", "date: Sun, 06 Nov 2022 11:00:00 GMT\nexpires: Sunday, 06-Nov-22 12:00:00 GMT\netag: \"1\"", 3600),
    ("§5.3", "expires: Sun Nov  6 12:01:00 2022", 60),
    // §1.2.2: digits without end saturate at 2^31.
    ("§1.2.2", "cache-control: max-age=2147483647", 2_147_483_647),
    ("§1.2.2", "cache-control: max-age=99999999999999999999999", 2_147_483_648),
    ("§1.2.2", "cache-control: max-age=\"0060\"", 60),
    // §5.2: letter case of names.
    ("§5.2", "cache-control: MaX-aGe=60", 60),
    // §4.2.1: of two values the smaller.
    ("§4.2.1", "cache-control: max-age=60\ncache-control: max-age=10", 10),
    // Stale at once, but there is a validator.
    ("§4.2.1", "cache-control: max-age=-1\netag: \"1\"", 0),
    ("§4.2.1", "cache-control: max-age=60a\netag: \"1\"", 0),
    ("§5.3", "expires: 0\netag: \"1\"", 0),
    ("§5.3", "expires: Sun, 06 Nov 2022 13:00:00 UTC\netag: \"1\"", 0),
    ("§5.3", "expires: Sun, 06 Nov 2022 13:00:00 GMT\nexpires: Sun, 06 Nov 2022 13:00:00 GMT\netag: \"1\"", 0),
    ("§5.3", "expires: Sun, 06 Nov 2022 11:00:00 GMT\netag: \"1\"", 0),
    // §5.2.2.4: asked about at every use, no lifetime is needed.
    ("§5.2.2.4", "cache-control: no-cache\netag: \"1\"", 0),
];

#[test]
fn lifetimes() {
    for &(section, response, lifetime) in LIFETIMES {
        let terms = terms(response);
        assert_eq!(terms.freshness().lifetime(), seconds(lifetime), "{section}: {response}");
    }
}

#[rustfmt::skip]
const AGES: &[(&str, &str, u64, u64)] = &[
    // RFC 9111 §5.1: the first number of the first line.
    ("§5.1", "age: 10", 0, 10),
    ("§5.1", "age: 0, 7200", 0, 0),
    ("§5.1", "age: 7200, 0", 0, 7200),
    ("§5.1", "age: 5\nage: 9", 0, 5),
    ("§5.1", "age: -1", 0, 0),
    ("§5.1", "age: 1.5", 0, 0),
    ("§5.1", "age: abc", 0, 0),
    ("§5.1", "age: ", 0, 0),
    ("§5.1", "age: 99999999999999999999", 0, 2_147_483_648),
    // §4.2.3: the larger of apparent age, and age with the delay.
    ("§4.2.3", "", 3, 3),
    ("§4.2.3", "age: 10", 3, 13),
    ("§4.2.3", "date: Sun, 06 Nov 2022 11:59:00 GMT", 3, 60),
    ("§4.2.3", "date: Sun, 06 Nov 2022 11:59:00 GMT\nage: 90", 3, 93),
    ("§4.2.3", "date: Sun, 06 Nov 2022 12:01:00 GMT", 0, 0),
    ("§4.2.3", "date: none", 0, 0),
];

#[test]
fn ages() {
    for &(section, response, delay, age) in AGES {
        let exchange = Exchange { requested: noon() - seconds(delay), received: noon() };
        let response = fields(response);
        let freshness = vcache::http::Freshness::new(&response, seconds(100), exchange);
        assert_eq!(freshness.age(noon()), seconds(age), "{section}: {response:?}");
        assert_eq!(freshness.age(noon() + seconds(7)), seconds(age + 7));
        // A clock that goes back makes nothing younger.
        assert_eq!(freshness.age(noon() - seconds(7)), seconds(age));
    }
}

const FRESH: &str = "cache-control: max-age=60";

#[rustfmt::skip]
const STORING: &[(&str, &str, u16, &str, Option<Refusal>)] = &[
    // RFC 9111 §3: any final status with explicit freshness.
    ("§3", "", 200, FRESH, None),
    ("§3", "", 299, FRESH, None),
    ("§3", "", 302, FRESH, None),
    ("§3", "", 404, FRESH, None),
    ("§3", "", 503, FRESH, None),
    ("§3", "", 599, FRESH, None),
    ("§3", "", 103, FRESH, Some(Refusal::Status)),
    ("§3", "", 206, FRESH, Some(Refusal::Status)),
    ("§3", "", 304, FRESH, Some(Refusal::Status)),
    ("§3", "", 600, FRESH, Some(Refusal::Status)),
    ("§3", "", 200, "", Some(Refusal::NoLifetime)),
    ("§3", "", 200, "etag: \"1\"", Some(Refusal::NoLifetime)),
    ("§3.3", "range: bytes=0-1", 200, FRESH, Some(Refusal::Range)),
    // §5.2.1.5, §5.2.2.5: no-store of either side.
    ("§5.2.1.5", "cache-control: no-store", 200, FRESH, Some(Refusal::NoStore)),
    ("§5.2.2.5", "", 200, "cache-control: max-age=60, No-Store", Some(Refusal::NoStore)),
    ("§5.2", "", 200, "cache-control: max-age=60, x=\"no-store\"", None),
    // §5.2.2.3: must-understand overrides no-store for statuses that we know.
    ("§5.2.2.3", "", 200, "cache-control: max-age=60, no-store, must-understand", None),
    ("§5.2.2.3", "", 599, "cache-control: max-age=60, no-store, must-understand", Some(Refusal::NotUnderstood)),
    ("§5.2.2.3", "", 599, "cache-control: max-age=60, must-understand", Some(Refusal::NotUnderstood)),
    // §5.2.2.7: private, as a whole and for some fields.
    ("§5.2.2.7", "", 200, "cache-control: max-age=60, private", Some(Refusal::Private)),
    ("§5.2.2.7", "", 200, "cache-control: max-age=60, private=\"x\"", None),
    // §3.5: requests with credentials.
    ("§3.5", "authorization: Basic x", 200, FRESH, Some(Refusal::Authorization)),
    ("§3.5", "authorization: Basic x", 200, "cache-control: max-age=60, public", None),
    ("§3.5", "authorization: Basic x", 200, "cache-control: max-age=60, must-revalidate", None),
    ("§3.5", "authorization: Basic x", 200, "cache-control: s-maxage=60", None),
    ("§3.5", "authorization: Basic x", 200, "cache-control: max-age=60, proxy-revalidate", Some(Refusal::Authorization)),
    // §7.3: cookies, by default.
    ("§7.3", "", 200, "cache-control: max-age=60\nset-cookie: a=1", Some(Refusal::SetCookie)),
    ("§7.3", "cookie: a=1", 200, FRESH, None),
    // §4.1, RFC 9110 §12.5.5: Vary.
    ("§4.1", "", 200, "cache-control: max-age=60\nvary: *", Some(Refusal::Vary)),
    ("§4.1", "", 200, "cache-control: max-age=60\nvary: a, *", Some(Refusal::Vary)),
    ("§4.1", "", 200, "cache-control: max-age=60\nvary: , *", Some(Refusal::Vary)),
    ("§4.1", "", 200, "cache-control: max-age=60\nvary: a\nvary: *", Some(Refusal::Vary)),
    ("§4.1", "", 200, "cache-control: max-age=60\nvary: not a name", Some(Refusal::Vary)),
    ("§4.1", "", 200, "cache-control: max-age=60\nvary: Accept, , ACCEPT", None),
    // §4.2.4, §4.3.1: stale at once, and nothing to validate with.
    ("§4.2.4", "", 200, "cache-control: max-age=0", Some(Refusal::NeverReusable)),
    ("§4.2.4", "", 200, "cache-control: max-age=60\nage: 60", Some(Refusal::NeverReusable)),
    ("§4.2.4", "", 200, "cache-control: max-age=60\nage: 59", None),
    ("§4.2.4", "", 200, "cache-control: max-age=0\netag: \"1\"", None),
    ("§4.2.4", "", 200, "cache-control: max-age=0, stale-while-revalidate=9", None),
    ("§4.2.4", "", 200, "cache-control: s-maxage=0, stale-while-revalidate=9", Some(Refusal::NeverReusable)),
    ("§5.2.2.4", "", 200, "cache-control: max-age=60, no-cache", Some(Refusal::NeverReusable)),
    ("§5.2.2.4", "", 200, "cache-control: max-age=60, no-cache\netag: \"1\"", None),
    ("§5.2.2.4", "", 200, "cache-control: max-age=60, no-cache=\"a\"", None),
    ("§7.3", "", 200, "cache-control: no-cache\netag: \"1\"\nset-cookie: a=1", Some(Refusal::SetCookie)),
];

#[test]
fn what_may_be_stored() {
    for &(section, request, status, response, refusal) in STORING {
        let admitted = admitted(request, status, response, Rules::default());
        assert_eq!(admitted.err(), refusal, "{section}: {request} {status} {response}");
    }
    let head = admit(
        (&Method::HEAD, &HeaderMap::new()),
        (StatusCode::OK, &fields(FRESH)),
        Rules::default(),
        Exchange { requested: noon(), received: noon() },
    );
    assert_eq!(head, Err(Refusal::Method), "§4: a HEAD's answer has no content");
}

#[rustfmt::skip]
const ASSUMING: &[(&str, u16, &str, bool)] = &[
    ("", 200, "", true),
    ("", 404, "", true),
    ("", 201, "", false),
    ("", 302, "", false),
    ("", 403, "", false),
    ("", 503, "", false),
    ("cookie: a=1", 200, "", false),
    ("authorization: Basic x", 200, "", false),
    ("", 200, "set-cookie: a=1", false),
    ("", 200, "cache-control: private", false),
    ("", 200, "cache-control: private=\"x\"", false),
    ("", 200, "cache-control: no-store", false),
    ("", 200, "cache-control: public", true),
];

#[test]
fn an_assumed_lifetime_needs_silence() {
    let rules = Rules { default_ttl: Some(seconds(10)), set_cookie: SetCookie::Store };
    for &(request, status, response, stored) in ASSUMING {
        let admitted = admitted(request, status, response, rules);
        let assumed = admitted.is_ok_and(|terms| terms.is_assumed());
        assert_eq!(assumed, stored, "{request} {status} {response}");
    }
    let terms = admitted("", 200, "cache-control: max-age=5", rules).unwrap();
    assert_eq!((terms.is_assumed(), terms.freshness().lifetime()), (false, seconds(5)));
}

const HIT: Decision = Decision::Hit;
const STALE: Decision = Decision::Stale { refresh: false };
const STALE_REFRESHED: Decision = Decision::Stale { refresh: true };
const VALIDATE: Decision = Decision::Validate { asked: false };
const ASKED: Decision = Decision::Validate { asked: true };
const SWR: &str = "cache-control: max-age=10, stale-while-revalidate=5";

#[rustfmt::skip]
const DECIDING: &[(&str, &str, &str, u64, Decision)] = &[
    ("§4.2", "", "cache-control: max-age=10", 9, HIT),
    ("§4.2", "", "cache-control: max-age=10", 10, VALIDATE),
    ("§5.2.2.4", "", "cache-control: max-age=10, no-cache\netag: \"1\"", 0, VALIDATE),
    ("§5.2.2.4", "", "cache-control: max-age=10, no-cache=\"a\"", 0, HIT),
    ("§5.2.1.4", "cache-control: no-cache", "cache-control: max-age=10", 0, ASKED),
    ("§5.4", "pragma: no-cache", "cache-control: max-age=10", 0, ASKED),
    ("§5.4", "pragma: no-cache\ncache-control: max-age=9", "cache-control: max-age=10", 0, HIT),
    ("RFC 5861 §3", "", SWR, 9, HIT),
    ("RFC 5861 §3", "", SWR, 10, STALE_REFRESHED),
    ("RFC 5861 §3", "", SWR, 15, STALE_REFRESHED),
    ("RFC 5861 §3", "", SWR, 16, VALIDATE),
    ("RFC 5861 §3", "cache-control: only-if-cached", SWR, 12, STALE),
    ("RFC 5861 §3", "cache-control: max-age=99", SWR, 12, VALIDATE),
    ("§5.2.2.2", "", "cache-control: max-age=10, stale-while-revalidate=5, must-revalidate", 11, VALIDATE),
    ("§5.2.2.8", "", "cache-control: max-age=10, stale-while-revalidate=5, proxy-revalidate", 11, VALIDATE),
    ("§5.2.2.10", "", "cache-control: s-maxage=10, stale-while-revalidate=5", 11, VALIDATE),
    ("§5.2.1.2", "cache-control: max-stale", "cache-control: max-age=10", 99, STALE),
    ("§5.2.2.2", "cache-control: max-stale", "cache-control: max-age=10, must-revalidate", 99, VALIDATE),
    ("§5.2.1.7", "cache-control: only-if-cached", "cache-control: max-age=10", 99, Decision::GatewayTimeout),
];

#[test]
fn decisions() {
    for &(section, request, response, after, decision) in DECIDING {
        let terms = terms(response);
        let wish = Wish::new(&fields(request), true);
        let decided = decide(&wish, Some(&terms), noon() + seconds(after));
        assert_eq!(decided, decision, "{section}: {request} / {response} after {after} s");
    }
    let wish = |request| Wish::new(&fields(request), true);
    assert_eq!(decide(&wish(""), None, noon()), Decision::Miss);
    let only = wish("cache-control: only-if-cached");
    assert_eq!(decide(&only, None, noon()), Decision::GatewayTimeout);
}

#[rustfmt::skip]
const VARYING: &[(&str, &str, &str, bool)] = &[
    // RFC 9111 §4.1: combined lines, white space around commas, missing and empty.
    ("vary: foo", "foo: 1", "foo: 1", true),
    ("vary: foo", "foo: 1", "foo: 2", false),
    ("vary: FOO", "foo: 1", "Foo: 1", true),
    ("vary: foo", "foo: 1", "FOO:1", true),
    ("vary: foo", "foo: a,b", "foo: a ,\tb", true),
    ("vary: foo", "foo: a\nfoo: b", "foo: a, b", true),
    ("vary: foo", "foo: 1\nfoo: 2", "foo: 1\nfoo: 3", false),
    ("vary: foo", "foo: a b", "foo: ab", false),
    ("vary: foo", "foo: \"a,b\"", "foo: \"a, b\"", false),
    ("vary: foo", "", "", true),
    ("vary: foo", "", "foo: ", false),
    ("vary: foo", "foo: a", "foo: A", false),
    ("vary: foo, bar", "foo: 1\nbar: 2", "foo: 1\nbar: 2\nbaz: 3", true),
    ("vary: foo\nvary: bar", "foo: 1\nbar: 2", "foo: 1\nbar: 3", false),
    ("", "foo: 1", "foo: 2", true),
    // RFC 9110 §12.5.3: neither order nor letter case means anything.
    ("vary: accept-encoding", "accept-encoding: gzip, br", "accept-encoding: BR,gzip;q=1", true),
    ("vary: accept-encoding", "accept-encoding: gzip", "accept-encoding: gzip, br", false),
    ("vary: accept-encoding", "accept-encoding: gzip;q=0", "accept-encoding: gzip", false),
    ("vary: accept-encoding", "accept-encoding: gzip;q=2", "accept-encoding: ", false),
    ("vary: accept-encoding", "", "accept-encoding: ", false),
    ("vary: accept-language", "accept-language: en, de", "accept-language: de, en", false),
];

#[test]
fn variants_are_chosen_by_the_fields_that_vary_names() {
    for &(vary, stored, asked, fits) in VARYING {
        let names = vary_names(&fields(vary)).unwrap();
        let key = VaryKey::new(&names, &fields(stored));
        let chosen = select([(&key, &())], &fields(asked));
        assert_eq!(chosen.is_some(), fits, "{vary} / {stored} / {asked}");
    }
}

#[test]
fn the_most_recent_of_several_variants_that_fit_is_chosen() {
    let request = fields("a: 1\nb: 2");
    let names = |text| vary_names(&fields(text)).unwrap();
    let keys = ["vary: a", "vary: a, b", ""].map(|text| VaryKey::new(&names(text), &request));
    let other = VaryKey::new(&names("vary: a"), &fields("a: 9"));
    let listed = [(&other, &0), (&keys[1], &1), (&keys[0], &2), (&keys[2], &3)];
    assert_eq!(select(listed, &request), Some(&1));
    assert_eq!(select(listed, &fields("a: 1")), Some(&2));
    assert_eq!(select(listed, &fields("")), Some(&3));
}

#[test]
fn a_304_updates_the_stored_fields() {
    // RFC 9111 §3.2, §4.3.4.
    let stored =
        fields("etag: \"1\"\nx-a: 1\nx-a: 2\nx-b: 1\ncontent-length: 5\ncontent-type: a/b");
    let update = fields(
        "etag: W/\"1\"\nx-a: 3\nx-a: 4\nx-c: 1\nconnection: x-d\nx-d: 1\ncontent-length: 0\n\
         content-type: c/d\ncontent-encoding: gzip\ncontent-range: bytes 0-1/2\nage: 9",
    );
    let merged = merge_304(&stored, &update).unwrap();
    let expected = fields(
        "content-length: 5\ncontent-type: a/b\nx-b: 1\netag: W/\"1\"\nx-a: 3\nx-a: 4\nx-c: 1",
    );
    assert_eq!(merged, expected);
    for (stored, update, same) in [
        ("etag: \"1\"", "", true),
        ("etag: \"1\"", "etag: \"1\"", true),
        ("etag: W/\"1\"", "etag: W/\"1\"", true),
        ("etag: \"1\"", "etag: \"2\"", false),
        ("", "etag: \"2\"", false),
    ] {
        let merged = merge_304(&fields(stored), &fields(update));
        assert_eq!(merged.is_some(), same, "{stored} / {update}");
    }
}
