//! The future of a request that may have to be carried out once.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use http_body::Body as HttpBody;
use pin_project_lite::pin_project;
use vhttp::{Body, BoxError};

/// A look-up, boxed: beside a way to the origin it costs little.
pub(crate) type Looking<E> = Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>>;

pin_project! {
    /// What [`Idempotent`](super::Idempotent) answers with.
    ///
    /// Cancel safety: dropped, it waits no longer; a request that was begun goes on for a while.
    #[must_use = "futures do nothing until they are polled"]
    pub struct ResponseFuture<F, E> {
        #[pin]
        state: State<F, E>,
    }
}

pin_project! {
    #[project = Projected]
    enum State<F, E> {
        Inner { #[pin] future: F },
        Answer { response: Option<Response<Body>> },
        Lookup { #[pin] lookup: Looking<E> },
    }
}

impl<F, E> ResponseFuture<F, E> {
    pub(crate) const fn inner(future: F) -> Self {
        Self { state: State::Inner { future } }
    }

    pub(crate) fn answer(response: Response<Body>) -> Self {
        Self { state: State::Answer { response: Some(response) } }
    }

    pub(crate) const fn lookup(lookup: Looking<E>) -> Self {
        Self { state: State::Lookup { lookup } }
    }
}

impl<F, ResB, E> Future for ResponseFuture<F, E>
where
    F: Future<Output = Result<Response<ResB>, E>>,
    ResB: HttpBody<Data = Bytes> + Send + 'static,
    ResB::Error: Into<BoxError>,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            Projected::Inner { future } => {
                let response = ready!(future.poll(cx));
                Poll::Ready(response.map(|response| response.map(Body::new)))
            }
            // A future that is polled after its end never ends again.
            Projected::Answer { response } => {
                response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)))
            }
            Projected::Lookup { lookup } => lookup.poll(cx),
        }
    }
}

impl<F, E> fmt::Debug for ResponseFuture<F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
