//! The future of a request to the cache.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use pin_project_lite::pin_project;
use vhttp::Body;

/// A fetch, boxed: it costs one allocation beside a way to the origin.
pub(crate) type Fetching<E> = Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>>;

pin_project! {
    /// What [`Cache`](super::Cache) answers with: at once from the store, or after a fetch.
    ///
    /// Cancel safety: dropped, it leaves a fetch that it began to those who wait for it and to the
    /// store, as the module's documentation says.
    pub struct ResponseFuture<E> {
        #[pin]
        state: State<E>,
    }
}

pin_project! {
    #[project = Projected]
    enum State<E> {
        Answer { response: Option<Response<Body>> },
        Fetch { #[pin] fetch: Fetching<E> },
    }
}

impl<E> ResponseFuture<E> {
    pub(crate) fn answer(response: Response<Body>) -> Self {
        let response = Some(response);
        Self { state: State::Answer { response } }
    }

    pub(crate) const fn fetch(fetch: Fetching<E>) -> Self {
        Self { state: State::Fetch { fetch } }
    }
}

impl<E> Future for ResponseFuture<E> {
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            // A future that is polled after its end never ends again.
            Projected::Answer { response } => {
                response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)))
            }
            Projected::Fetch { fetch } => fetch.poll(cx),
        }
    }
}

impl<E> fmt::Debug for ResponseFuture<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
