//! One try: the client's readiness, the call, and the wait for the head of the answer.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::Request;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};
use tower_service::Service;
use vhttp::{Body, BoxError};

use crate::proxy::lend::{Lender, Upload};

/// Why one try gave no answer.
pub(crate) enum TryError {
    Client(BoxError),
    Timeout(Duration),
}

pin_project! {
    /// One try, until the head of the answer or the end of its time. Written by hand because a
    /// generated future would carry the request twice.
    pub(crate) struct Attempt<'a, C, F> {
        #[pin]
        state: State<C, F>,
        #[pin]
        timer: Sleep,
        began: Instant,
        limit: Duration,
        lender: &'a Lender,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<C, F> {
        Waiting { client: C, request: Option<Request<Body>> },
        Called { #[pin] future: F },
    }
}

impl<'a, C, F> Attempt<'a, C, F> {
    /// A try that begins at `began` and whose origin has `limit` whenever it is its turn.
    pub(crate) fn new(
        client: C,
        request: Request<Body>,
        lender: &'a Lender,
        (began, limit): (Instant, Duration),
    ) -> Self {
        let state = State::Waiting { client, request: Some(request) };
        Self { state, timer: sleep_until(began + limit), began, limit, lender }
    }
}

impl<C, F> State<C, F>
where
    C: Service<Request<Body>, Future = F>,
    F: Future<Output = Result<C::Response, C::Error>>,
{
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        loop {
            match self.as_mut().project() {
                StateProjection::Waiting { client, request } => {
                    ready!(client.poll_ready(cx))?;
                    // The request is there until it is handed over, right here.
                    let future = client.call(request.take().unwrap_or_default());
                    self.set(Self::Called { future });
                }
                StateProjection::Called { future } => return future.poll(cx),
            }
        }
    }
}

impl<C, F> Future for Attempt<'_, C, F>
where
    C: Service<Request<Body>, Future = F, Error: Into<BoxError>>,
    F: Future<Output = Result<C::Response, C::Error>>,
{
    type Output = Result<C::Response, TryError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            if let Poll::Ready(result) = this.state.as_mut().poll(cx) {
                return Poll::Ready(result.map_err(|error| TryError::Client(error.into())));
            }
            ready!(this.timer.as_mut().poll(cx));
            // The origin's time runs while it has something to do: not while the client sends.
            let now = Instant::now();
            let from = match this.lender.upload() {
                Upload::AwaitsClient => now,
                Upload::Moved(moved) => moved.map_or(*this.began, |moved| moved.max(*this.began)),
            };
            let due = from + *this.limit;
            if due <= now {
                return Poll::Ready(Err(TryError::Timeout(*this.limit)));
            }
            this.timer.as_mut().reset(due);
        }
    }
}
