//! The rules on any exchange: a request, what is stored, an update, and a time.
#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use libfuzzer_sys::fuzz_target;
use vcache::http::policy::{
    Decision, Form, Rules, Wish, admit, admit_part, condition, decide, form, invalidate, merge_304,
    merge_head, merge_part, select,
};
use vcache::http::{Exchange, Key};

/// The fields that the rules read.
const NAMES: [&str; 24] = [
    "accept-encoding",
    "accept-language",
    "age",
    "authorization",
    "cache-control",
    "cdn-cache-control",
    "connection",
    "content-encoding",
    "content-location",
    "content-range",
    "cookie",
    "date",
    "etag",
    "expires",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "last-modified",
    "location",
    "pragma",
    "range",
    "set-cookie",
    "vary",
    "x-other",
];

/// A block of lines, each with the number of its name in front.
fn fields(block: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in block.split(|byte| *byte == b'\n') {
        let Some((name, value)) = line.split_first() else {
            continue;
        };
        let name = NAMES[usize::from(*name) % NAMES.len()];
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    headers
}

fuzz_target!(|data: &[u8]| {
    let Some((numbers, rest)) = data.split_at_checked(6) else {
        return;
    };
    let mut blocks = rest.split(|byte| *byte == 0);
    let mut block = || fields(blocks.next().unwrap_or_default());
    let (request, response, update) = (block(), block(), block());
    let number = |at: usize| u64::from(numbers[at]) << 8 | u64::from(numbers[at + 1]);
    let Ok(status) = StatusCode::from_u16(100 + (number(0) % 900) as u16) else {
        return;
    };
    let received = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let now = received + Duration::from_secs(number(2));
    let exchange = Exchange { requested: received, received };
    let rules = Rules::default();
    let asked = (&Method::GET, &request);
    let admitted = admit(asked, (status, &response), &rules, exchange);
    let _ = admit_part(asked, (StatusCode::PARTIAL_CONTENT, &response), &rules, exchange);
    let wish = Wish::new(&request, true);
    let decision = decide(&wish, admitted.as_ref().ok(), now);
    if let Ok(terms) = &admitted {
        assert!(decision != Decision::Hit || terms.is_fresh(now));
        let is_stale = matches!(decision, Decision::Stale { .. });
        assert!(!is_stale || !(terms.forbids_stale() || terms.is_fresh(now)));
        let variant = terms.variant(&request);
        assert!(select([(&variant, &())], &request).is_some());
    }
    let length = number(4);
    match form(asked, (status, &response), (length, 16), now) {
        Form::Part(part) => assert!(part.start < part.end && part.end <= length),
        Form::Parts(parts) => {
            let total: u64 = parts.iter().map(|part| part.end - part.start).sum();
            assert!(parts.len() > 1 && total <= length);
        }
        _ => {}
    }
    let mut validation = request.clone();
    condition(&mut validation, &response);
    let _ = (merge_304(&response, &update), merge_head(&response, &update));
    let _ = merge_part(&response, &update);
    if let Some(target) = Key::of_url("http://a.test/b/c?d") {
        for key in invalidate(&Method::POST, &target, (status, &update)) {
            assert_eq!(key.split_origin().0, "http://a.test");
        }
    }
});
