//! The step that makes a request's head what the origin will see, before a cache looks at it.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::Request;
use http_body::Body as HttpBody;
use tower_layer::Layer;
use tower_service::Service;
use vhttp::TrustedProxies;

use crate::error::BuildError;
use crate::proxy::config::ProxyConfig;
use crate::proxy::forward::Forward;
use crate::proxy::upgrade::is_websocket_request;

/// Makes request heads what the origin will see, and says so with [`vhttp::Vouched`]; for a cache
/// between this and the [`Proxy`](crate::Proxy).
///
/// Removes what belongs to the client's connection, writes the forwarding fields and `Via`, and
/// joins the crumbs of cookies, as the proxy with the same settings does; that does not do it again
/// then. So a cache keys and compares what the origin gets, and nothing that it never sees.
/// What the proxy refuses passes here as it came. An offer of a WebSocket stays.
#[derive(Debug, Clone)]
pub struct VouchLayer {
    rules: Arc<Rules>,
}

#[derive(Debug)]
struct Rules {
    forward: Forward,
    upgrade: bool,
}

impl VouchLayer {
    /// The step with the settings of a proxy, which believes `trusted` what they say of the client.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn new(config: &ProxyConfig, trusted: TrustedProxies) -> Result<Self, BuildError> {
        config.check()?;
        let forward = Forward::new(config, trusted)?;
        Ok(Self { rules: Arc::new(Rules { forward, upgrade: config.upgrade }) })
    }

    /// Does the step with one request.
    #[must_use]
    pub fn vouch<B: HttpBody>(&self, request: Request<B>) -> Request<B> {
        let upgrade = self.rules.upgrade && is_websocket_request(&request);
        let (mut parts, body) = request.into_parts();
        self.rules.forward.vouch(&mut parts, upgrade);
        Request::from_parts(parts, body)
    }
}

impl<S> Layer<S> for VouchLayer {
    type Service = Vouch<S>;

    fn layer(&self, inner: S) -> Vouch<S> {
        Vouch { inner, layer: self.clone() }
    }
}

/// A service whose requests have the head that the origin will see; made by [`VouchLayer`].
#[derive(Debug, Clone)]
pub struct Vouch<S> {
    inner: S,
    layer: VouchLayer,
}

impl<S, B> Service<Request<B>> for Vouch<S>
where
    S: Service<Request<B>>,
    B: HttpBody,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        self.inner.call(self.layer.vouch(request))
    }
}
