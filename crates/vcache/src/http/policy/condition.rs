//! The request that asks the origin whether a stored response is still right: RFC 9111 §4.3.1.

use http::header::{
    ETAG, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE,
};
use vhttp::{EntityTag, EntityTags};

/// Entity tags of a client that are sent on beside the stored one.
const MAX_TAGS: usize = 32;

/// Makes `request` ask whether the response with the fields `stored` is still right.
///
/// With its entity tag go those that the client has: if the origin still has one of them, its 304
/// is for the client (see [`is_for_client`]). Where the stored response has none, the client's
/// would hide the stored date from the origin (RFC 9110 §13.1.3), and is left out: the client's
/// precondition is evaluated against what comes. The whole is asked for, whatever part the client
/// wants.
pub fn condition(request: &mut HeaderMap, stored: &HeaderMap) {
    let tags = stored.get(ETAG).map(|own| union(own, request));
    request.remove(IF_NONE_MATCH);
    request.remove(IF_MODIFIED_SINCE);
    request.remove(IF_RANGE);
    request.remove(RANGE);
    if let Some(tags) = tags {
        request.insert(IF_NONE_MATCH, tags);
    }
    if let Some(changed) = stored.get(LAST_MODIFIED) {
        request.insert(IF_MODIFIED_SINCE, changed.clone());
    }
}

/// Whether a 304 names a representation that the client has, by its `If-None-Match`. Where it is
/// not about the stored response, it is then passed on, and the store left alone.
#[must_use]
pub fn is_for_client(request: &HeaderMap, update: &HeaderMap) -> bool {
    let tags = EntityTags::parse(request, &IF_NONE_MATCH);
    let Some(EntityTags::List(tags)) = tags else {
        return false;
    };
    EntityTag::of(update).is_some_and(|new| tags.iter().any(|tag| tag.weak_eq(&new)))
}

/// The stored tag, as it came, and then the client's others.
fn union(own: &HeaderValue, request: &HeaderMap) -> HeaderValue {
    let Some(EntityTags::List(tags)) = EntityTags::parse(request, &IF_NONE_MATCH) else {
        return own.clone();
    };
    let mut all = own.as_bytes().to_vec();
    let stored = EntityTag::parse(own);
    let others = tags.iter().filter(|tag| stored.as_ref().is_none_or(|own| *tag != own));
    for tag in others.take(MAX_TAGS) {
        all.extend_from_slice(b", ");
        all.extend_from_slice(tag.to_value().as_bytes());
    }
    HeaderValue::from_bytes(&all).unwrap_or_else(|_| own.clone())
}
