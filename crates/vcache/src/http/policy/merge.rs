//! What a stored response becomes when the origin confirms or completes it: RFC 9111 §3.2, §3.4,
//! §4.3.4, §4.3.5.

use http::HeaderMap;
use http::header::{
    AGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName,
    LAST_MODIFIED,
};
use vhttp::{EntityTag, hop};

/// Fields that describe the stored content, which an update does not bring (§3.2); and `Age`,
/// which is the exchange's and counted anew.
const KEPT: [HeaderName; 5] = [CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, AGE];

/// The stored fields with those of the 304: replaced where both have them, repeated lines kept.
///
/// `None` when the 304 is about another representation (§4.3.4): its strong entity tag is not the
/// stored one, or a weak one has another text, or without a tag it has another `Last-Modified`. A
/// 304 without any validator is taken for the one response that was validated.
#[must_use]
pub fn merge_304(stored: &HeaderMap, update: &HeaderMap) -> Option<HeaderMap> {
    let same = match EntityTag::of(update) {
        Some(new) => EntityTag::of(stored).is_some_and(|old| match new.weak {
            true => new.weak_eq(&old),
            false => new.strong_eq(&old),
        }),
        None => is_same_where_said(stored, update, &LAST_MODIFIED),
    };
    same.then(|| updated(stored, update))
}

/// What the answer to a HEAD says of a stored response; made by [`merge_head`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadNews {
    /// It is of the same representation: the stored fields with those of the answer.
    Same(HeaderMap),
    /// It is of another, so that what is stored is out of date.
    Other,
    /// It says neither, and what is stored is left as it is.
    Nothing,
}

/// Compares the answer to a HEAD with what is stored (§4.3.5).
///
/// An entity tag, a `Last-Modified` or a `Content-Length` that is not the stored one tells of
/// another representation. One of them at least must be there and be the same: an answer without
/// any would make old content fresh on no evidence at all.
#[must_use]
pub fn merge_head(stored: &HeaderMap, head: &HeaderMap) -> HeadNews {
    let names = [ETAG, LAST_MODIFIED, CONTENT_LENGTH].into_iter();
    let mut said = names.filter(|name| head.contains_key(name)).peekable();
    if said.peek().is_none() {
        return HeadNews::Nothing;
    }
    match said.all(|name| head.get(&name) == stored.get(&name)) {
        true => HeadNews::Same(updated(stored, head)),
        false => HeadNews::Other,
    }
}

/// The stored fields with those of a part of the same representation (§3.4).
///
/// `None` when they are not known to be of the same one: that takes the same strong entity tag.
#[must_use]
pub fn merge_part(stored: &HeaderMap, part: &HeaderMap) -> Option<HeaderMap> {
    let same = EntityTag::of(stored)?.strong_eq(&EntityTag::of(part)?);
    same.then(|| updated(stored, part))
}

/// Whether both have the same value, as far as the update has one and the stored one too.
fn is_same_where_said(stored: &HeaderMap, update: &HeaderMap, name: &HeaderName) -> bool {
    match (stored.get(name), update.get(name)) {
        (Some(old), Some(new)) => old == new,
        _ => true,
    }
}

fn updated(stored: &HeaderMap, update: &HeaderMap) -> HeaderMap {
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
    merged
}
