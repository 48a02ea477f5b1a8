//! The way of one request: pick, send, judge, and perhaps try again.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use tokio::time::{Instant, timeout, timeout_at};
use tower_service::Service;
use vhttp::{Body, BoxError, Phase, Reason, Reject, Timeline};

use crate::address::Address;
use crate::balance::Lease;
use crate::cause::chain;
use crate::health::outlier::Outcome;
use crate::proxy::answer;
use crate::proxy::forward::Target;
use crate::proxy::lend::{Lender, Upload};
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
pub(crate) async fn serve<C, B>(
    rules: Arc<Rules>,
    client: C,
    request: Request<Body>,
) -> Response<Body>
where
    C: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>> + Clone,
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let timeline = request.extensions().get::<Timeline>().cloned();
    let exchange = exchange(&rules, client, request, timeline.as_ref());
    let result = match rules.deadline {
        Some(deadline) => {
            timeout(deadline, exchange).await.unwrap_or_else(|_| Err(reject_timeout()))
        }
        None => exchange.await,
    };
    result.unwrap_or_else(|reject| {
        let response = reject.into_response();
        if let (Some(timeline), Some(reason)) = (timeline, response.extensions().get::<Reason>()) {
            timeline.update(|record| record.reason = Some(reason.0));
        }
        response
    })
}

async fn exchange<C, B>(
    rules: &Rules,
    client: C,
    mut request: Request<Body>,
    timeline: Option<&Timeline>,
) -> Result<Response<Body>, Reject>
where
    C: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>> + Clone,
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let wish = match rules.upgrade {
        true => Wish::of(&mut request, &rules.tunnels)?,
        false => None,
    };
    let (mut head, body) = request.into_parts();
    let target = rules.forward.prepare(&mut head, &body, wish.is_some())?;
    let mut tries = Tries {
        rules,
        method: head.method.clone(),
        head,
        target,
        lender: Lender::new(body),
        tried: Vec::new(),
        left: rules.tries,
        timeline,
    };
    let mut place = tries.rules.upstream.pick().ok_or_else(reject_no_endpoint)?;
    loop {
        let request = tries.request(place.address())?;
        let began = Began::now(timeline);
        let result = attempt(client.clone(), request, rules.head_timeout, &tries.lender).await;
        if let (Some(began), Some(timeline)) = (began, timeline) {
            began.end(timeline);
        }
        match result {
            Ok(response) => return answer::pass(rules, response, place, tries.lender, wish),
            Err(error) => place = tries.after(place, &error)?,
        }
    }
}

/// When a try began, and how long the request had waited for connections until then.
struct Began {
    at: Instant,
    pool: Duration,
}

impl Began {
    fn now(timeline: Option<&Timeline>) -> Option<Self> {
        timeline.map(|timeline| Self { at: Instant::now(), pool: pool_time(timeline) })
    }

    /// Adds the try's time, without the wait for a connection, which is a phase of its own.
    fn end(&self, timeline: &Timeline) {
        let pool = pool_time(timeline).saturating_sub(self.pool);
        timeline.add(Phase::Upstream, self.at.elapsed().saturating_sub(pool));
    }
}

fn pool_time(timeline: &Timeline) -> Duration {
    timeline.read().time(Phase::Pool).unwrap_or_default()
}

/// Why one try gave no answer.
enum TryError {
    Client(BoxError),
    Timeout(Duration),
}

/// Sends one request and waits for the head of the answer.
async fn attempt<C>(
    mut client: C,
    request: Request<Body>,
    limit: Duration,
    lender: &Lender,
) -> Result<C::Response, TryError>
where
    C: Service<Request<Body>, Error: Into<BoxError>>,
{
    let began = Instant::now();
    let mut call = pin!(async move {
        poll_fn(|cx| client.poll_ready(cx)).await?;
        client.call(request).await
    });
    let mut due = began + limit;
    loop {
        if let Ok(result) = timeout_at(due, call.as_mut()).await {
            return result.map_err(|error| TryError::Client(error.into()));
        }
        // The origin's time runs while it has something to do: not while the client sends.
        let now = Instant::now();
        let from = match lender.upload() {
            Upload::AwaitsClient => now,
            Upload::Moved(moved) => moved.map_or(began, |moved| moved.max(began)),
        };
        due = from + limit;
        if due <= now {
            return Err(TryError::Timeout(limit));
        }
    }
}

/// The tries of one request.
struct Tries<'a> {
    rules: &'a Rules,
    method: Method,
    head: Parts,
    target: Target,
    lender: Lender,
    tried: Vec<Address>,
    /// Tries that may still begin.
    left: u8,
    timeline: Option<&'a Timeline>,
}

impl Tries<'_> {
    /// The request for a try at `address`.
    fn request(&mut self, address: &Address) -> Result<Request<Body>, Reject> {
        self.left = self.left.saturating_sub(1);
        if let Some(timeline) = self.timeline {
            timeline.update(|record| {
                record.upstream = Some(Arc::clone(address.name()));
                record.attempts = record.attempts.saturating_add(1);
            });
        }
        let bad = || Reject::new(StatusCode::BAD_REQUEST, "bad-target");
        let mut head = self.head.clone();
        self.target.aim(&mut head, address).map_err(|_| bad())?;
        let body = self.lender.lend().ok_or_else(bad)?;
        Ok(Request::from_parts(head, body))
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
