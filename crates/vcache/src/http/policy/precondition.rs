//! Preconditions of clients against a stored response: RFC 9110 §13, RFC 9111 §4.3.2.

use std::time::{Duration, SystemTime};

use http::header::{DATE, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, StatusCode};
use vhttp::{EntityTag, EntityTags};

/// Whether the client has what is stored, so that 304 is the answer.
///
/// `If-None-Match` (weak comparison) wins over `If-Modified-Since`. Both count only where the
/// answer would be a success (RFC 9110 §13.2.1). `If-Match` and `If-Unmodified-Since` are the
/// origin's to evaluate.
#[must_use]
pub fn not_modified(
    request: &HeaderMap,
    stored: (StatusCode, &HeaderMap),
    now: SystemTime,
) -> bool {
    let (status, headers) = stored;
    if !status.is_success() {
        return false;
    }
    if let Some(tags) = EntityTags::parse(request, &IF_NONE_MATCH) {
        return match EntityTag::of(headers) {
            Some(current) => tags.weak_match(&current),
            None => tags == EntityTags::Any,
        };
    }
    let Some(since) = single_date(request, &IF_MODIFIED_SINCE, now) else {
        return false;
    };
    let changed = match headers.contains_key(LAST_MODIFIED) {
        true => single_date(headers, &LAST_MODIFIED, now),
        false => single_date(headers, &DATE, now),
    };
    changed.is_some_and(|changed| changed <= since)
}

/// Whether the request's `Range` counts: it has no `If-Range`, or one that names exactly what is
/// stored (RFC 9110 §13.1.5).
///
/// Entity tags by strong comparison; a date only where it is a strong validator, because the
/// response was sent at least a second after the change (§8.8.2.2).
#[must_use]
pub fn if_range(request: &HeaderMap, stored: &HeaderMap, now: SystemTime) -> bool {
    let mut lines = request.get_all(IF_RANGE).iter();
    let line = match (lines.next(), lines.next()) {
        (None, _) => return true,
        (Some(line), None) => line,
        _ => return false,
    };
    if let Some(tag) = EntityTag::parse(line) {
        return EntityTag::of(stored).is_some_and(|current| tag.strong_eq(&current));
    }
    let asked = line.to_str().ok().and_then(|text| vhttp::date::parse_at(text, now));
    let changed = single_date(stored, &LAST_MODIFIED, now);
    let sent = single_date(stored, &DATE, now);
    match (asked, changed, sent) {
        (Some(asked), Some(changed), Some(sent)) => {
            let settled = changed.checked_add(Duration::from_secs(1));
            asked == changed && settled.is_some_and(|settled| settled <= sent)
        }
        _ => false,
    }
}

/// The date in a field that is there once.
fn single_date(headers: &HeaderMap, name: &HeaderName, now: SystemTime) -> Option<SystemTime> {
    let mut lines = headers.get_all(name).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return None;
    };
    vhttp::date::parse_at(line.to_str().ok()?, now)
}
