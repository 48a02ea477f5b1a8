//! The body of an answer: keeps its place at the endpoint and does not wait for ever.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use vhttp::{BodyError, BoxError};

use crate::balance::Lease;
use crate::cause::chain;
use crate::health::outlier::Outcome;
use crate::proxy::lend::Lender;

/// The origin paused inside an answer for longer than allowed.
#[derive(Debug, thiserror::Error)]
#[error("the origin sent nothing for {0:?}")]
struct IdleError(Duration);

pin_project! {
    /// An answer on its way. The lease ends with it; dropped early, it was abandoned.
    pub(crate) struct AnswerBody<B> {
        #[pin]
        body: B,
        #[pin]
        // Counts from the last time that something came, while nothing comes: bodies that never
        // pause pay nothing for it.
        sleep: Option<Sleep>,
        idle: Duration,
        // Whether a good end is a success of the endpoint.
        good: bool,
        upload: Lender,
        // Gone once the body has ended.
        lease: Option<Lease>,
    }
}

impl<B> AnswerBody<B> {
    /// Goes on under `lease`; `good` says whether the head was, `upload` whether the client is to
    /// blame for a break.
    pub(crate) fn new(body: B, lease: Lease, good: bool, upload: Lender, idle: Duration) -> Self {
        Self { body, sleep: None, idle, good, upload, lease: Some(lease) }
    }
}

impl<B> HttpBody for AnswerBody<B>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut this = self.project();
        if this.lease.is_none() {
            return Poll::Ready(None);
        }
        match this.body.as_mut().poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.sleep.set(None);
                if this.body.is_end_stream() {
                    end(this.lease, *this.good);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                let error = BodyError::new(error);
                broke(this.lease, *this.good && !this.upload.failed(), &error);
                Poll::Ready(Some(Err(error)))
            }
            Poll::Ready(None) => {
                end(this.lease, *this.good);
                Poll::Ready(None)
            }
            Poll::Pending => {
                if this.sleep.is_none() {
                    this.sleep.set(Some(sleep(*this.idle)));
                }
                if let Some(sleep) = this.sleep.as_mut().as_pin_mut() {
                    ready!(sleep.poll(cx));
                }
                let error = BodyError::new(IdleError(*this.idle));
                broke(this.lease, *this.good && !this.upload.failed(), &error);
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.lease.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn end(lease: &mut Option<Lease>, good: bool) {
    if let Some(mut lease) = lease.take()
        && good
    {
        lease.report(Outcome::Success);
    }
}

/// `counts` unless the head was bad, which has counted already, or the client is to blame.
fn broke(lease: &mut Option<Lease>, counts: bool, error: &BodyError) {
    if let Some(mut lease) = lease.take()
        && counts
    {
        lease.report_error(Outcome::BadAnswer, &chain(error));
    }
}
