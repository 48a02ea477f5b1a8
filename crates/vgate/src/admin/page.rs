//! What the pages of the admin listener are made of.

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use verve::http::Body;

/// A page that no cache may keep.
pub(crate) fn text(kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::full(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
