//! A request's body that does not wait for its client for ever.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use vhttp::{Body, BodyError};

use crate::conn::activity::Activity;
use crate::conn::patience::Patience;
use crate::fault::Fault;

/// What a client sends; it ends with an error once the reader has waited too long for more.
///
/// Only waits for the client count: while nobody reads, hyper takes nothing more from it.
pub(crate) struct Upload {
    /// None once it has been given up: hyper then closes an HTTP/1 connection behind the answer,
    /// and resets an HTTP/2 stream.
    body: Option<Incoming>,
    patience: Patience,
    activity: Arc<Activity>,
}

impl Upload {
    /// The body of a request; what has no bytes needs no clock, and no box.
    pub(crate) fn wrap(body: Incoming, patience: Patience, activity: &Arc<Activity>) -> Body {
        if http_body::Body::is_end_stream(&body) {
            return Body::from(body);
        }
        Body::new(Self { body: Some(body), patience, activity: Arc::clone(activity) })
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let Some(body) = &mut this.body else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
            this.patience.settle();
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::new)));
        }
        if this.patience.poll(cx).is_pending() {
            return Poll::Pending;
        }
        this.body = None;
        this.activity.failed(Fault::BodyTimeout);
        let late = "the client sent no more of the request's body in time";
        let late = io::Error::new(io::ErrorKind::TimedOut, late);
        Poll::Ready(Some(Err(BodyError::new(late))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(http_body::Body::size_hint).unwrap_or_default()
    }
}
