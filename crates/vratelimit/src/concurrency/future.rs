//! The future: waits for a place, then for the answer, or refuses.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::http::{Request, Response, StatusCode};
use bytes::Bytes;
use http_body::Body as HttpBody;
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tower_service::Service;
use vhttp::{Body, BoxError, LimitVerdict, Phase, Reject, Timeline};

use crate::concurrency::body::Held;
use crate::concurrency::limit::{Permit, Queued, Shed};

pin_project! {
    /// The answer of a [`ConcurrencyLimited`](crate::ConcurrencyLimited).
    ///
    /// Cancel safety: dropping it leaves the queue, or frees the place and drops the inner
    /// future.
    #[must_use = "futures do nothing unless polled"]
    pub struct ConcurrencyFuture<S, R>
    where
        S: Service<R>,
    {
        #[pin]
        state: State<S, R, S::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, R, F> {
        Waiting { waiting: Option<Waiting<S, R>> },
        Calling { #[pin] future: F, permit: Option<Permit> },
        Refused { response: Option<Response<Body>> },
    }
}

/// A request in the queue, with the service that is ready for it.
struct Waiting<S, R> {
    permit: Pin<Box<dyn Future<Output = Result<Permit, Shed>> + Send>>,
    service: S,
    request: R,
    since: Instant,
    retry_after: Duration,
}

impl<S, ReqB> ConcurrencyFuture<S, Request<ReqB>>
where
    S: Service<Request<ReqB>>,
{
    /// A place was free.
    pub(crate) fn admitted(service: &mut S, request: Request<ReqB>, permit: Permit) -> Self {
        Self { state: State::Calling { future: service.call(request), permit: Some(permit) } }
    }

    /// There was a place in the queue.
    pub(crate) fn queued(
        service: S,
        request: Request<ReqB>,
        queued: Queued,
        retry_after: Duration,
    ) -> Self {
        let waiting = Waiting {
            permit: Box::pin(queued.wait()),
            service,
            request,
            since: Instant::now(),
            retry_after,
        };
        Self { state: State::Waiting { waiting: Some(waiting) } }
    }

    /// There was none.
    pub(crate) fn shed(request: &Request<ReqB>, shed: Shed, retry_after: Duration) -> Self {
        Self { state: State::Refused { response: Some(refusal(request, shed, retry_after)) } }
    }
}

impl<S, ReqB, ResB> Future for ConcurrencyFuture<S, Request<ReqB>>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
    ResB: HttpBody<Data = Bytes> + Send + 'static,
    ResB::Error: Into<BoxError>,
{
    type Output = Result<Response<Body>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProj::Refused { response } => {
                    return response.take().map_or(Poll::Pending, |r| Poll::Ready(Ok(r)));
                }
                StateProj::Calling { future, permit } => {
                    let response = ready!(future.poll(cx))?;
                    let permit = permit.take();
                    return Poll::Ready(Ok(
                        response.map(|body| Held::wrap(Body::new(body), permit))
                    ));
                }
                StateProj::Waiting { waiting } => {
                    let Some(waiter) = waiting else {
                        return Poll::Pending;
                    };
                    let decided = ready!(waiter.permit.as_mut().poll(cx));
                    match waiting.take() {
                        Some(waiting) => waiting.decide(decided),
                        None => return Poll::Pending,
                    }
                }
            };
            this.state.set(next);
        }
    }
}

impl<S, ReqB> Waiting<S, Request<ReqB>>
where
    S: Service<Request<ReqB>>,
{
    /// Calls the service, or refuses.
    fn decide(mut self, decided: Result<Permit, Shed>) -> State<S, Request<ReqB>, S::Future> {
        if let Some(timeline) = self.request.extensions().get::<Timeline>() {
            timeline.add(Phase::Queue, self.since.elapsed());
        }
        match decided {
            Ok(permit) => {
                State::Calling { future: self.service.call(self.request), permit: Some(permit) }
            }
            Err(shed) => {
                State::Refused { response: Some(refusal(&self.request, shed, self.retry_after)) }
            }
        }
    }
}

fn refusal<B>(request: &Request<B>, shed: Shed, retry_after: Duration) -> Response<Body> {
    if let Some(timeline) = request.extensions().get::<Timeline>() {
        timeline.update(|record| {
            record.limit = Some(LimitVerdict::Shed);
            record.reason = Some("overloaded");
        });
    }
    Reject::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded")
        .detail(shed.to_string())
        .retry_after(retry_after)
        .into_response()
}

impl<S: Service<R>, R> fmt::Debug for ConcurrencyFuture<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConcurrencyFuture").finish_non_exhaustive()
    }
}
