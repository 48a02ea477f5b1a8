//! What a stored response becomes when the origin confirms it: RFC 9111 §3.2, §4.3.4.

use http::HeaderMap;
use http::header::{
    AGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName,
};
use vhttp::{EntityTag, hop};

/// Fields that describe the stored content, which a 304 does not bring (§3.2); and `Age`, which
/// is the exchange's and counted anew.
const KEPT: [HeaderName; 5] = [CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, AGE];

/// The stored fields with those of the 304: replaced where both have them, repeated lines kept.
///
/// `None` when the 304 is about another representation: its entity tag is not the stored one
/// (§4.3.4). A 304 without an entity tag is taken for the one response that was validated.
#[must_use]
pub fn merge_304(stored: &HeaderMap, update: &HeaderMap) -> Option<HeaderMap> {
    if let Some(new) = EntityTag::of(update) {
        let old = EntityTag::of(stored)?;
        let same = if new.weak || old.weak { new.weak_eq(&old) } else { new.strong_eq(&old) };
        if !same {
            return None;
        }
    }
    let mut update = update.clone();
    hop::remove(&mut update);
    for name in &KEPT {
        update.remove(name);
    }
    let mut merged = stored.clone();
    for name in update.keys() {
        merged.remove(name);
    }
    for (name, value) in &update {
        merged.append(name, value.clone());
    }
    Some(merged)
}
