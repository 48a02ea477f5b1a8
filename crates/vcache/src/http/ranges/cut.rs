//! 206 and 416 from a whole stored response: RFC 9110 §15.3.7, §15.5.17.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use vhttp::{Body, ContentRange};

use crate::http::answer::head_of_304;
use crate::http::ranges::body::Pieces;
use crate::http::stored::Stored;

/// Digests of the content, which is not that of a part (RFC 9530 §2, RFC 9110 §15.3.7).
const DIGESTS: [HeaderName; 2] =
    [HeaderName::from_static("content-digest"), HeaderName::from_static("content-md5")];

/// One part.
pub(crate) fn single(stored: &Stored, range: Range<u64>) -> Response<Body> {
    let body = Body::full(slice(&stored.body, &range));
    let complete = as_u64(stored.body.len());
    part(stored.headers.clone(), range, Some(complete), body)
}

/// The answer with one part of a representation with the fields `headers`.
pub(super) fn part(
    mut headers: HeaderMap,
    range: Range<u64>,
    complete: Option<u64>,
    body: Body,
) -> Response<Body> {
    headers.insert(CONTENT_LENGTH, HeaderValue::from(range.end.saturating_sub(range.start)));
    headers.insert(CONTENT_RANGE, ContentRange { range: Some(range), complete }.to_value());
    response(StatusCode::PARTIAL_CONTENT, headers, body)
}

/// Several parts, each with its place and the type of the whole (RFC 9110 §14.6).
pub(crate) fn several(stored: &Stored, ranges: &[Range<u64>]) -> Response<Body> {
    let mut headers = stored.headers.clone();
    let kind = headers.remove(CONTENT_TYPE);
    let boundary = boundary();
    let complete = Some(as_u64(stored.body.len()));
    let mut body = Pieces::default();
    for range in ranges {
        let place = ContentRange { range: Some(range.clone()), complete }.to_value();
        body.push(head_of_part(&boundary, kind.as_ref(), &place));
        body.push(slice(&stored.body, range));
    }
    body.push(format!("\r\n--{boundary}--\r\n"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.length()));
    let kind = format!("multipart/byteranges; boundary={boundary}");
    if let Ok(kind) = HeaderValue::try_from(kind) {
        headers.insert(CONTENT_TYPE, kind);
    }
    response(StatusCode::PARTIAL_CONTENT, headers, Body::new(body))
}

/// There is nothing in the ranges: the length of what there is (RFC 9110 §15.5.17).
pub(crate) fn unsatisfiable(stored: &Stored) -> Response<Body> {
    let mut headers = head_of_304(&stored.headers);
    let complete = Some(as_u64(stored.body.len()));
    headers.insert(CONTENT_RANGE, ContentRange { range: None, complete }.to_value());
    headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
    response(StatusCode::RANGE_NOT_SATISFIABLE, headers, Body::empty())
}

fn response(status: StatusCode, mut headers: HeaderMap, body: Body) -> Response<Body> {
    for name in &DIGESTS {
        headers.remove(name);
    }
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn head_of_part(boundary: &str, kind: Option<&HeaderValue>, place: &HeaderValue) -> Bytes {
    let mut head = format!("\r\n--{boundary}\r\n").into_bytes();
    if let Some(kind) = kind {
        head.extend_from_slice(b"content-type: ");
        head.extend_from_slice(kind.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"content-range: ");
    head.extend_from_slice(place.as_bytes());
    head.extend_from_slice(b"\r\n\r\n");
    Bytes::from(head)
}

/// A boundary that no content can know before (RFC 2046 §5.1.1).
fn boundary() -> String {
    let (one, two) = (RandomState::new(), RandomState::new());
    format!("{:016x}{:016x}", one.hash_one(0), two.hash_one(1))
}

/// The bytes of a range, not copied; those that are not there are left out.
pub(super) fn slice(bytes: &Bytes, range: &Range<u64>) -> Bytes {
    let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(bytes.len());
    let (start, end) = (at(range.start), at(range.end));
    if start < end { bytes.slice(start..end) } else { Bytes::new() }
}

fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
