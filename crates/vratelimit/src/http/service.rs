//! The service: decides, and answers 429 itself.

use std::sync::Arc;
use std::task::{Context, Poll};

use ::http::{HeaderValue, Request, Response, StatusCode};
use bytes::Bytes;
use http_body::Body as HttpBody;
use tokio::time::Instant;
use tower_service::Service;
use vhttp::{Body, BoxError, LimitVerdict, Phase, Reject, Timeline};

use crate::decision::Decision;
use crate::http::fields::{self, Style, Told};
use crate::http::future::RateLimitFuture;
use crate::http::key::{Head, KeyBy};
use crate::limiter::Limiter;
use crate::quota::Quota;

/// Lets requests through as the limiter decides; made by
/// [`RateLimitLayer`](crate::RateLimitLayer).
///
/// A request over the quota is answered with a 429 and `Retry-After`, made here; the inner
/// service does not see it. Errors are the inner service's. It is ready when the inner service
/// is.
#[derive(Debug, Clone)]
pub struct RateLimit<S> {
    inner: S,
    shared: Arc<Shared>,
}

/// What every service of a layer shares.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limiter: Limiter,
    pub(crate) key: KeyBy,
    pub(crate) style: Style,
    /// The policy's field, written once, for as long as the quota is this one.
    pub(crate) policy: (Quota, Option<HeaderValue>),
}

impl<S> RateLimit<S> {
    pub(crate) const fn new(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, shared }
    }
}

impl Shared {
    fn decide<B>(&self, request: &Request<B>) -> Decision {
        let now = Instant::now();
        let head = Head::of(request);
        let decision = self.key.with(head, |key| self.limiter.check_at(key, now));
        if let Some(timeline) = request.extensions().get::<Timeline>() {
            timeline.add(Phase::Limit, now.elapsed());
            timeline.update(|record| record.limit = Some(verdict(decision)));
        }
        decision
    }

    fn told(&self, decision: Decision) -> Told {
        let standard = self.style.standard;
        let name = self.limiter.name();
        Told {
            style: self.style,
            policy: standard.then(|| self.policy()).flatten(),
            limit: standard.then(|| fields::limit(name, &decision)).flatten(),
            decision,
        }
    }

    fn policy(&self) -> Option<HeaderValue> {
        let quota = self.limiter.quota();
        if quota == self.policy.0 {
            return self.policy.1.clone();
        }
        fields::policy(self.limiter.name(), &quota)
    }

    fn denial(&self, decision: Decision) -> Response<Body> {
        let mut response = Reject::new(StatusCode::TOO_MANY_REQUESTS, "rate-limited")
            .detail("too many requests")
            .retry_after(decision.retry_after)
            .into_response();
        self.told(decision).write(response.headers_mut());
        response
    }
}

const fn verdict(decision: Decision) -> LimitVerdict {
    if decision.allowed { LimitVerdict::Allowed } else { LimitVerdict::Denied }
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for RateLimit<S>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
    ResB: HttpBody<Data = Bytes> + Send + 'static,
    ResB::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = RateLimitFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqB>) -> Self::Future {
        let decision = self.shared.decide(&request);
        if decision.allowed {
            let told = self.shared.told(decision);
            return RateLimitFuture::allowed(self.inner.call(request), told);
        }
        if let Some(timeline) = request.extensions().get::<Timeline>() {
            timeline.update(|record| record.reason = Some("rate-limited"));
        }
        RateLimitFuture::denied(self.shared.denial(decision))
    }
}
