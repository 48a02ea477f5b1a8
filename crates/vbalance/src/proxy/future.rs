//! The way of one request: pick, send, judge, and perhaps try again.

use std::convert::Infallible;
use std::fmt;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use hyper::ext::on_informational;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep};
use tower_service::Service;
use vhttp::{Body, BoxError, Interim, Phase, Reason, Reject, Timeline};

use crate::address::Address;
use crate::balance::Lease;
use crate::cause::chain;
use crate::health::outlier::Outcome;
use crate::proxy::answer;
use crate::proxy::attempt::{Attempt, TryError};
use crate::proxy::forward::Target;
use crate::proxy::known::Known;
use crate::proxy::lend::Lender;
use crate::proxy::rules::Rules;
use crate::proxy::upgrade::Wish;
use crate::retry::policy::{Again, Failure, again};

/// The answer to come, of a [`Proxy`](crate::Proxy).
///
/// Dropped, it abandons the request, which counts neither for nor against the endpoint.
#[must_use = "futures do nothing unless polled"]
pub struct ProxyFuture {
    future: Pin<Box<dyn Future<Output = Response<Body>> + Send>>,
}

impl ProxyFuture {
    pub(crate) fn new(future: impl Future<Output = Response<Body>> + Send + 'static) -> Self {
        Self { future: Box::pin(future) }
    }
}

impl Future for ProxyFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.future.as_mut().poll(cx).map(Ok)
    }
}

impl fmt::Debug for ProxyFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyFuture").finish_non_exhaustive()
    }
}

/// Answers one request, whatever happens.
///
/// What needs no waiting is done at once, so that the future carries only what is left of it.
pub(crate) fn serve<C, B>(rules: Arc<Rules>, client: C, request: Request<Body>) -> ProxyFuture
where
    C: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
    C::Error: Into<BoxError>,
    C::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let timeline = request.extensions().get::<Timeline>().cloned();
    match Tries::begin(rules, request, timeline.clone()) {
        Ok((tries, wish)) => {
            let late = tries.rules.deadline.map(sleep);
            let exchange = exchange(tries, client, wish);
            ProxyFuture::new(Within { exchange, late, timeline })
        }
        Err(reject) => ProxyFuture::new(ready(refuse(reject, timeline.as_ref()))),
    }
}

fn refuse(reject: Reject, timeline: Option<&Timeline>) -> Response<Body> {
    let response = reject.into_response();
    if let (Some(timeline), Some(reason)) = (timeline, response.extensions().get::<Reason>()) {
        timeline.update(|record| record.reason = Some(reason.0));
    }
    response
}

pin_project! {
    /// An exchange that must give its answer before it is too late.
    struct Within<F> {
        #[pin]
        exchange: F,
        #[pin]
        late: Option<Sleep>,
        timeline: Option<Timeline>,
    }
}

impl<F> Future for Within<F>
where
    F: Future<Output = Result<Response<Body>, Reject>>,
{
    type Output = Response<Body>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response<Body>> {
        let this = self.project();
        let result = match (this.exchange.poll(cx), this.late.as_pin_mut()) {
            (Poll::Ready(result), _) => result,
            (Poll::Pending, Some(late)) => {
                std::task::ready!(late.poll(cx));
                Err(reject_timeout())
            }
            (Poll::Pending, None) => return Poll::Pending,
        };
        Poll::Ready(result.unwrap_or_else(|reject| refuse(reject, this.timeline.as_ref())))
    }
}

/// Tries until there is an answer, or no try is left.
#[expect(clippy::manual_async_fn, reason = "an async fn would carry its arguments twice")]
fn exchange<C, B>(
    mut tries: Tries,
    client: C,
    wish: Option<Wish>,
) -> impl Future<Output = Result<Response<Body>, Reject>>
where
    C: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>> + Clone,
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    async move {
        let mut place = tries.rules.upstream.pick().ok_or_else(reject_no_endpoint)?;
        loop {
            let began = Began::now(tries.timeline.as_ref());
            let result = {
                let request = tries.request(place.address())?;
                let time = (began.at, tries.rules.head_timeout);
                Attempt::new(client.clone(), request, &tries.lender, time).await
            };
            if let Some(timeline) = &tries.timeline {
                began.end(timeline);
            }
            match result {
                Ok(response) => {
                    return answer::pass(&tries.rules, response, place, tries.lender, wish);
                }
                Err(error) => place = tries.after(place, &error)?,
            }
        }
    }
}

/// When a try began, and how long the request had waited for connections until then.
struct Began {
    at: Instant,
    pool: Duration,
}

impl Began {
    fn now(timeline: Option<&Timeline>) -> Self {
        Self { at: Instant::now(), pool: timeline.map(pool_time).unwrap_or_default() }
    }

    /// Adds the try's time, without the wait for a connection, which is a phase of its own.
    fn end(&self, timeline: &Timeline) {
        let pool = pool_time(timeline).saturating_sub(self.pool);
        timeline.add(Phase::Upstream, self.at.elapsed().saturating_sub(pool));
    }
}

fn pool_time(timeline: &Timeline) -> Duration {
    timeline.look(|record| record.time(Phase::Pool)).unwrap_or_default()
}

/// The tries of one request.
struct Tries {
    rules: Arc<Rules>,
    method: Method,
    head: Parts,
    /// What the head's extensions are made of again, after the first try has taken them.
    known: Option<Known>,
    target: Target,
    lender: Lender,
    tried: Vec<Address>,
    /// Tries that may still begin.
    left: u8,
    timeline: Option<Timeline>,
}

impl Tries {
    /// Makes `request` fit to be passed on.
    fn begin(
        rules: Arc<Rules>,
        mut request: Request<Body>,
        timeline: Option<Timeline>,
    ) -> Result<(Self, Option<Wish>), Reject> {
        let wish = match rules.upgrade {
            true => Wish::of(&mut request, &rules.tunnels)?,
            false => None,
        };
        let (mut head, body) = request.into_parts();
        let target = rules.forward.prepare(&mut head, &body, wish.is_some())?;
        let tries = Self {
            method: head.method.clone(),
            known: Known::all_of(&head.extensions),
            head,
            target,
            lender: Lender::new(body),
            tried: Vec::new(),
            left: rules.tries,
            timeline,
            rules,
        };
        Ok((tries, wish))
    }

    /// The request for a try at `address`.
    fn request(&mut self, address: &Address) -> Result<Request<Body>, Reject> {
        self.left = self.left.saturating_sub(1);
        if let Some(timeline) = &self.timeline {
            timeline.update(|record| {
                record.upstream = Some(Arc::clone(address.name()));
                record.attempts = record.attempts.saturating_add(1);
            });
        }
        let bad = || Reject::new(StatusCode::BAD_REQUEST, "bad-target");
        let mut head = self.head();
        self.target.aim(&mut head, address).map_err(|_| bad())?;
        let body = self.lender.lend().ok_or_else(bad)?;
        let mut request = Request::from_parts(head, body);
        if let Some(interim) = request.extensions().get::<Interim>().cloned() {
            on_informational(&mut request, move |head| {
                answer::pass_interim(&interim, head.status(), head.headers());
            });
        }
        Ok(request)
    }

    /// The head for one try. Its fields are copied for the next one; its extensions, which cost
    /// as much, only when they cannot be made again.
    fn head(&mut self) -> Parts {
        let Some(known) = &self.known else {
            return self.head.clone();
        };
        let extensions = std::mem::take(&mut self.head.extensions);
        let mut head = self.head.clone();
        head.extensions = if extensions.is_empty() { known.to_extensions() } else { extensions };
        head
    }

    /// Reports a failed try, and finds the place of the next one or the answer to give up with.
    fn after(&mut self, mut place: Lease, error: &TryError) -> Result<Lease, Reject> {
        if self.lender.failed() {
            // The client broke its own request off: nobody here has failed.
            let reject = Reject::new(StatusCode::BAD_REQUEST, "request-incomplete");
            return Err(reject);
        }
        let failure = match error {
            TryError::Client(error) => (self.rules.classify)(error),
            TryError::Timeout(_) => Failure::Timeout,
        };
        report(&mut place, failure, error);
        self.tried.push(place.address().clone());
        drop(place);
        self.next(failure).ok_or_else(|| reject(failure))
    }

    fn next(&self, failure: Failure) -> Option<Lease> {
        if self.left == 0 || !self.lender.can_lend() {
            return None;
        }
        let upstream = &self.rules.upstream;
        let next = match again(failure, &self.method) {
            Again::No => None,
            Again::Elsewhere => upstream.pick_except(&self.tried),
            Again::Anywhere => upstream.pick_except(&self.tried).or_else(|| upstream.pick()),
        };
        if next.is_some() {
            upstream.inner.set.meters.retried();
        }
        next
    }
}

fn report(place: &mut Lease, failure: Failure, error: &TryError) {
    let outcome = match failure {
        // The origin closed an idle connection, which is its right, or was not asked at all.
        Failure::ClosedBeforeAnswer { reused: true } | Failure::Busy => return,
        Failure::NotSent | Failure::ClosedBeforeAnswer { .. } | Failure::Timeout => {
            Outcome::Unreachable
        }
        Failure::Other => Outcome::BadAnswer,
    };
    match error {
        TryError::Client(error) => place.report_error(outcome, &chain(&**error)),
        TryError::Timeout(limit) => {
            place.report_error(outcome, &format_args!("no answer within {limit:?}"));
        }
    }
}

/// The answer that a failure ends in.
fn reject(failure: Failure) -> Reject {
    const SOON: Duration = Duration::from_secs(1);
    let bad_gateway = |reason| Reject::new(StatusCode::BAD_GATEWAY, reason);
    match failure {
        Failure::NotSent => bad_gateway("upstream-unreachable").retry_after(SOON),
        Failure::ClosedBeforeAnswer { .. } => bad_gateway("upstream-closed"),
        Failure::Timeout => reject_timeout(),
        Failure::Busy => {
            Reject::new(StatusCode::SERVICE_UNAVAILABLE, "upstream-busy").retry_after(SOON)
        }
        Failure::Other => bad_gateway("upstream-bad-answer"),
    }
}

const fn reject_timeout() -> Reject {
    Reject::new(StatusCode::GATEWAY_TIMEOUT, "upstream-timeout")
}

fn reject_no_endpoint() -> Reject {
    let reject = Reject::new(StatusCode::SERVICE_UNAVAILABLE, "no-endpoint");
    reject.retry_after(Duration::from_secs(1))
}
