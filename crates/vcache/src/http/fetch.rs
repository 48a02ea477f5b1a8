//! The way to the origin: ask, validate, fall back.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, IF_MODIFIED_SINCE, IF_NONE_MATCH, PRAGMA};
use http::{Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use tower_service::Service;
use vhttp::{Body, BoxError, CacheVerdict, Timeline};

use crate::http::collapse::Lead;
use crate::http::engine::{Engine, Lookup};
use crate::http::freshness::Exchange;
use crate::http::inquiry::{Inquiry, fallback};
use crate::http::keep::{Asked, confirm, pass};
use crate::http::key::Key;
use crate::http::policy::invalidate;
use crate::http::status::{Forward, Status};
use crate::http::wait::{Waited, wait};

/// Passes a request on that is not for the cache, and drops what it made invalid (RFC 9111 §4.4).
pub(crate) async fn forward<S, ReqB, ResB>(
    mut service: S,
    request: Request<ReqB>,
    engine: Arc<Engine>,
    (key, why): (Option<Key>, Forward),
) -> Result<Response<Body>, S::Error>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
    ResB: HttpBody<Data = Bytes> + Send + 'static,
    ResB::Error: Into<BoxError>,
{
    engine.count(CacheVerdict::Bypass, request.extensions().get::<Timeline>());
    let method = request.method().clone();
    let response = ask(&mut service, request).await?;
    let (mut parts, body) = response.into_parts();
    if let Some(key) = key {
        for key in invalidate(&method, &key, (parts.status, &parts.headers)) {
            engine.purge(&engine.query.apply(key));
        }
    }
    if !parts.status.is_informational() {
        let status = Status::forwarded(why, Some(parts.status));
        engine.mark(&mut parts.headers, status);
    }
    Ok(Response::from_parts(parts, Body::new(body)))
}

/// Fetches what the store could not answer.
pub(crate) async fn fetch<S, ReqB, ResB>(
    service: S,
    inquiry: Inquiry,
    lookup: Lookup,
) -> Result<Response<Body>, S::Error>
where
    S: Service<Request<ReqB>, Response = Response<ResB>> + Clone,
    ReqB: Default,
    ResB: HttpBody<Data = Bytes> + Send + 'static,
    ResB::Error: Into<BoxError>,
{
    match wait(&inquiry, lookup).await {
        Waited::Answer(response) => Ok(response),
        Waited::Ask(lead, lookup) => exchange(service, &inquiry, &lookup, lead).await,
    }
}

/// Asks the origin behind a stale answer, and reads the answer to its end.
pub(crate) async fn refresh<S, ReqB, ResB>(
    service: S,
    mut inquiry: Inquiry,
    lookup: Lookup,
    lead: Lead,
) where
    S: Service<Request<ReqB>, Response = Response<ResB>> + Clone,
    ReqB: Default,
    ResB: HttpBody<Data = Bytes> + Send + 'static,
    ResB::Error: Into<BoxError>,
{
    // The record is of a request that has its answer already, and so are its wishes.
    inquiry.timeline = None;
    inquiry.parts.extensions.remove::<Timeline>();
    inquiry.parts.method = Method::GET;
    for name in [IF_NONE_MATCH, IF_MODIFIED_SINCE, CACHE_CONTROL, PRAGMA] {
        inquiry.parts.headers.remove(name);
    }
    if let Ok(response) = exchange(service, &inquiry, &lookup, Some(lead)).await {
        let mut body = pin!(response.into_body());
        while let Some(Ok(_)) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {}
    }
}

/// Asks the origin, with the stored validators where there are some (RFC 9111 §4.3.1).
async fn exchange<S, ReqB, ResB>(
    service: S,
    inquiry: &Inquiry,
    lookup: &Lookup,
    mut lead: Option<Lead>,
) -> Result<Response<Body>, S::Error>
where
    S: Service<Request<ReqB>, Response = Response<ResB>> + Clone,
    ReqB: Default,
    ResB: HttpBody<Data = Bytes> + Send + 'static,
    ResB::Error: Into<BoxError>,
{
    let engine = &inquiry.engine;
    let is_get = inquiry.parts.method == Method::GET;
    let validated = lookup.stored.as_ref();
    let mut validated = validated.filter(|stored| is_get && stored.has_validator());
    loop {
        let ticket = engine.ticket(&inquiry.key);
        let request = Request::from_parts(inquiry.to_send(validated), ReqB::default());
        let requested = engine.now();
        let result = ask(&mut service.clone(), request).await;
        let received = engine.now();
        let stale = fallback(lookup, received);
        let response = match (result, stale) {
            (Err(_), Some(stored)) => return Ok(inquiry.answer_stale(stored, lookup.why, None)),
            (Err(error), None) => return Err(error),
            (Ok(response), Some(stored)) if is_outage(response.status()) => {
                let status = Some(response.status());
                return Ok(inquiry.answer_stale(stored, lookup.why, status));
            }
            (Ok(response), _) => response,
        };
        let exchange = Exchange { requested, received };
        let asked = Asked { ticket, exchange };
        if response.status() == StatusCode::NOT_MODIFIED
            && let Some(stored) = validated.take()
        {
            let (update, _) = response.into_parts();
            let Some((response, end)) = confirm(inquiry, lookup.why, (stored, &update), asked)
            else {
                // The 304 is about something else: ask for the whole.
                continue;
            };
            if let Some(lead) = lead.take() {
                lead.end(end);
            }
            return Ok(response);
        }
        return Ok(pass(inquiry, lookup.why, response, asked, lead));
    }
}

/// Waits until the service is ready, and asks it.
async fn ask<S, R>(service: &mut S, request: R) -> Result<S::Response, S::Error>
where
    S: Service<R>,
{
    poll_fn(|cx| service.poll_ready(cx)).await?;
    service.call(request).await
}

/// The errors that `stale-if-error` is about (RFC 5861 §4).
fn is_outage(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}
