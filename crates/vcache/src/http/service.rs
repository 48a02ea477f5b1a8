//! The cache as a service: classify, look up, answer or fetch.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONNECTION, IF_MATCH, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, Method, Request, Response};
use http_body::Body as HttpBody;
use tokio::time::Instant;
use tower_service::Service;
use vhttp::{Body, BoxError, CacheVerdict, Phase, Timeline, hop};

use crate::http::cache::HttpCache;
use crate::http::collapse::Turn;
use crate::http::encodings::Encode;
use crate::http::engine::{Lookup, gateway_timeout};
use crate::http::fetch::{fetch, forward, refresh};
use crate::http::future::ResponseFuture;
use crate::http::inquiry::Inquiry;
use crate::http::key::Key;
use crate::http::policy::{Decision, Wish};
use crate::http::ranges;
use crate::http::status::Forward;
use crate::http::unkeyed::overrides_method;

/// A service behind a shared HTTP cache (RFC 9111); made by [`CacheLayer`](super::CacheLayer).
///
/// Always ready: a hit needs nothing of the inner service. A request that does need it takes a
/// clone and waits until that is ready.
///
/// Requests to the inner service carry the body they came with, or `ReqB::default()`, which must
/// be empty, where the cache asks by itself: for a miss, a validation, a refresh. GET and HEAD
/// with content, `If-Match`, `If-Unmodified-Since`, an upgrade or a field that names another method
/// (`X-HTTP-Method-Override`) bypass it.
///
/// Fields that concern one hop, and those that `Connection` names, end here (RFC 9110 §7.6.1), but
/// for an upgrade, so that an answer never depends on what a proxy behind would not pass on. What a
/// service behind adds to the requests, or takes out, the cache cannot know: a field that `Vary`
/// names must not be among it. Put `vbalance::VouchLayer` before the cache where a proxy follows.
#[derive(Clone)]
pub struct Cache<S> {
    inner: S,
    cache: HttpCache,
    encode: Option<Arc<dyn Encode>>,
}

impl<S> Cache<S> {
    pub(crate) const fn new(inner: S, cache: HttpCache, encode: Option<Arc<dyn Encode>>) -> Self {
        Self { inner, cache, encode }
    }

    /// The cache.
    #[must_use]
    pub const fn cache(&self) -> &HttpCache {
        &self.cache
    }
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for Cache<S>
where
    S: Service<Request<ReqB>, Response = Response<ResB>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    ReqB: HttpBody + Default + Send + 'static,
    ResB: HttpBody<Data = Bytes> + Send + 'static,
    ResB::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqB>) -> Self::Future {
        let Some(timeline) = request.extensions().get::<Timeline>().cloned() else {
            return self.begin(request);
        };
        let started = Instant::now();
        let future = self.begin(request);
        timeline.add(Phase::Cache, started.elapsed());
        future
    }
}

impl<S> Cache<S> {
    fn begin<ReqB, ResB>(&self, mut request: Request<ReqB>) -> ResponseFuture<S::Error>
    where
        S: Service<Request<ReqB>, Response = Response<ResB>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Send + 'static,
        ReqB: HttpBody + Default + Send + 'static,
        ResB: HttpBody<Data = Bytes> + Send + 'static,
        ResB::Error: Into<BoxError>,
    {
        let engine = &self.cache.engine;
        remove_hops(request.headers_mut());
        let key = Key::of(request.uri(), request.headers(), request.extensions())
            .map(|key| engine.query.apply(key))
            .filter(|key| as_u64(key.as_str().len()) <= engine.config.max_key_size);
        key.iter().for_each(|key| engine.note_claims(key));
        let (key, why) = match (key, classify(&request)) {
            (Some(key), None) => return self.look_up(key, request),
            (key, why) => (key, why.unwrap_or(Forward::Bypass)),
        };
        // What no stored answer may serve has none either (RFC 9111 §5.2.1.7).
        if why == Forward::Bypass
            && Wish::new(request.headers(), engine.config.request_directives).only_if_cached
        {
            engine.count(CacheVerdict::Bypass, request.extensions().get::<Timeline>());
            return ResponseFuture::answer(gateway_timeout(engine));
        }
        let forward = forward(self.inner.clone(), request, self.cache.clone(), (key, why));
        ResponseFuture::fetch(Box::pin(forward))
    }

    fn look_up<ReqB, ResB>(&self, key: Key, request: Request<ReqB>) -> ResponseFuture<S::Error>
    where
        S: Service<Request<ReqB>, Response = Response<ResB>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Send + 'static,
        ReqB: HttpBody + Default + Send + 'static,
        ResB: HttpBody<Data = Bytes> + Send + 'static,
        ResB::Error: Into<BoxError>,
    {
        let engine = &self.cache.engine;
        let (parts, _) = request.into_parts();
        let inquiry = Inquiry {
            engine: Arc::clone(engine),
            background: Arc::downgrade(&self.cache.background),
            encode: self.encode.clone(),
            timeline: parts.extensions.get::<Timeline>().cloned(),
            wish: Wish::new(&parts.headers, engine.config.request_directives),
            key,
            parts,
        };
        let lookup = inquiry.look_up();
        if let Some(response) = ranges::answer(&inquiry, &lookup, None) {
            return ResponseFuture::answer(response);
        }
        // Where there is more below memory, that is looked into first.
        if lookup.decision == Decision::GatewayTimeout && engine.tiers.is_none() {
            engine.count(CacheVerdict::Miss, inquiry.timeline.as_ref());
            return ResponseFuture::answer(gateway_timeout(engine));
        }
        let now = engine.now();
        let found = lookup.hit(now).or_else(|| lookup.held(&inquiry.wish, now));
        let Some((stored, status, verdict)) = found else {
            let background = Arc::clone(&self.cache.background);
            let fetch = fetch(self.inner.clone(), inquiry, lookup, background);
            return ResponseFuture::fetch(Box::pin(fetch));
        };
        let response = inquiry.answer(&stored, status, verdict);
        if engine.refreshes(&lookup, &inquiry.wish, now) {
            self.refresh(inquiry, lookup);
        }
        ResponseFuture::answer(response)
    }

    /// Refreshes behind the answer, unless a fetch for the same is under way.
    fn refresh<ReqB, ResB>(&self, inquiry: Inquiry, lookup: Lookup)
    where
        S: Service<Request<ReqB>, Response = Response<ResB>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Send + 'static,
        ReqB: HttpBody + Default + Send + 'static,
        ResB: HttpBody<Data = Bytes> + Send + 'static,
        ResB::Error: Into<BoxError>,
    {
        let engine = &inquiry.engine;
        let flight = engine.flight_key(&inquiry.key, &lookup, &inquiry.parts.headers);
        if let Turn::Lead(lead) = engine.join(flight, true) {
            if lookup.decision == Decision::Hit {
                engine.count_early();
            }
            let audience = lead.audience().clone();
            let refresh = refresh(self.inner.clone(), inquiry, lookup, lead);
            self.cache.background.spawn(audience, refresh);
        }
    }
}

/// Removes what is for this hop only, unless the request asks for another protocol (RFC 9110
/// §7.6.1): the answer to be stored must not depend on what the next request may not show.
pub(crate) fn remove_hops(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) && hop::upgrade(headers).is_none() {
        hop::remove_from_request(headers);
    }
}

/// Why a request is not one for the cache; `None` when it is.
pub(crate) fn classify<B: HttpBody>(request: &Request<B>) -> Option<Forward> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Some(Forward::Method);
    }
    let not_for_us = [IF_MATCH, IF_UNMODIFIED_SINCE];
    let headers = request.headers();
    let bypass = !request.body().is_end_stream()
        || not_for_us.iter().any(|name| headers.contains_key(name))
        || hop::upgrade(headers).is_some()
        || overrides_method(headers);
    bypass.then_some(Forward::Bypass)
}

fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

impl<S> fmt::Debug for Cache<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("cache", &self.cache).finish_non_exhaustive()
    }
}
