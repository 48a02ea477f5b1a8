//! The service: requests with a key to the store first, all others straight on.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use tower_service::Service;
use vhttp::{Body, BoxError, Timeline};

use crate::http::idempotency::asked::{Asked, asked};
use crate::http::idempotency::future::ResponseFuture;
use crate::http::idempotency::handle::Idempotency;
use crate::http::idempotency::lookup::Lookup;
use crate::http::idempotency::outcome::Outcome;

/// A service that carries requests with a key out once; made by
/// [`IdempotencyLayer`](super::IdempotencyLayer).
///
/// A request with a key is read to its end first, and its content given to the inner service as
/// one piece (`ReqB: From<Bytes>`, which axum's and vhttp's bodies are).
#[derive(Clone)]
pub struct Idempotent<S> {
    inner: S,
    idempotency: Idempotency,
}

impl<S> Idempotent<S> {
    pub(crate) const fn new(inner: S, idempotency: Idempotency) -> Self {
        Self { inner, idempotency }
    }

    /// The keys and answers.
    #[must_use]
    pub const fn idempotency(&self) -> &Idempotency {
        &self.idempotency
    }
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for Idempotent<S>
where
    S: Service<Request<ReqB>, Response = Response<ResB>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    ReqB: HttpBody<Data = Bytes> + From<Bytes> + Send + 'static,
    ReqB::Error: Into<BoxError>,
    ResB: HttpBody<Data = Bytes> + Send + 'static,
    ResB::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqB>) -> Self::Future {
        let shared = &self.idempotency.shared;
        let asked = asked(&request, &shared.config);
        let refuse = |why: Outcome| {
            let timeline = request.extensions().get::<Timeline>();
            ResponseFuture::answer(shared.refuse(&why, timeline))
        };
        match asked {
            Asked::Nothing => return ResponseFuture::inner(self.inner.call(request)),
            Asked::Missing => return refuse(Outcome::KeyMissing),
            Asked::Malformed(why) => return refuse(Outcome::KeyMalformed(why)),
            Asked::Key(_) | Asked::Content => {}
        }
        let lookup = Lookup {
            // A place that was promised to us stays with us: the run asks for its own, when it is
            // its turn.
            service: self.inner.clone(),
            shared: Arc::clone(shared),
            runs: Arc::clone(&self.idempotency.runs),
            asked,
        };
        ResponseFuture::lookup(Box::pin(lookup.answer(request)))
    }
}

impl<S> fmt::Debug for Idempotent<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idempotent").field("idempotency", &self.idempotency).finish_non_exhaustive()
    }
}
