//! Requests for a part: answered from a stored part, or asked for on their own.

use http::header::{AGE, RANGE};
use http::{HeaderMap, HeaderValue, Method, Response};
use vhttp::{Body, ByteRanges, CacheVerdict};

use crate::http::engine::Lookup;
use crate::http::inquiry::Inquiry;
use crate::http::policy::{Decision, decide, if_range, not_modified};
use crate::http::ranges::cut::part;
use crate::http::ranges::partial::Partial;
use crate::http::status::Status;

/// Answers from a stored part that has all that is asked for, and is fresh; as a hit, or with the
/// member of `Cache-Status` of one who waited for it.
pub(crate) fn answer(
    inquiry: &Inquiry,
    lookup: &Lookup,
    waited: Option<Status>,
) -> Option<Response<Body>> {
    if !is_for_part(inquiry) || lookup.stored.is_some() {
        return None;
    }
    let engine = &inquiry.engine;
    let request = &inquiry.parts.headers;
    let partial = lookup.variants.as_ref()?.part(request)?;
    let now = engine.now();
    let usable = decide(&inquiry.wish, Some(partial.terms()), now) == Decision::Hit
        && engine.covers(partial.terms(), now)
        && if_range(request, partial.headers(), now)
        && !not_modified(request, (http::StatusCode::OK, partial.headers()), now);
    let mut response = cut(partial, request).filter(|_| usable)?;
    let freshness = partial.terms().freshness();
    let headers = response.headers_mut();
    headers.insert(AGE, HeaderValue::from(freshness.age(now).as_secs()));
    let verdict = if waited.is_some() { CacheVerdict::Collapsed } else { CacheVerdict::Hit };
    engine.mark(headers, waited.unwrap_or_else(|| Status::Hit { ttl: freshness.ttl(now) }));
    engine.count(verdict, inquiry.timeline.as_ref());
    Some(response)
}

/// The one range of the request, when all of it is there. Where the length of the whole is not
/// known, a range to its end or from it has no certain place.
fn cut(partial: &Partial, request: &HeaderMap) -> Option<Response<Body>> {
    let range = ByteRanges::parse(request, 1)?.single()?;
    let complete = partial.complete();
    let range = match (range, complete) {
        (range, Some(length)) => range.resolve(length)?,
        (vhttp::ByteRange::Between(first, last), None) => first..last.checked_add(1)?,
        _ => return None,
    };
    let pieces = partial.get(&range)?;
    Some(part(partial.headers().clone(), range, complete, Body::new(pieces)))
}

/// Whether the request goes to the origin for a part alone, which serves only who wants the same
/// part. Where the stored whole is validated, the whole is asked for.
pub(crate) fn is_own(inquiry: &Inquiry, lookup: &Lookup) -> bool {
    let validates = lookup.stored.as_ref().is_some_and(|stored| stored.has_validator());
    is_for_part(inquiry) && !validates
}

/// `Range` has a meaning for GET alone (RFC 9110 §14.2).
fn is_for_part(inquiry: &Inquiry) -> bool {
    inquiry.parts.method == Method::GET && inquiry.parts.headers.contains_key(RANGE)
}
