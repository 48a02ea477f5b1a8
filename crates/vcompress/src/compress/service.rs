//! The service: looks at the request and leaves the rest to the future.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use tower_service::Service;
use vhttp::{Body, BoxError};

use crate::compress::future::{Job, ResponseFuture};
use crate::compress::shared::Shared;

/// Codes the answers of the service inside; made by [`CompressLayer`](crate::CompressLayer).
///
/// The request passes unchanged. Errors are the inner service's.
#[derive(Clone)]
pub struct Compress<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> Compress<S> {
    pub(crate) const fn new(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, shared }
    }
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for Compress<S>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
    ResB: HttpBody<Data = Bytes> + Send + 'static,
    ResB::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqB>) -> Self::Future {
        let job = Job::new(&request, Arc::clone(&self.shared));
        ResponseFuture::new(self.inner.call(request), job)
    }
}

impl<S: fmt::Debug> fmt::Debug for Compress<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compress")
            .field("inner", &self.inner)
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}
