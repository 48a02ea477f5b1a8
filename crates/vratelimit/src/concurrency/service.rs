//! The service: takes a place or a place in the queue, and leaves the rest to the future.

use std::mem;
use std::task::{Context, Poll};

use ::http::{Request, Response};
use bytes::Bytes;
use http_body::Body as HttpBody;
use tower_service::Service;
use vhttp::{Body, BoxError};

use crate::concurrency::future::ConcurrencyFuture;
use crate::concurrency::limit::ConcurrencyLimit;

/// Lets so many requests through at once; made by
/// [`ConcurrencyLimitLayer`](crate::ConcurrencyLimitLayer).
///
/// A place is held until the response's body has ended or is dropped. Without a place, and
/// without one in the queue or in time, the answer is a 503 with `Retry-After`, made here. Errors
/// are the inner service's. It is ready when the inner service is: a full limit answers.
#[derive(Debug, Clone)]
pub struct ConcurrencyLimited<S> {
    inner: S,
    limit: ConcurrencyLimit,
}

impl<S> ConcurrencyLimited<S> {
    pub(crate) const fn new(inner: S, limit: ConcurrencyLimit) -> Self {
        Self { inner, limit }
    }
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for ConcurrencyLimited<S>
where
    S: Service<Request<ReqB>, Response = Response<ResB>> + Clone,
    ResB: HttpBody<Data = Bytes> + Send + 'static,
    ResB::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = ConcurrencyFuture<S, Request<ReqB>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqB>) -> Self::Future {
        if let Some(permit) = self.limit.try_acquire() {
            return ConcurrencyFuture::admitted(&mut self.inner, request, permit);
        }
        match self.limit.enter_queue() {
            Ok(queued) => {
                // The clone that was polled ready is the one that is called.
                let clone = self.inner.clone();
                let ready = mem::replace(&mut self.inner, clone);
                let retry_after = self.limit.retry_after();
                ConcurrencyFuture::queued(ready, request, queued, retry_after)
            }
            Err(shed) => ConcurrencyFuture::shed(&request, shed, self.limit.retry_after()),
        }
    }
}
