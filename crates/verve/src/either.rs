//! A layer that is there or not, without a box.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tower_service::Service;

/// A service with a layer around it, or without.
#[derive(Debug, Clone)]
pub enum Either<A, B> {
    /// With the layer.
    With(A),
    /// Without it.
    Without(B),
}

impl<A, B, Request> Service<Request> for Either<A, B>
where
    A: Service<Request>,
    B: Service<Request, Response = A::Response, Error = A::Error>,
{
    type Response = A::Response;
    type Error = A::Error;
    type Future = EitherFuture<A::Future, B::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), A::Error>> {
        match self {
            Self::With(service) => service.poll_ready(cx),
            Self::Without(service) => service.poll_ready(cx),
        }
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let state = match self {
            Self::With(service) => State::With { future: service.call(request) },
            Self::Without(service) => State::Without { future: service.call(request) },
        };
        EitherFuture { state }
    }
}

pin_project! {
    /// The answer of an [`Either`].
    #[derive(Debug)]
    #[must_use = "futures do nothing until they are polled"]
    pub struct EitherFuture<A, B> {
        #[pin]
        state: State<A, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    #[derive(Debug)]
    enum State<A, B> {
        With { #[pin] future: A },
        Without { #[pin] future: B },
    }
}

impl<A, B> Future for EitherFuture<A, B>
where
    A: Future,
    B: Future<Output = A::Output>,
{
    type Output = A::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<A::Output> {
        match self.project().state.project() {
            StateProjection::With { future } => future.poll(cx),
            StateProjection::Without { future } => future.poll(cx),
        }
    }
}
