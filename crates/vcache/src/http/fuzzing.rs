//! The parsers that are not public, for the fuzzer.

use http::HeaderMap;

use crate::http::config::Config;
use crate::http::idempotency::read_key;

/// Reads tags, cache groups and what they invalidate.
pub fn tags(headers: &HeaderMap) {
    let Ok(rules) = Config::default().tag_rules() else {
        return;
    };
    if let Ok(tags) = rules.read(headers, "http://a.test") {
        assert!(tags.len() <= 128 && tags.is_sorted(), "each once, and not too many");
    }
    let _ = rules.invalidated(headers, "http://a.test");
}

/// Reads an `Idempotency-Key`.
pub fn idempotency_key(headers: &HeaderMap) {
    if let Ok(Some(key)) = read_key(headers, 64) {
        assert!(!key.is_empty() && key.len() <= 64, "a key of its length");
    }
}
