//! Names that others choose: tags, cache groups, idempotency keys; any bytes that a field may hold.
#![no_main]

use http::header::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use vcache::http::fuzzing;

fuzz_target!(|data: &[u8]| {
    let names = [
        "surrogate-key",
        "cache-tag",
        "cache-groups",
        "cache-group-invalidation",
        "idempotency-key",
    ];
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        let Ok(value) = HeaderValue::from_bytes(line) else {
            continue;
        };
        let alone = names.iter().map(|name| (HeaderName::from_static(name), value.clone()));
        let alone = HeaderMap::from_iter(alone);
        fuzzing::tags(&alone);
        fuzzing::idempotency_key(&alone);
        for name in names {
            headers.append(name, value.clone());
        }
    }
    fuzzing::tags(&headers);
    fuzzing::idempotency_key(&headers);
});
