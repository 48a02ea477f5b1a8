//! A part on its way to the client, with a copy that is stored when it is complete.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Response, response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use vhttp::{Body, BodyError, CacheVerdict, ContentRange};

use crate::http::encodings::Encodings;
use crate::http::engine::Engine;
use crate::http::generation::Ticket;
use crate::http::inquiry::Inquiry;
use crate::http::keep::{Asked, head, tags};
use crate::http::key::Key;
use crate::http::policy::admit_part;
use crate::http::ranges::partial::Partial;
use crate::http::status::{Forward, Status};
use crate::http::stored::Head;

/// Passes a 206 on, and stores it on the way if that is allowed (RFC 9111 §3.3).
pub(crate) fn keep(
    inquiry: &Inquiry,
    why: Forward,
    response: Response<Body>,
    asked: Asked,
) -> Response<Body> {
    let engine = &inquiry.engine;
    engine.count(CacheVerdict::Miss, inquiry.timeline.as_ref());
    let (mut parts, mut body) = response.into_parts();
    let copy = copy(inquiry, &parts, asked);
    let is_kept = copy.is_some();
    if let Some(copy) = copy {
        body = copy.begin(body);
    }
    engine.tags.strip(&mut parts.headers);
    engine.mark(&mut parts.headers, Status::passed(why, parts.status, is_kept));
    Response::from_parts(parts, body)
}

/// What to store of a part, as far as its head shows it.
fn copy(inquiry: &Inquiry, parts: &response::Parts, asked: Asked) -> Option<Copy> {
    let engine = Arc::clone(&inquiry.engine);
    if !engine.config.store_parts {
        return None;
    }
    let request = (&inquiry.parts.method, &inquiry.parts.headers);
    let response = (parts.status, &parts.headers);
    let (terms, place) = admit_part(request, response, &engine.rules, asked.exchange).ok()?;
    let range = place.range.clone()?;
    let length = range.end.checked_sub(range.start)?;
    let length =
        usize::try_from(length).ok().filter(|_| length <= engine.config.max_object_size)?;
    let headers = parts.headers.clone();
    let tags = tags(inquiry, &headers)?;
    let head = head(inquiry, (parts.status, headers, tags), terms, asked.exchange);
    let key = inquiry.key.clone();
    Some(Copy { engine, key, ticket: asked.ticket, head, place, length, bytes: Vec::new() })
}

/// The copy so far.
struct Copy {
    engine: Arc<Engine>,
    key: Key,
    ticket: Ticket,
    head: Head,
    place: ContentRange,
    length: usize,
    bytes: Vec<u8>,
}

impl Copy {
    fn begin(self, body: Body) -> Body {
        match body.as_bytes() {
            Some(bytes) => {
                self.complete(Bytes::copy_from_slice(&bytes));
                body
            }
            None => Body::new(Tee { inner: body, copy: Some(self) }),
        }
    }

    /// Whether no more came than was announced.
    fn push(&mut self, data: &[u8]) -> bool {
        let fits = self.bytes.len() + data.len() <= self.length;
        if fits {
            self.bytes.extend_from_slice(data);
        }
        fits
    }

    /// Stores the part with what is there of the same representation, or as the whole once it is.
    /// One that is not of its length is dropped: the place of its bytes is not certain.
    fn complete(self, bytes: Bytes) {
        let Self { engine, key, ticket, head, place, .. } = self;
        let Some(mut partial) = Partial::new(head, &place, bytes) else {
            return;
        };
        if let Some(before) = engine.stored_part(&key, &partial) {
            partial = partial.join(&before, engine.config.max_object_size);
        }
        if !partial.is_whole() {
            engine.store_part(&key, ticket, &Arc::new(partial));
        } else if let Some((head, bytes)) = partial.into_whole() {
            let whole = head.with_body(bytes, Arc::new(Encodings::default()));
            engine.store(&key, ticket, &Arc::new(whole));
        }
    }
}

struct Tee {
    inner: Body,
    copy: Option<Copy>,
}

impl Tee {
    fn keep(&mut self, data: &Bytes) {
        let Some(mut copy) = self.copy.take() else {
            return;
        };
        if !copy.push(data) {
            return;
        }
        if copy.bytes.len() == copy.length {
            // Whoever knows the length need not ask for the end.
            let bytes = Bytes::from(std::mem::take(&mut copy.bytes));
            copy.complete(bytes);
        } else {
            self.copy = Some(copy);
        }
    }
}

impl HttpBody for Tee {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    this.keep(data);
                }
            }
            Poll::Ready(_) => this.copy = None,
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
