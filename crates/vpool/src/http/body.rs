//! The response's body, which gives the connection back when it was read to its end.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use vhttp::BodyError;

use crate::http::hold::Hold;

/// A response's body with its connection. Dropped before its end, it closes the connection
/// (HTTP/2: resets the stream).
#[derive(Debug)]
pub(crate) struct Download {
    body: Incoming,
    hold: Option<Hold>,
}

impl Download {
    pub(crate) const fn new(body: Incoming, hold: Hold) -> Self {
        Self { body, hold: Some(hold) }
    }

    fn finish(&mut self) {
        if let Some(hold) = self.hold.take() {
            hold.finish();
        }
    }
}

impl HttpBody for Download {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
            Some(Ok(frame)) => {
                if this.body.is_end_stream() {
                    this.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                this.hold = None;
                Poll::Ready(Some(Err(BodyError::new(error))))
            }
            None => {
                this.finish();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
