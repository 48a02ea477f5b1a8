//! The future of an answer: its fields written, its content read for a tag, its conditions met.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{
    CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    HeaderMap, HeaderName, LAST_MODIFIED, TRANSFER_ENCODING,
};
use http::{HeaderValue, Response, StatusCode, response};
use http_body::{Body as HttpBody, Frame};
use pin_project_lite::pin_project;
use sha2::{Digest as _, Sha256};
use vhttp::{Body, BodyError, BoxError, EntityTag, Reject};

use crate::http::headers::asked::Asked;
use crate::http::headers::precondition::Verdict;
use crate::http::headers::rejoined::{Rejoined, Unknown};
use crate::http::headers::rules::{Rules, Tagging};

/// Fields about content that a 304 does not have (RFC 9110 §15.4.5).
const OF_CONTENT: [HeaderName; 6] = [
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    TRANSFER_ENCODING,
];

pin_project! {
    /// What [`ResponseHeaders`](super::ResponseHeaders) answers with.
    ///
    /// Cancel safety: nothing is kept when it is dropped.
    #[must_use = "futures do nothing until they are polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        reading: Option<Reading>,
        asked: Asked,
        rules: Arc<Rules>,
    }
}

/// An answer whose content is read for its tag.
struct Reading {
    parts: response::Parts,
    body: Body,
    read: Rejoined,
    hash: Sha256,
    tagging: Tagging,
    max: u64,
}

impl<F> ResponseFuture<F> {
    pub(crate) const fn new(inner: F, asked: Asked, rules: Arc<Rules>) -> Self {
        Self { inner, reading: None, asked, rules }
    }
}

impl<F, ResB, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<ResB>, E>>,
    ResB: HttpBody<Data = Bytes> + Send + 'static,
    ResB::Error: Into<BoxError>,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.reading.is_none() {
            let (mut parts, body) = ready!(this.inner.poll(cx))?.into_parts();
            this.rules.control(this.asked.read, parts.status, &mut parts.headers);
            let tag = this.rules.tag(parts.status, &parts.headers, &body);
            let body = Body::new(body);
            let Some((tagging, max)) = tag.filter(|_| this.asked.whole) else {
                return Poll::Ready(Ok(finish(parts, body, this.asked)));
            };
            let (read, hash) = (Rejoined::default(), Sha256::new());
            *this.reading = Some(Reading { parts, body, read, hash, tagging, max });
        }
        let Some(reading) = this.reading else {
            return Poll::Pending;
        };
        let whole = ready!(reading.poll(cx));
        Poll::Ready(Ok(match this.reading.take() {
            Some(reading) => reading.finish(whole, this.asked),
            // Never: it was there a moment ago.
            None => Reject::new(StatusCode::INTERNAL_SERVER_ERROR, "no-answer").into_response(),
        }))
    }
}

impl Reading {
    /// Reads on; whether all of the content was read and can be tagged.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)) else {
                return Poll::Ready(true);
            };
            let goes_on = self.take(&frame);
            self.read.push(frame);
            if !goes_on {
                return Poll::Ready(false);
            }
        }
    }

    fn take(&mut self, frame: &Result<Frame<Bytes>, BodyError>) -> bool {
        let Some(piece) = frame.as_ref().ok().and_then(Frame::data_ref) else {
            // Trailers do not change the content; an error ends it.
            return frame.is_ok();
        };
        self.hash.update(piece);
        let bytes = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        self.read.bytes().saturating_add(bytes) <= self.max
    }

    fn finish(mut self, whole: bool, asked: &Asked) -> Response<Body> {
        if !whole {
            return finish(self.parts, self.read.with_rest(self.body), asked);
        }
        if let Some(tag) = tag(self.hash, self.tagging) {
            self.parts.headers.insert(ETAG, tag.to_value());
        }
        finish(self.parts, self.read.whole(), asked)
    }
}

/// 128 bits of the content's SHA-256.
fn tag(hash: Sha256, tagging: Tagging) -> Option<EntityTag> {
    let digest: [u8; 32] = hash.finalize().into();
    let opaque: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let tag = EntityTag::new(opaque)?;
    Some(match tagging {
        Tagging::Strong => tag,
        Tagging::Weak => tag.into_weak(),
    })
}

/// The answer that the conditions and the method leave.
fn finish(mut parts: response::Parts, body: Body, asked: &Asked) -> Response<Body> {
    let conditions = asked.conditions.as_ref();
    let verdict = conditions.map(|c| c.evaluate(parts.status, &parts.headers));
    match verdict.unwrap_or(Verdict::Proceed) {
        Verdict::NotModified => {
            parts.status = StatusCode::NOT_MODIFIED;
            without_content(&mut parts.headers);
            Response::from_parts(parts, Body::empty())
        }
        Verdict::Failed => {
            let reject = Reject::new(StatusCode::PRECONDITION_FAILED, "precondition-failed");
            let (parts, body) = reject.into_response().into_parts();
            without_body_if(asked.head, parts, body)
        }
        Verdict::Proceed => without_body_if(asked.head, parts, body),
    }
}

fn without_content(headers: &mut HeaderMap) {
    for name in &OF_CONTENT {
        headers.remove(name);
    }
    if headers.contains_key(ETAG) {
        headers.remove(LAST_MODIFIED);
    }
}

/// HEAD has the length that GET would have, and no content (RFC 9110 §9.3.2).
fn without_body_if(head: bool, mut parts: response::Parts, body: Body) -> Response<Body> {
    if !head || body.is_end_stream() {
        return Response::from_parts(parts, body);
    }
    let length = body.size_hint().exact();
    if let Some(length) = length {
        parts.headers.entry(CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    }
    let known = parts.headers.contains_key(CONTENT_LENGTH);
    Response::from_parts(parts, if known { Body::empty() } else { Body::new(Unknown) })
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
