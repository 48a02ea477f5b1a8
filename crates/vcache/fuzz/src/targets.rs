//! Targets and hosts of requests, made plain by the gateway or refused.
#![no_main]

#[path = "../../../vgate/src/normalise.rs"]
#[allow(dead_code, reason = "the gateway uses the rest")]
mod normalise;

use http::header::HOST;
use http::{HeaderValue, Request};
use libfuzzer_sys::fuzz_target;
use verve::http::Body;

fuzz_target!(|data: &[u8]| {
    let (host, target) = data.split_at(data.iter().position(|b| *b == b'\n').unwrap_or(0));
    let target = target.strip_prefix(b"\n").unwrap_or(target);
    let Ok(host) = HeaderValue::from_bytes(host) else {
        return;
    };
    let Ok(mut once) = Request::builder().uri(target).header(HOST, host).body(Body::empty()) else {
        return;
    };
    if normalise::normalise(&mut once).is_err() {
        return;
    }
    let path = once.uri().path();
    assert!(path.starts_with('/') && !path.contains('\\'));
    assert!(path.split('/').all(|segment| segment != "." && segment != ".."));
    let again = Request::builder().uri(once.uri()).header(HOST, &once.headers()[HOST]);
    let mut again = again.body(Body::empty()).expect("it is a request");
    assert!(normalise::normalise(&mut again).is_ok());
    assert_eq!((again.uri(), again.headers()), (once.uri(), once.headers()));
    let _ = normalise::host(&again);
});
