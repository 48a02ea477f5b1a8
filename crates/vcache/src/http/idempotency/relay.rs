//! A body that is read by somebody else, and handed to the client piece by piece.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use vhttp::{Body, BodyError};

use crate::http::idempotency::presence::Presence;

/// What comes from the reader.
pub(crate) enum Item {
    Frame(Frame<Bytes>),
    /// From here on the client reads by itself.
    Rest(Body),
    Failed(BodyError),
    End,
}

/// The client's side. What waits in the queue is at most what the reader keeps.
pub(crate) struct Relay {
    items: UnboundedReceiver<Item>,
    rest: Option<Body>,
    length: Option<u64>,
    ended: bool,
    _presence: Presence,
}

impl Relay {
    /// A relay for a body of `length` bytes, if that is known.
    pub(crate) fn new(length: Option<u64>, presence: Presence) -> (UnboundedSender<Item>, Self) {
        let (sender, items) = unbounded_channel();
        (sender, Self { items, rest: None, length, ended: false, _presence: presence })
    }

    fn passed(&mut self, frame: &Frame<Bytes>) {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.length = self.length.map(|left| left.saturating_sub(bytes));
    }
}

impl HttpBody for Relay {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        loop {
            if let Some(rest) = &mut this.rest {
                return Pin::new(rest).poll_frame(cx);
            }
            if this.ended {
                return Poll::Ready(None);
            }
            match ready!(this.items.poll_recv(cx)) {
                Some(Item::Frame(frame)) => {
                    this.passed(&frame);
                    return Poll::Ready(Some(Ok(frame)));
                }
                Some(Item::Rest(rest)) => this.rest = Some(rest),
                Some(Item::End) => this.ended = true,
                Some(Item::Failed(error)) => {
                    this.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    this.ended = true;
                    let error = BodyError::new("the request was given up");
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        match &self.rest {
            Some(rest) => rest.size_hint(),
            None => self.length.map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}
