//! A body of which the beginning was read already.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use vhttp::{Body, BodyError};

/// What was read, and then the rest.
#[derive(Debug, Default)]
pub(crate) struct Rejoined {
    read: VecDeque<Result<Frame<Bytes>, BodyError>>,
    bytes: u64,
    rest: Option<Body>,
}

impl Rejoined {
    pub(crate) fn push(&mut self, frame: Result<Frame<Bytes>, BodyError>) {
        let data = frame.as_ref().ok().and_then(Frame::data_ref);
        let bytes = u64::try_from(data.map_or(0, Bytes::len)).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(bytes);
        self.read.push_back(frame);
    }

    /// Bytes that were read.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn with_rest(mut self, rest: Body) -> Body {
        self.rest = Some(rest);
        Body::new(self)
    }

    /// The body, when it has come to its end.
    pub(crate) fn whole(mut self) -> Body {
        match (self.read.pop_front(), self.read.is_empty()) {
            (None, _) => Body::empty(),
            (Some(Ok(frame)), true) if frame.is_data() => {
                Body::full(frame.into_data().unwrap_or_default())
            }
            (Some(frame), _) => {
                self.read.push_front(frame);
                Body::new(self)
            }
        }
    }
}

impl HttpBody for Rejoined {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if let Some(frame) = this.read.pop_front() {
            let data = frame.as_ref().ok().and_then(Frame::data_ref);
            let bytes = u64::try_from(data.map_or(0, Bytes::len)).unwrap_or(u64::MAX);
            this.bytes = this.bytes.saturating_sub(bytes);
            return Poll::Ready(Some(frame));
        }
        match &mut this.rest {
            Some(rest) => Pin::new(rest).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.rest.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint);
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(self.bytes));
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(self.bytes)) {
            hint.set_upper(upper);
        }
        hint
    }
}

/// No content, of a length that is not known: the answer to HEAD where GET would stream.
#[derive(Debug)]
pub(crate) struct Unknown;

impl HttpBody for Unknown {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(None)
    }
}
