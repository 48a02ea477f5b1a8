//! A response's body on its way out: it keeps its request in flight, and paces HTTP/2.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use vhttp::{Body, BodyError};

use crate::conn::activity::InFlight;
use crate::conn::streams::{Said, say};

/// The most that an HTTP/2 stream is given at once: a frame as most clients take it (RFC 9113
/// §6.5.2). hyper keeps what it was given until all of it is sent, so this is what a client has to
/// take to be seen to make progress, and what is buffered beyond the limit.
const PIECE: usize = 16 * 1024;

/// A response's body; the request is in flight until it is dropped.
pub(crate) struct Tracked {
    body: Body,
    /// What the body gave and was not passed on yet; HTTP/2 only.
    rest: Bytes,
    http2: bool,
    _in_flight: Option<InFlight>,
}

impl Tracked {
    pub(crate) fn new(body: Body, in_flight: Option<InFlight>) -> Self {
        let http2 = in_flight.as_ref().is_some_and(InFlight::is_http2);
        Self { body, rest: Bytes::new(), http2, _in_flight: in_flight }
    }

    /// The next frame, of one piece at most.
    fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => self.rest = bytes,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                ended => return Poll::Ready(ended),
            }
        }
        say(Said::Bytes);
        let piece = self.rest.split_to(self.rest.len().min(PIECE));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

impl http_body::Body for Tracked {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if this.http2 {
            say(Said::Dry);
            return this.poll_piece(cx);
        }
        Pin::new(&mut this.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let rest = u64::try_from(self.rest.len()).unwrap_or(u64::MAX);
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint.set_lower(hint.lower().saturating_add(rest));
        hint
    }
}
