//! The future: the inner answer with the fields, or the denial.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::http::Response;
use bytes::Bytes;
use http_body::Body as HttpBody;
use pin_project_lite::pin_project;
use vhttp::{Body, BoxError};

use crate::http::fields::Told;

pin_project! {
    /// The answer of a [`RateLimit`](crate::RateLimit).
    ///
    /// Cancel safety: dropping it drops the inner future; what the request cost stays spent.
    #[must_use = "futures do nothing unless polled"]
    pub struct RateLimitFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Allowed { #[pin] future: F, told: Option<Told> },
        Denied { response: Option<Response<Body>> },
    }
}

impl<F> RateLimitFuture<F> {
    pub(crate) const fn allowed(future: F, told: Told) -> Self {
        let told = Some(told);
        Self { state: State::Allowed { future, told } }
    }

    pub(crate) const fn denied(response: Response<Body>) -> Self {
        let response = Some(response);
        Self { state: State::Denied { response } }
    }
}

impl<F, E, ResB> Future for RateLimitFuture<F>
where
    F: Future<Output = Result<Response<ResB>, E>>,
    ResB: HttpBody<Data = Bytes> + Send + 'static,
    ResB::Error: Into<BoxError>,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Allowed { future, told } => {
                let mut response = ready!(future.poll(cx))?.map(Body::new);
                if let Some(told) = told.take() {
                    told.write(response.headers_mut());
                }
                Poll::Ready(Ok(response))
            }
            StateProj::Denied { response } => {
                response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)))
            }
        }
    }
}

impl<F> fmt::Debug for RateLimitFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitFuture").finish_non_exhaustive()
    }
}
