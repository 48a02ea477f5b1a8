//! In which form to answer from a whole stored response: RFC 9110 §13.2, §14.2, §15.3.7.

use std::ops::Range;
use std::time::SystemTime;

use http::{HeaderMap, Method, StatusCode};
use vhttp::ByteRanges;

use crate::http::policy::precondition::{if_range, not_modified};

/// The least gap between two ranges that is worth a part of its own (RFC 9110 §15.3.7.2): less
/// than the fields of a part take.
const GAP: u64 = 80;

/// The form of an answer; see [`form`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// The stored response as it is.
    Whole,
    /// 304: the client has it.
    NotModified,
    /// 206 with these bytes.
    Part(Range<u64>),
    /// 206 in several parts, in the order of the request; they do not overlap.
    Parts(Vec<Range<u64>>),
    /// 416: there are no such bytes.
    Unsatisfiable,
}

/// In which form to answer `request` from a stored response whose content has `length` bytes.
///
/// Preconditions first (RFC 9110 §13.2.2), then `Range`, which counts in a GET for a stored 200
/// whose `If-Range` holds. A `Range` of more than `max_ranges` ranges is ignored, as are those
/// that are malformed; ranges that overlap or nearly touch become one, so that an answer is never
/// larger than the representation and a few fields for each part. With 0 every `Range` is.
#[must_use]
pub fn form(
    (method, request): (&Method, &HeaderMap),
    stored: (StatusCode, &HeaderMap),
    (length, max_ranges): (u64, usize),
    now: SystemTime,
) -> Form {
    if not_modified(request, stored, now) {
        return Form::NotModified;
    }
    let (status, headers) = stored;
    if method != Method::GET || status != StatusCode::OK {
        return Form::Whole;
    }
    match ByteRanges::parse(request, max_ranges) {
        Some(ranges) if if_range(request, headers, now) => cut(&ranges, length),
        _ => Form::Whole,
    }
}

fn cut(ranges: &ByteRanges, length: u64) -> Form {
    if length == 0 {
        // No `Content-Range` could say it.
        return Form::Whole;
    }
    let mut parts: Vec<Range<u64>> = Vec::new();
    for range in ranges.as_slice().iter().filter_map(|range| range.resolve(length)) {
        add(&mut parts, range);
    }
    match parts.len() {
        0 => Form::Unsatisfiable,
        1 => parts.pop().map_or(Form::Whole, Form::Part),
        _ => Form::Parts(parts),
    }
}

/// Adds a range; it takes the place of the first one that it touches.
fn add(parts: &mut Vec<Range<u64>>, range: Range<u64>) {
    let touches = |a: &Range<u64>, b: &Range<u64>| {
        a.start <= b.end.saturating_add(GAP) && b.start <= a.end.saturating_add(GAP)
    };
    let Some(place) = parts.iter().position(|part| touches(part, &range)) else {
        parts.push(range);
        return;
    };
    let part = parts.remove(place);
    let mut all = part.start.min(range.start)..part.end.max(range.end);
    // Grown, it may reach others.
    while let Some(other) = parts.iter().position(|part| touches(part, &all)) {
        let other = parts.remove(other);
        all = all.start.min(other.start)..all.end.max(other.end);
    }
    parts.insert(place.min(parts.len()), all);
}
