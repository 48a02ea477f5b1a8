//! A route's stack behind one pointer, callable from any request of its worker.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Waker};

use http::{Request, Response};
use tower_service::Service;
use verve::http::Body;

/// The answer under way.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// Anything that answers requests.
pub(crate) trait Handle: Send + Sync {
    /// Begins to answer.
    fn handle(&self, request: Request<Body>) -> Answer;
}

/// A service as a [`Handle`]; its clones must be cheap.
struct Cloned<S>(S);

impl<S> Handle for Cloned<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    fn handle(&self, request: Request<Body>) -> Answer {
        let mut service = self.0.clone();
        // Nearly always: then the answer carries neither the service nor the request.
        if service.poll_ready(&mut Context::from_waker(Waker::noop())).is_ready() {
            return Box::pin(service.call(request));
        }
        Box::pin(async move {
            let Ok(()) = poll_fn(|cx| service.poll_ready(cx)).await;
            service.call(request).await
        })
    }
}

/// A route's stack.
pub(crate) struct Handler(Box<dyn Handle>);

impl Handler {
    pub(crate) fn new<S>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        Self(Box::new(Cloned(service)))
    }

    /// Begins to answer.
    pub(crate) fn handle(&self, request: Request<Body>) -> Answer {
        self.0.handle(request)
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handler")
    }
}
