//! `HealthService`: answers `/health`, `/ready` and `/live`.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use tower_service::Service;
use vhttp::{Body, Reject};

use crate::health::registry::Health;
use crate::health::report::{MEDIA_TYPE, Report, Status};

/// Answers questions after the process's health, at once and from what the checks left.
///
/// | path ends in | answers | with |
/// |---|---|---|
/// | `/live`, `/livez` | 200 | no check at all: restarting does not mend a dependency |
/// | `/ready`, `/readyz` | 200 or 503 | started, not draining, critical checks passing |
/// | `/health`, `/healthz` | 200 (pass, warn) or 503 (fail) | the worst status of the checks |
///
/// A check warns as soon as its last run failed; a critical one fails, and readiness ends, after
/// `fall` failures in a row (see [`Config`](crate::health::Config)).
///
/// The last part of the path decides, so it can be mounted anywhere. `?verbose` adds versions,
/// checks and their errors: on a public address turn that off by
/// [`without_details`](Self::without_details). Everything is `no-store`; other paths get 404,
/// other methods than GET and HEAD 405.
#[derive(Debug, Clone)]
pub struct HealthService {
    health: Health,
    details: bool,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
enum Question {
    Health,
    Ready,
    Live,
}

impl Question {
    fn of(uri: &Uri) -> Option<Self> {
        match uri.path().rsplit('/').next()? {
            "health" | "healthz" => Some(Self::Health),
            "ready" | "readyz" => Some(Self::Ready),
            "live" | "livez" => Some(Self::Live),
            _ => None,
        }
    }
}

impl HealthService {
    /// Answers for `health`.
    #[must_use]
    pub const fn new(health: Health) -> Self {
        Self { health, details: true }
    }

    /// Never tells more than the status.
    #[must_use]
    pub fn without_details(self) -> Self {
        Self { details: false, ..self }
    }

    fn answer<B>(&self, request: &Request<B>) -> Response<Body> {
        let Some(question) = Question::of(request.uri()) else {
            return Reject::new(StatusCode::NOT_FOUND, "not-found").into_response();
        };
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return refuse_method();
        }
        let report = self.health.report();
        let details = self.details && is_verbose(request.uri());
        let (healthy, json) = match question {
            Question::Live => (true, r#"{"status":"pass"}"#.to_owned()),
            Question::Ready => (report.ready, report.readiness_json(details)),
            Question::Health => (report.status != Status::Fail, report.to_json(details)),
        };
        let mut response = respond(healthy, json);
        if matches!(question, Question::Ready) {
            add_retry_after(&report, &mut response);
        }
        response
    }
}

fn respond(healthy: bool, json: String) -> Response<Body> {
    let mut response = Response::new(Body::full(json));
    if !healthy {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Who drains will not be back at this address soon; whoever asks may look elsewhere first.
fn add_retry_after(report: &Report, response: &mut Response<Body>) {
    const WAIT: Duration = Duration::from_secs(5);
    if report.unready == Some("draining") {
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from(WAIT.as_secs()));
    }
}

fn refuse_method() -> Response<Body> {
    let mut response =
        Reject::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed").into_response();
    let allow = HeaderValue::from_static("GET, HEAD");
    response.headers_mut().insert(ALLOW, allow);
    response
}

fn is_verbose(uri: &Uri) -> bool {
    uri.query().is_some_and(|query| {
        query
            .split('&')
            .any(|pair| matches!(pair, "verbose" | "verbose=" | "verbose=1" | "verbose=true"))
    })
}

impl<B> Service<Request<B>> for HealthService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(&request)))
    }
}
