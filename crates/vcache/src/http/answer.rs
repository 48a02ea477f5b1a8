//! Answers from the store: 200, 304, HEAD, `Age`, and a coding that the client takes.

use std::time::SystemTime;

use http::header::{
    AGE, CACHE_CONTROL, CONTENT_LOCATION, DATE, ETAG, EXPIRES, HeaderName, LAST_MODIFIED, VARY,
};
use http::{HeaderMap, Method, Response, StatusCode, response};
use vhttp::Body;

use crate::http::encodings::{Encode, mark_encoded};
use crate::http::policy::{Form, form};
use crate::http::ranges;
use crate::http::stored::Stored;

/// Fields of a 304 (RFC 9110 §15.4.5); `Last-Modified` too where there is no entity tag.
const NOT_MODIFIED: [HeaderName; 6] = [CACHE_CONTROL, CONTENT_LOCATION, DATE, ETAG, EXPIRES, VARY];

/// Who asks.
#[derive(Clone, Copy)]
pub(crate) struct Asker<'a> {
    pub(crate) method: &'a Method,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) encode: Option<&'a dyn Encode>,
    /// The most ranges of one request that are answered.
    pub(crate) max_ranges: usize,
}

/// An answer, and whether the stored response has grown by a coding.
pub(crate) struct Answer {
    pub(crate) response: Response<Body>,
    pub(crate) grew: bool,
}

/// Answers from `stored` with its age (RFC 9111 §5.1), in the form that the request asks for.
pub(crate) fn answer(asker: Asker<'_>, stored: &Stored, now: SystemTime) -> Answer {
    let age = stored.stamp.age(stored.terms.freshness().age(now).as_secs());
    let length = u64::try_from(stored.body.len()).unwrap_or(u64::MAX);
    let request = (asker.method, asker.headers);
    let form = form(request, (stored.status, &stored.headers), (length, asker.max_ranges), now);
    let (mut response, grew) = match form {
        Form::Part(range) => (ranges::single(stored, range), false),
        Form::Parts(parts) => (ranges::several(stored, &parts), false),
        Form::Unsatisfiable => (ranges::unsatisfiable(stored), false),
        form => whole(asker, stored, form == Form::NotModified),
    };
    response.headers_mut().insert(AGE, age);
    Answer { response, grew }
}

/// The whole, or its head alone.
fn whole(asker: Asker<'_>, stored: &Stored, not_modified: bool) -> (Response<Body>, bool) {
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.status = stored.status;
    parts.headers = stored.ready.clone();
    let (body, grew) = encode(asker, stored, &mut parts);
    let response = if not_modified {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers = head_of_304(&parts.headers);
        Response::from_parts(parts, Body::empty())
    } else if asker.method == Method::HEAD {
        Response::from_parts(parts, Body::empty())
    } else {
        Response::from_parts(parts, body)
    };
    (response, grew)
}

/// Puts the coding that the hook chooses into the head; the body, and whether it was made now.
fn encode(asker: Asker<'_>, stored: &Stored, parts: &mut response::Parts) -> (Body, bool) {
    let identity = || Body::full(stored.body.clone());
    let Some(hook) = asker.encode.filter(|_| stored.encodable) else {
        return (identity(), false);
    };
    let Some(coding) = hook.choose(asker.headers, parts) else {
        return (identity(), false);
    };
    let made = stored.encodings.get(coding, || hook.encode(coding, &stored.body));
    let Some(encoded) = made else {
        return (identity(), false);
    };
    mark_encoded(&mut parts.headers, coding, encoded.body.len());
    (Body::full(encoded.body), encoded.is_new)
}

pub(crate) fn head_of_304(full: &HeaderMap) -> HeaderMap {
    let mut head = HeaderMap::with_capacity(NOT_MODIFIED.len() + 3);
    let last_modified = (!full.contains_key(ETAG)).then_some(LAST_MODIFIED);
    for name in NOT_MODIFIED.iter().chain(&last_modified) {
        for value in full.get_all(name) {
            head.append(name, value.clone());
        }
    }
    head
}
