//! Under which names responses stand in the tiers below memory.
//!
//! A response that varies with nothing stands under its URL. Where responses vary, what they vary
//! with stands there, and each of them under a name made of that and of the values of the request:
//! so a request finds its variant in two steps, however many there are.

use std::fmt::Write as _;

use http::HeaderMap;
use sha2::{Digest, Sha256};

use crate::http::key::Key;
use crate::http::reading::Writing;
use crate::http::record::Rule;
use crate::http::vary::VaryKey;

/// Where what is known of a URL stands.
pub(super) fn of_url(key: &Key) -> String {
    format!("u{}", key.as_str())
}

/// Where the variant for a request stands.
pub(super) fn of_request(key: &Key, rule: &Rule, request: &HeaderMap) -> String {
    let asked = VaryKey::normalised(&rule.names, request, rule.normalise);
    of_variant(key, rule.number, &asked)
}

/// Where a variant stands.
pub(super) fn of_variant(key: &Key, number: u64, vary: &VaryKey) -> String {
    let mut text = Writing::with_capacity(256);
    text.long(key.as_str().as_bytes());
    text.u64(number);
    for (name, value) in vary.pairs() {
        text.long(name.as_str().as_bytes());
        text.u8(u8::from(value.is_some()));
        text.long(value.unwrap_or_default());
    }
    let mut place = String::with_capacity(65);
    place.push('v');
    for byte in Sha256::digest(text.into_bytes()) {
        // Writing to a String cannot fail.
        let _ = write!(place, "{byte:02x}");
    }
    place
}
