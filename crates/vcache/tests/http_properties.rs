//! What holds for every input: freshness never overflows, variants never mix, nothing panics.
#![cfg(feature = "http")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use proptest::collection::vec;
use proptest::prelude::*;
use vcache::http::policy::{
    Decision, Form, Rules, Wish, admit, admit_part, condition, decide, form, if_range, invalidate,
    is_for_client, merge_304, merge_head, merge_part, not_modified, select,
};
use vcache::http::{Exchange, Freshness, Key, VaryKey, vary_names};

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn headers(lines: &[(&'static str, String)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

/// Fields that a cache reads, with values that are near the grammar or anything.
fn any_headers() -> impl Strategy<Value = HeaderMap> {
    let names = [
        "cache-control",
        "age",
        "date",
        "expires",
        "vary",
        "etag",
        "last-modified",
        "pragma",
        "if-none-match",
        "if-modified-since",
        "if-range",
        "range",
        "content-range",
        "cdn-cache-control",
        "content-language",
        "connection",
        "location",
        "content-location",
        "set-cookie",
        "cookie",
        "authorization",
    ];
    let directive = "((max-age|s-maxage|max-stale|min-fresh|stale-while-revalidate|no-cache|private|public|must-revalidate|only-if-cached)(=\"?[0-9a-z]{0,12}\"?)?, ?){0,4}";
    let value = prop_oneof![
        directive.prop_map(|text| text),
        "[ -~]{0,30}".prop_map(|text| text),
        "[0-9]{0,25}".prop_map(|text| text),
        (0u64..5_000_000_000).prop_map(|n| vhttp::date::format(at(n))),
    ];
    vec((prop::sample::select(names.to_vec()), value), 0..6).prop_map(|lines| headers(&lines))
}

proptest! {
    /// Fresh, stale and the remaining time never contradict each other, at any time at all.
    #[test]
    fn freshness_is_one_story(
        age in "[0-9]{0,25}",
        lifetime in 0u64..=(1 << 31),
        sent in 0u64..5_000_000_000,
        delay in 0u64..1000,
        dated in 0u64..5_000_000_000,
        now in 0u64..9_000_000_000,
    ) {
        let response = headers(&[("age", age), ("date", vhttp::date::format(at(dated)))]);
        let exchange = Exchange { requested: at(sent), received: at(sent + delay) };
        let freshness = Freshness::new(&response, Duration::from_secs(lifetime), exchange);
        let now = at(now);
        let fresh = freshness.is_fresh(now);
        prop_assert_eq!(fresh, !freshness.remaining(now).is_zero());
        prop_assert_eq!(fresh, freshness.ttl(now) > 0);
        prop_assert!(!fresh || freshness.staleness(now).is_zero());
        prop_assert!(freshness.age(now) >= freshness.initial_age());
        // Time only makes it older.
        let later = now + Duration::from_secs(1);
        prop_assert!(freshness.age(later) >= freshness.age(now));
        prop_assert!(fresh || !freshness.is_fresh(later));
    }

    /// A request finds what an equal one stored, and what it finds was stored for equal values.
    #[test]
    fn variants_never_mix(
        stored in vec("[a-c, \"]{0,6}", 0..3),
        asked in vec("[a-c, \"]{0,6}", 0..3),
    ) {
        let request = |lines: &[String]| {
            let lines: Vec<_> = lines.iter().map(|line| ("foo", line.trim().to_owned())).collect();
            headers(&lines)
        };
        let foo = HeaderName::from_static("foo");
        let key = VaryKey::new(std::slice::from_ref(&foo), &request(&stored));
        prop_assert!(select([(&key, &())], &request(&stored)).is_some());
        if select([(&key, &())], &request(&asked)).is_some() {
            let plain = |lines: &[String]| lines.join(",").replace([' ', '\t'], "");
            prop_assert_eq!(plain(&stored), plain(&asked));
            prop_assert_eq!(stored.is_empty(), asked.is_empty());
        }
    }

    /// The order of codings is the only thing that may differ between requests of one variant.
    #[test]
    fn codings_in_any_order_are_one_variant(
        codings in vec("(gzip|br|zstd|\\*)(;q=0\\.[0-9])?", 1..5),
        seed in any::<u64>(),
    ) {
        let mut shuffled = codings.clone();
        let turn = usize::try_from(seed % codings.len() as u64).unwrap();
        shuffled.rotate_left(turn);
        let name = "accept-encoding";
        let request = |list: &[String], by: &str| headers(&[(name, list.join(by))]);
        let names = [HeaderName::from_static(name)];
        let key = VaryKey::new(&names, &request(&codings, ", "));
        prop_assert!(select([(&key, &())], &request(&shuffled, ",")).is_some());
    }

    /// Whatever is sent: no panic, and the promises that every answer rests on.
    #[test]
    fn the_rules_hold_for_any_exchange(
        request in any_headers(),
        response in any_headers(),
        status in 100u16..999,
        sent in 0u64..5_000_000_000,
        now in 0u64..9_000_000_000,
    ) {
        let exchange = Exchange { requested: at(sent), received: at(sent) };
        let status = StatusCode::from_u16(status).unwrap();
        let rules = Rules::default();
        let admitted = admit((&Method::GET, &request), (status, &response), &rules, exchange);
        let wish = Wish::new(&request, true);
        let _ = admit_part((&Method::GET, &request), (status, &response), &rules, exchange);
        if let Ok(terms) = &admitted {
            prop_assert!(!response.contains_key("set-cookie") || !terms.is_assumed());
            let decision = decide(&wish, Some(terms), at(now));
            if let Decision::Stale { .. } = decision {
                prop_assert!(!terms.forbids_stale() && !terms.is_fresh(at(now)));
            }
            prop_assert!(decision != Decision::Hit || terms.is_fresh(at(now)));
        }
        let asks = |decision| matches!(decision, Decision::Miss | Decision::Validate { .. });
        prop_assert!(!(wish.only_if_cached && asks(decide(&wish, admitted.as_ref().ok(), at(now)))));
        let _ = (vary_names(&response), not_modified(&request, (status, &response), at(now)));
        if let Some(merged) = merge_304(&response, &request) {
            prop_assert!(request.keys().all(|n| merged.contains_key(n) || n == "connection"
                || n == "age" || n == "content-range" || request.contains_key("connection")));
        }
        let target = Key::of_url("http://a.test/b/c?d").unwrap();
        for key in invalidate(&Method::POST, &target, (status, &response)) {
            prop_assert_eq!(key.split_origin().0, "http://a.test");
        }
    }

    /// However ranges overlap: what is sent is never more than there is, each byte once.
    #[test]
    fn parts_never_overlap(
        ranges in vec((0u64..2000, 0u64..400), 1..16),
        length in 1u64..2000,
    ) {
        let list: Vec<_> =
            ranges.iter().map(|(first, more)| format!("{first}-{}", first + more)).collect();
        let request = headers(&[("range", format!("bytes={}", list.join(",")))]);
        let stored = (StatusCode::OK, &HeaderMap::new());
        let found = form((&Method::GET, &request), stored, (length, 16), at(0));
        let satisfiable = ranges.iter().any(|(first, _)| *first < length);
        prop_assert_eq!(found == Form::Unsatisfiable, !satisfiable);
        let mut parts = match found {
            Form::Part(part) => vec![part],
            Form::Parts(parts) => parts,
            _ => Vec::new(),
        };
        for (first, more) in ranges {
            // Everything that was asked for and is there is sent.
            let wanted = first..(first + more + 1).min(length);
            let has = |part: &std::ops::Range<u64>| part.start <= wanted.start && wanted.end <= part.end;
            prop_assert!(wanted.is_empty() || parts.iter().any(has));
        }
        parts.sort_unstable_by_key(|part| part.start);
        prop_assert!(parts.iter().all(|part| part.start < part.end && part.end <= length));
        // Nearer parts would have become one.
        prop_assert!(parts.windows(2).all(|two| two[0].end + 80 < two[1].start));
    }

    /// A validation names what is stored first, and no condition of the client's own remains.
    #[test]
    fn validations_ask_for_what_is_stored(request in any_headers(), stored in any_headers()) {
        let mut asked = request.clone();
        condition(&mut asked, &stored);
        let tag = asked.get("if-none-match").map(HeaderValue::as_bytes);
        let own = stored.get("etag").map(HeaderValue::as_bytes);
        prop_assert_eq!(tag.is_some(), own.is_some());
        prop_assert!(tag.is_none_or(|tag| tag.starts_with(own.unwrap())));
        prop_assert_eq!(asked.get("if-modified-since"), stored.get("last-modified"));
        prop_assert!(asked.get_all("if-none-match").iter().count() <= 1);
        let _ = (is_for_client(&request, &stored), if_range(&request, &stored, at(0)));
        let _ = (merge_head(&stored, &request), merge_part(&stored, &request));
    }

    #[test]
    fn no_url_panics(url in "[ -~]{0,40}") {
        if let Some(key) = Key::of_url(&url) {
            let (origin, path) = key.split_origin();
            prop_assert!(path.starts_with('/') && origin.contains("://"));
            prop_assert_eq!(Key::of_url(key.as_str()), Some(key));
        }
    }
}
