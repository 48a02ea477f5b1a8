//! A decision costs no allocation, whatever the request says.
#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::time::{Duration, UNIX_EPOCH};

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use vcache::http::Exchange;
use vcache::http::policy::{Decision, Rules, Wish, admit, decide};

fn fields(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers
}

#[test]
fn a_decision_on_a_stored_response_allocates_nothing() {
    let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let exchange = Exchange { requested: now, received: now };
    let stored = fields(&[
        ("cache-control", "max-age=60, stale-while-revalidate=30"),
        ("vary", "accept-encoding, cookie"),
        ("etag", "\"1\""),
    ]);
    let response = (StatusCode::OK, &stored);
    let request = (&Method::GET, &HeaderMap::new());
    let terms = admit(request, response, &Rules::default(), exchange).unwrap();
    for (request, after, decision) in [
        (fields(&[("cookie", "a=1"), ("accept", "*/*")]), 5, Decision::Hit),
        (fields(&[("cache-control", "max-age=30, min-fresh=5")]), 5, Decision::Hit),
        (fields(&[("pragma", "no-cache")]), 5, Decision::Validate { asked: true }),
        (fields(&[("cache-control", "no-cache")]), 5, Decision::Validate { asked: true }),
        (fields(&[("authorization", "Basic x")]), 75, Decision::Stale { refresh: true }),
    ] {
        let mut decided = Decision::Miss;
        let now = now + Duration::from_secs(after);
        let info = allocation_counter::measure(|| {
            let wish = Wish::new(&request, true);
            decided = decide(&wish, Some(&terms), now);
        });
        assert_eq!((decided, info.count_total), (decision, 0), "{request:?}");
    }
}
