//! A body on its way to the client, with a bounded copy that is stored when it is complete.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Body as HttpBody, Frame, SizeHint};
use vhttp::{Body, BodyError};

use crate::http::collapse::{End, Lead};
use crate::http::encodings::Encodings;
use crate::http::engine::Engine;
use crate::http::generation::Ticket;
use crate::http::key::Key;
use crate::http::stored::Head;

/// What is to be stored once its body is complete.
///
/// Dropped before that, it releases the followers, and the next of them leads.
pub(crate) struct Fill {
    pub(crate) engine: Arc<Engine>,
    pub(crate) key: Key,
    pub(crate) ticket: Ticket,
    pub(crate) head: Head,
    pub(crate) lead: Option<Lead>,
}

impl Fill {
    /// Sends `body` on and keeps the copy; at once when the whole body is at hand.
    ///
    /// With it comes whether the answer may be called stored. Whoever gets the whole of a body
    /// that announced its length can rely on it; of a body without a length nobody knows yet.
    pub(crate) fn begin(self, body: Body) -> (Body, bool) {
        let announced = content_length(&self.head.headers);
        let expected = announced.or_else(|| body.size_hint().exact());
        let limit = self.engine.config.max_object_size;
        let whole = match body.is_end_stream() {
            // Nobody would ask such a body for its end.
            true => Some(Bytes::new()),
            false => body.as_bytes(),
        };
        if let Some(bytes) = whole {
            let is_whole = expected.is_none_or(|length| length == as_u64(bytes.len()));
            // A copy, because a slice would keep the buffer of the connection.
            let stored = is_whole && self.complete(Bytes::copy_from_slice(&bytes));
            return (body, stored);
        }
        let body = Body::new(Tee {
            inner: body,
            copy: Some(Copy { limit, expected, bytes: Vec::new(), fill: self }),
        });
        (body, expected.is_some_and(|length| length <= limit))
    }

    /// Whether it is in the store now.
    fn complete(self, body: Bytes) -> bool {
        let stored = self.head.with_body(body, Arc::new(Encodings::default()));
        let end = self.engine.store(&self.key, self.ticket, &Arc::new(stored));
        if let Some(lead) = self.lead {
            lead.end(end);
        }
        end == End::Stored
    }

    fn refuse(self) {
        if let Some(lead) = self.lead {
            if lead.has_followers() {
                self.engine.mark_hit_for_miss(&self.key, self.ticket);
            }
            lead.end(End::Refused);
        }
    }
}

/// The copy so far.
struct Copy {
    limit: u64,
    expected: Option<u64>,
    bytes: Vec<u8>,
    fill: Fill,
}

impl Copy {
    /// Whether the copy is still within its bounds.
    fn push(&mut self, data: &[u8]) -> bool {
        let length = as_u64(self.bytes.len()).saturating_add(as_u64(data.len()));
        if length > self.limit || self.expected.is_some_and(|expected| length > expected) {
            return false;
        }
        self.bytes.extend_from_slice(data);
        true
    }

    fn has_all(&self) -> bool {
        self.expected == Some(as_u64(self.bytes.len()))
    }

    /// The body has ended; a length that was announced and not kept makes it incomplete
    /// (RFC 9111 §3.3).
    fn end(self) {
        if self.expected.is_none() || self.has_all() {
            // Without the spare room that the copy grew by.
            let bytes = self.bytes.into_boxed_slice();
            self.fill.complete(Bytes::from(bytes));
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
            copy.fill.refuse();
        } else if copy.has_all() || self.inner.is_end_stream() {
            // Whoever knows the length need not ask for the end.
            copy.end();
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
                } else if let Some(copy) = this.copy.take() {
                    // Trailers may say that the content is not what it seems; without them it
                    // would be another answer.
                    copy.fill.refuse();
                }
            }
            Poll::Ready(Some(Err(_))) => this.copy = None,
            Poll::Ready(None) => {
                if let Some(copy) = this.copy.take() {
                    copy.end();
                }
            }
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        // While there is a copy the end has not been seen, and must be.
        self.copy.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The announced length; one that is no number counts as none that could be met.
pub(crate) fn content_length(headers: &HeaderMap) -> Option<u64> {
    let value = headers.get(CONTENT_LENGTH)?;
    let digits = value.to_str().ok().filter(|text| !text.starts_with('+'));
    Some(digits.and_then(|text| text.parse().ok()).unwrap_or(u64::MAX))
}

fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
