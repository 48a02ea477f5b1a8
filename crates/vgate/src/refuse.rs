//! Answers for requests that reach no route, measured like all others.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use tower_service::Service;
use verve::Stack;
use verve::http::{Body, Reject};
use verve::metrics::{Handle, MetricsLayer};

use crate::route::handler::{Answer, Handler};

/// The name of no route.
const UNMATCHED: &str = "unmatched";

/// Answers what reaches no route.
#[derive(Debug)]
pub(crate) struct Refusals {
    handler: Handler,
}

impl Refusals {
    pub(crate) fn new(metrics: &Handle) -> Self {
        let layer = MetricsLayer::new(metrics).route(UNMATCHED);
        Self { handler: Handler::new(Stack::new().metrics(layer).service(Refuse)) }
    }

    pub(crate) fn answer(&self, mut request: Request<Body>, reject: Reject) -> Answer {
        request.extensions_mut().insert(reject);
        self.handler.handle(request)
    }
}

/// Answers with the refusal that the request carries.
#[derive(Debug, Clone)]
struct Refuse;

impl Service<Request<Body>> for Refuse {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let unknown = || Reject::new(StatusCode::BAD_REQUEST, "refused");
        let reject = request.extensions_mut().remove::<Reject>().unwrap_or_else(unknown);
        ready(Ok(reject.into_response()))
    }
}
