//! The service: remembers what was asked, and hands over to the future.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body as HttpBody;
use tower_service::Service;
use vhttp::{Body, BoxError};

use crate::http::headers::asked::Asked;
use crate::http::headers::future::ResponseFuture;
use crate::http::headers::precondition::Conditions;
use crate::http::headers::rules::{Rules, is_read};

/// A service whose answers have fields for caches; made by
/// [`ResponseHeadersLayer`](super::ResponseHeadersLayer).
#[derive(Debug, Clone)]
pub struct ResponseHeaders<S> {
    inner: S,
    rules: Arc<Rules>,
}

impl<S> ResponseHeaders<S> {
    pub(crate) const fn new(inner: S, rules: Arc<Rules>) -> Self {
        Self { inner, rules }
    }
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for ResponseHeaders<S>
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

    fn call(&mut self, mut request: Request<ReqB>) -> Self::Future {
        let read = is_read(request.method());
        let head = request.method() == Method::HEAD;
        if head && self.rules.tagging.is_some() {
            // Only the content tells the tag.
            *request.method_mut() = Method::GET;
        }
        let conditional = read && self.rules.conditional;
        let asked = Asked {
            read,
            head,
            whole: request.method() == Method::GET,
            conditions: conditional.then(|| Conditions::of(request.headers())).flatten(),
        };
        ResponseFuture::new(self.inner.call(request), asked, Arc::clone(&self.rules))
    }
}
