//! The client: a tower service from requests to responses over pooled connections.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use tokio::time::Instant;
use tower_service::Service;
use vhttp::{Body, BoxError};
use vtask::Task;

use crate::http::config::Config;
use crate::http::dial::Dialer;
use crate::http::error::{BuildError, ClientError};
use crate::http::exchange::Exchange;
use crate::http::limits::Limits;
use crate::http::stats::OriginStats;
use crate::http::table::Table;
use crate::metrics::Meters;

/// An HTTP client that keeps its connections.
///
/// A tower service: the request's absolute-form URI names the origin, which is sent the origin
/// form with the request's own `Host` field, or the URI's authority when it has none. Clones are
/// cheap and share one pool; it works on any tokio runtime, and connections live on the runtime
/// that opened them, so a runtime per core wants a client per core.
///
/// A connection serves again when the response's body was read to its end and the request's body
/// is gone; a body dropped before closes it. After a 101 the connection belongs to
/// `hyper::upgrade::on(&mut response)`. A request that an idle connection lost before anything
/// of it was written goes again on a fresh one, once, unseen.
///
/// Cancel safety: a dropped call closes its connection (HTTP/2: resets the stream) and gives its
/// place to whoever waits longest.
///
/// Limits of time for the response's head and body are the caller's.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    exchange: Exchange,
    sweep_interval: Duration,
    sweeper: OnceLock<Task>,
}

/// Builds a [`Client`].
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct Builder {
    config: Config,
    name: Option<String>,
}

impl Builder {
    /// Takes every setting from `config`.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Names the pool in metrics (label `pool`). Default: `http`. Take it from a small set.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Checks the settings and makes the client. Reads the system's certificates from disk with
    /// the feature `tls`.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn build(self) -> Result<Client, BuildError> {
        let config = self.config;
        config.check()?;
        let meters = Meters::new(self.name.as_deref().unwrap_or("http"));
        let exchange = Exchange {
            table: Table::new(config.max_origins, Limits::new(&config, meters)),
            dialer: Dialer::new(&config)?,
            wait_timeout: config.wait_timeout,
        };
        Ok(Client {
            inner: Arc::new(Inner {
                exchange,
                // A checkout looks at the age itself; this only frees sockets of quiet origins.
                sweep_interval: config.idle_timeout / 4,
                sweeper: OnceLock::new(),
            }),
        })
    }
}

impl Client {
    /// A client with these settings.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn new(config: Config) -> Result<Self, BuildError> {
        Self::builder().config(config).build()
    }

    /// Starts a client with every default.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The connections of every origin at this moment, in no order.
    #[must_use]
    pub fn stats(&self) -> Vec<OriginStats> {
        let sites = self.inner.exchange.table.all();
        sites.iter().map(|site| site.stats()).collect()
    }

    /// Closes the idle connections, fails whoever waits for one, and refuses requests from now
    /// on, for every clone. Responses under way go on, and their connections end with them.
    pub fn close(&self) {
        self.inner.exchange.table.close();
    }

    /// Whether [`close`](Self::close) was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.exchange.table.is_closed()
    }
}

impl Inner {
    async fn run(
        self: &Arc<Self>,
        request: &mut Option<Request<Body>>,
    ) -> Result<Response<Body>, ClientError> {
        self.sweeper.get_or_init(|| sweeper(self));
        self.exchange.run(request).await
    }
}

/// Lets go of connections whose time is over, as long as the client lives.
fn sweeper(inner: &Arc<Inner>) -> Task {
    let weak = Arc::downgrade(inner);
    vtask::every(inner.sweep_interval, 0.1, move || sweep(weak.clone()))
}

async fn sweep(inner: Weak<Inner>) {
    let Some(inner) = inner.upgrade() else { return };
    for site in inner.exchange.table.all() {
        site.sweep(Instant::now());
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("origins", &self.inner.exchange.table.len())
            .field("closed", &self.is_closed())
            .finish()
    }
}

impl<B> Service<Request<B>> for Client
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = ClientError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        // Whether there is room depends on the origin, so it is found out in the call.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let (inner, mut request) = (Arc::clone(&self.inner), Some(request.map(Body::new)));
        ResponseFuture { exchange: Box::pin(async move { inner.run(&mut request).await }) }
    }
}

/// The response to come; see [`Client`]. Must be polled on a tokio runtime.
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture {
    exchange: Pin<Box<dyn Future<Output = Result<Response<Body>, ClientError>> + Send>>,
}

impl Future for ResponseFuture {
    type Output = Result<Response<Body>, ClientError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.exchange.as_mut().poll(cx)
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
