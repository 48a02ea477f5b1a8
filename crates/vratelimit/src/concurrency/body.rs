//! A response's body that holds its place until it has ended.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use vhttp::{Body, BodyError};

use crate::concurrency::limit::Permit;

/// Frees the place when the body has ended, failed, or is dropped.
pub(crate) struct Held {
    body: Body,
    permit: Option<Permit>,
}

impl Held {
    /// `body` with its place; an empty one frees it now.
    pub(crate) fn wrap(body: Body, permit: Option<Permit>) -> Body {
        if body.is_end_stream() {
            return body;
        }
        Body::new(Self { body, permit })
    }
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        let ended = match &polled {
            Poll::Pending => false,
            Poll::Ready(None | Some(Err(_))) => true,
            // Whoever sends the body may never ask for what comes after its last frame.
            Poll::Ready(Some(Ok(_))) => self.body.is_end_stream(),
        };
        if ended {
            self.permit = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
