//! The innermost place: turns the service's body into ours.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;
use vhttp::{Body, BoxError};

/// A service whose answers have a [`Body`].
#[derive(Debug, Clone)]
pub struct Plain<S> {
    pub(crate) inner: S,
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for Plain<S>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
    ResB: http_body::Body<Data = Bytes> + Send + 'static,
    ResB::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = PlainFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqB>) -> Self::Future {
        PlainFuture { future: self.inner.call(request) }
    }
}

pin_project! {
    /// The answer of a [`Plain`] service.
    #[derive(Debug)]
    #[must_use = "futures do nothing until they are polled"]
    pub struct PlainFuture<F> {
        #[pin]
        future: F,
    }
}

impl<F, ResB, E> Future for PlainFuture<F>
where
    F: Future<Output = Result<Response<ResB>, E>>,
    ResB: http_body::Body<Data = Bytes> + Send + 'static,
    ResB::Error: Into<BoxError>,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.project().future.poll(cx));
        Poll::Ready(response.map(|response| response.map(Body::new)))
    }
}
