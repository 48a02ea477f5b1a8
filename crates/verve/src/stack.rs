//! `Stack`: the layers in their proven order, each there or not.

use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;
use vcache::http::idempotency::{IdempotencyLayer, Idempotent};
use vcache::http::{Cache, CacheLayer};
use vcompress::{BuildError as CompressError, Compress, CompressLayer, Config as CompressConfig};
use vmetrics::{Metrics, MetricsLayer};
use vratelimit::{ConcurrencyLimitLayer, ConcurrencyLimited, RateLimit, RateLimitLayer};

use crate::begin::Begin;
use crate::either::Either;
use crate::encode::Coder;
use crate::guard::Guard;
use crate::plain::Plain;

/// The layers of Verve in the order that works, around any HTTP service.
///
/// From the outside to the service, and why each stands where it stands:
///
/// 1. **timeline**: every layer below writes into it, so it comes first.
/// 2. **metrics**: sees every answer, also those that the layers below make.
/// 3. **panic guard and deadline**: a panic or an endless wait below becomes an answer (500, 504)
///    that is measured like any other. The deadline covers waiting, not the body.
/// 4. **rate limit**: before any work is done for the request. Hits count too: the limit is a
///    promise to the client, not an estimate of the work.
/// 5. **in-flight limit**: only what the quota allows may wait for a place.
/// 6. **compress**: outside the cache, so that the cache stores the plain form once; a hit comes
///    coded already, through the cache's hook, and passes here untouched.
/// 7. **idempotency**: inside compress, so that an answer is kept in its plain form and coded for
///    whoever gets it again; outside the cache, so that a repeated answer invalidates nothing once
///    more.
/// 8. **cache**: last, so that only what it cannot answer reaches the service.
///
/// Before a reverse proxy put `balance::VouchLayer` around the stack, so that the cache sees
/// requests as the origin will.
///
/// All but the first and third are there when they were asked for. The answer's body is
/// [`vhttp::Body`], whatever the service's is; its error is the service's own, so that an
/// infallible service (axum's) stays infallible.
///
/// ```
/// use std::convert::Infallible;
/// use std::time::Duration;
/// use http::{Request, Response};
/// use tower::service_fn;
/// use verve::Stack;
/// use verve::cache::http::{CacheLayer, Config, HttpCache};
/// use verve::http::Body;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cache = HttpCache::new(Config::default())?;
/// let service = Stack::new()
///     .deadline(Duration::from_secs(10))
///     .compress(verve::compress::Config::default())?
///     .cache(CacheLayer::new(cache))
///     .service(service_fn(|_: Request<Body>| async {
///         Ok::<_, Infallible>(Response::new(Body::full("hello")))
///     }));
/// # let _ = service;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a stack does nothing until it is given a service"]
pub struct Stack {
    metrics: Option<MetricsLayer>,
    deadline: Option<Duration>,
    rate_limit: Option<RateLimitLayer>,
    in_flight: Option<ConcurrencyLimitLayer>,
    compress: Option<(CompressLayer, CompressConfig)>,
    idempotency: Option<IdempotencyLayer>,
    cache: Option<CacheLayer>,
}

type Cached<S> = Either<Cache<Plain<S>>, Plain<S>>;
type Once<S> = Either<Idempotent<Cached<S>>, Cached<S>>;
type Coded<S> = Either<Compress<Once<S>>, Once<S>>;
type Placed<S> = Either<ConcurrencyLimited<Coded<S>>, Coded<S>>;
type Limited<S> = Either<RateLimit<Placed<S>>, Placed<S>>;
type Measured<S> = Either<Metrics<Guard<Limited<S>>>, Guard<Limited<S>>>;

/// A service in a [`Stack`].
pub type StackService<S> = Begin<Measured<S>>;

impl Stack {
    /// A stack of nothing but the timeline and the panic guard.
    pub fn new() -> Self {
        Self::default()
    }

    /// Measures requests.
    pub fn metrics(mut self, layer: MetricsLayer) -> Self {
        self.metrics = Some(layer);
        self
    }

    /// Answers 504 when there is no answer after `deadline`.
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Limits the rate of requests.
    pub fn rate_limit(mut self, layer: RateLimitLayer) -> Self {
        self.rate_limit = Some(layer);
        self
    }

    /// Limits the requests in flight.
    pub fn in_flight(mut self, layer: ConcurrencyLimitLayer) -> Self {
        self.in_flight = Some(layer);
        self
    }

    /// Codes answers for clients that ask for it. A cache in the same stack keeps the coded forms
    /// beside the plain one, so that a hit is never coded twice.
    ///
    /// # Errors
    ///
    /// Fails when the settings contradict each other; see vcompress' `BuildError`.
    pub fn compress(mut self, config: CompressConfig) -> Result<Self, CompressError> {
        self.compress = Some((CompressLayer::new(config.clone())?, config));
        Ok(self)
    }

    /// Carries requests with an `Idempotency-Key` out once, and repeats the answer.
    ///
    /// What was begun goes on when its client leaves, or the deadline is over: outside of the
    /// in-flight limit then, under a limit of its own.
    pub fn idempotency(mut self, layer: IdempotencyLayer) -> Self {
        self.idempotency = Some(layer);
        self
    }

    /// Answers from a cache what it can.
    pub fn cache(mut self, layer: CacheLayer) -> Self {
        self.cache = Some(layer);
        self
    }

    /// Puts the layers around `service`.
    pub fn service<S>(&self, service: S) -> StackService<S> {
        self.layer(service)
    }

    fn cached<S>(&self, service: S) -> Cached<S> {
        let plain = Plain { inner: service };
        match (&self.cache, &self.compress) {
            (Some(cache), Some((_, config))) => {
                let coder = Arc::new(Coder { config: config.clone() });
                Either::With(cache.clone().encode(coder).layer(plain))
            }
            (Some(cache), None) => Either::With(cache.layer(plain)),
            (None, _) => Either::Without(plain),
        }
    }
}

impl<S> Layer<S> for Stack {
    type Service = StackService<S>;

    fn layer(&self, service: S) -> StackService<S> {
        let cached = self.cached(service);
        let once = wrap(self.idempotency.as_ref(), cached);
        let coded = wrap(self.compress.as_ref().map(|(layer, _)| layer), once);
        let placed = wrap(self.in_flight.as_ref(), coded);
        let limited = wrap(self.rate_limit.as_ref(), placed);
        let guarded = Guard { inner: limited, deadline: self.deadline };
        Begin { inner: wrap(self.metrics.as_ref(), guarded) }
    }
}

fn wrap<L: Layer<S>, S>(layer: Option<&L>, service: S) -> Either<L::Service, S> {
    match layer {
        Some(layer) => Either::With(layer.layer(service)),
        None => Either::Without(service),
    }
}
