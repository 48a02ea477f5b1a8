//! `Metrics`: the service that measures what passes through it.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Extensions, Request, Response};
use http_body::Body;
use tower_service::Service;
use vhttp::{BoxError, Timeline};

use crate::http::future::ResponseFuture;
use crate::http::method::KnownMethod;
use crate::http::observe::Observation;
use crate::http::route::{Route, Routes};

/// Where the route of a request is found.
#[derive(Debug, Clone)]
pub(crate) enum Find {
    /// It is always this one.
    Fixed(Arc<Route>),
    /// In the request's extensions, else in the timeline.
    Extensions(fn(&Extensions) -> Option<&str>),
    /// In the timeline.
    Timeline,
}

/// Measures the requests that pass; made by [`MetricsLayer`](crate::http::MetricsLayer).
///
/// Readiness is the inner service's. Answers keep their bodies as they are, and are measured to
/// the end of them.
#[derive(Debug, Clone)]
pub struct Metrics<S> {
    inner: S,
    routes: Arc<Routes>,
    find: Find,
}

impl<S> Metrics<S> {
    pub(crate) const fn new(inner: S, routes: Arc<Routes>, find: Find) -> Self {
        Self { inner, routes, find }
    }

    fn observe<B>(&self, request: &Request<B>) -> Observation {
        let extensions = request.extensions();
        let route = match &self.find {
            Find::Fixed(route) => Some(Arc::clone(route)),
            Find::Extensions(find) => find(extensions).map(|name| self.routes.get(name)),
            Find::Timeline => None,
        };
        let method = KnownMethod::of(request.method());
        let timeline = extensions.get::<Timeline>().cloned();
        Observation::start(&self.routes, route, method, timeline)
    }
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for Metrics<S>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
    ResB: Body<Data = Bytes> + Send + 'static,
    ResB::Error: Into<BoxError>,
{
    type Response = Response<vhttp::Body>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqB>) -> Self::Future {
        let observation = self.observe(&request);
        ResponseFuture::new(self.inner.call(request), observation)
    }
}
