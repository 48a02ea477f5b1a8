//! Every parser of field values, with any bytes that a field may hold.
#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_NONE_MATCH, RANGE, VARY,
};
use libfuzzer_sys::fuzz_target;
use vhttp::{ByteRanges, CacheControl, ContentRange, EntityTag, EntityTags};

fuzz_target!(|data: &[u8]| {
    let targeted = HeaderName::from_static("cdn-cache-control");
    let names =
        [ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_RANGE, ETAG, IF_NONE_MATCH, RANGE, VARY, targeted];
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        let Ok(value) = HeaderValue::from_bytes(line) else {
            continue;
        };
        for name in &names {
            headers.append(name, value.clone());
        }
        check(&HeaderMap::from_iter(names.iter().map(|name| (name.clone(), value.clone()))));
    }
    check(&headers);
    if let Ok(text) = std::str::from_utf8(data) {
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        if let Some(date) = vhttp::date::parse_at(text, now) {
            let written = vhttp::date::format(date);
            assert_eq!(vhttp::date::parse_at(&written, now), Some(date));
        }
        let _ = vcache::http::Key::of_url(text);
    }
});

fn check(headers: &HeaderMap) {
    let controls = [
        Some(CacheControl::response(headers)),
        Some(CacheControl::request(headers)),
        CacheControl::targeted(headers, &HeaderName::from_static("cdn-cache-control")),
    ];
    for control in controls.into_iter().flatten() {
        assert!(control.max_age.is_none_or(|seconds| seconds <= 1 << 31));
        assert!(control.s_maxage.is_none_or(|seconds| seconds <= 1 << 31));
    }
    if let Some(ranges) = ByteRanges::parse(headers, 16) {
        assert!((1..=16).contains(&ranges.as_slice().len()));
        for part in ranges.as_slice().iter().filter_map(|range| range.resolve(1000)) {
            assert!(part.start < part.end && part.end <= 1000);
        }
    }
    if let Some(part) = ContentRange::of(headers) {
        let written = HeaderMap::from_iter([(CONTENT_RANGE, part.to_value())]);
        assert_eq!(ContentRange::of(&written), Some(part));
    }
    if let Some(tag) = EntityTag::of(headers) {
        assert_eq!(EntityTag::parse(&tag.to_value()), Some(tag));
    }
    let _ = EntityTags::parse(headers, &IF_NONE_MATCH);
    let _ = vhttp::weighted::parse(headers, &ACCEPT_ENCODING);
    let _ = vcache::http::vary_names(headers);
}
