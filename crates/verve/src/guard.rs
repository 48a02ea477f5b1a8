//! A panic of one request stays that request's: 500 for it, nothing for the others.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_service::Service;
use vhttp::{Body, Reject};

/// A service that answers 500 when the one inside panics, and 504 when it takes too long.
#[derive(Debug, Clone)]
pub struct Guard<S> {
    pub(crate) inner: S,
    pub(crate) deadline: Option<Duration>,
}

impl<S, ReqB> Service<Request<ReqB>> for Guard<S>
where
    S: Service<Request<ReqB>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = GuardFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqB>) -> Self::Future {
        let inner = &mut self.inner;
        let future = catch_unwind(AssertUnwindSafe(|| inner.call(request))).ok();
        GuardFuture { future, deadline: self.deadline.map(tokio::time::sleep) }
    }
}

pin_project! {
    /// The answer of a [`Guard`].
    #[derive(Debug)]
    #[must_use = "futures do nothing until they are polled"]
    pub struct GuardFuture<F> {
        #[pin]
        future: Option<F>,
        #[pin]
        deadline: Option<Sleep>,
    }
}

impl<F, E> Future for GuardFuture<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            return Poll::Ready(Ok(panicked()));
        };
        // The future is dropped after a panic and never polled again, so nobody sees it broken.
        match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(Poll::Ready(answer)) => return Poll::Ready(answer),
            Ok(Poll::Pending) => {}
            Err(_) => {
                this.future.set(None);
                return Poll::Ready(Ok(panicked()));
            }
        }
        match this.deadline.as_pin_mut().map(|deadline| deadline.poll(cx)) {
            Some(Poll::Ready(())) => Poll::Ready(Ok(too_late())),
            _ => Poll::Pending,
        }
    }
}

/// The panic hook has told the log what and where.
fn panicked() -> Response<Body> {
    Reject::new(StatusCode::INTERNAL_SERVER_ERROR, "panic").into_response()
}

fn too_late() -> Response<Body> {
    Reject::new(StatusCode::GATEWAY_TIMEOUT, "deadline")
        .detail("the request took longer than it may")
        .into_response()
}
