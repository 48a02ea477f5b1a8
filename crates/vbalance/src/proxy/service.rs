//! `Proxy`: the reverse proxy as a service.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use tower_service::Service;
use vhttp::{Body, BoxError};

use crate::balance::Upstream;
use crate::proxy::future::{ProxyFuture, serve};
use crate::proxy::rules::Rules;
use crate::proxy::upgrade::Tunnels;

/// A reverse proxy: sends requests to the endpoints of an upstream through any HTTP client
/// service, and always answers.
///
/// The client gets requests with an absolute URI and connects to its authority; it should pool
/// connections, and follow no redirects. Bodies stream both ways. When no origin answers, the
/// answer is a problem document (RFC 9457) with one of these reasons:
///
/// | status | reason | when |
/// |---|---|---|
/// | 400 | `bad-host`, `bad-target`, `request-incomplete` | the request cannot be passed on whole |
/// | 501 | `coding-unsupported`, `method-unsupported` | a transfer coding beside `chunked`; CONNECT |
/// | 502 | `upstream-unreachable`, `upstream-closed`, `upstream-bad-answer` | no connection; closed before the answer; a broken or unasked one |
/// | 503 | `no-endpoint`, `upstream-busy`, `tunnels-full` | nobody may be asked; see `Retry-After` |
/// | 504 | `upstream-timeout` | no answer in time |
#[derive(Clone)]
pub struct Proxy<C> {
    pub(crate) rules: Arc<Rules>,
    pub(crate) client: C,
}

impl<C> Proxy<C> {
    /// The upstream that requests go to.
    #[must_use]
    pub fn upstream(&self) -> &Upstream {
        &self.rules.upstream
    }

    /// The open tunnels.
    #[must_use]
    pub fn tunnels(&self) -> &Tunnels {
        &self.rules.tunnels
    }
}

impl<C, B> Service<Request<Body>> for Proxy<C>
where
    C: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
    C::Error: Into<BoxError>,
    C::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ProxyFuture;

    /// Always ready: each try waits for the client by itself, within its own time.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> ProxyFuture {
        let (rules, client) = (Arc::clone(&self.rules), self.client.clone());
        serve(rules, client, request)
    }
}

impl<C> fmt::Debug for Proxy<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("upstream", &self.rules.upstream).finish_non_exhaustive()
    }
}
