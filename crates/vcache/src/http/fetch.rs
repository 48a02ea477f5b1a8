//! The way to the origin: ask, validate, fall back.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, PRAGMA, RANGE};
use http::{Method, Request, Response, StatusCode, response};
use http_body::Body as HttpBody;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tower_service::Service;
use vhttp::{Body, BoxError, CacheVerdict, Interim, Reason, Reject, Timeline};

use crate::http::background::Background;
use crate::http::below::{Below, below, recalled};
use crate::http::cache::HttpCache;
use crate::http::collapse::{End, Lead};
use crate::http::engine::{Engine, Lookup, gateway_timeout};
use crate::http::failure::Failure;
use crate::http::freshness::Exchange;
use crate::http::head::learn_from_head;
use crate::http::hold_off::{Cause, Outcome};
use crate::http::inquiry::{Inquiry, in_place_of, refuge};
use crate::http::keep::{Asked, Fetched, confirm, pass};
use crate::http::key::Key;
use crate::http::policy::{Decision, invalidate, is_for_client};
use crate::http::post::Posting;
use crate::http::ranges::{self, Completion};
use crate::http::recall::recall;
use crate::http::siblings::update_siblings;
use crate::http::status::{Forward, Status};
use crate::http::stored::Stored;
use crate::http::vary;
use crate::http::wait::{Waited, wait};

/// Passes a request on that is not for the cache, and drops what it made invalid (RFC 9111 §4.4).
pub(crate) async fn forward<S, ReqB, ResB>(
    mut service: S,
    request: Request<ReqB>,
    cache: HttpCache,
    (key, why): (Option<Key>, Forward),
) -> Result<Response<Body>, S::Error>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
    ResB: HttpBody<Data = Bytes> + Send + 'static,
    ResB::Error: Into<BoxError>,
{
    let engine = &cache.engine;
    engine.count(CacheVerdict::Bypass, request.extensions().get::<Timeline>());
    let method = request.method().clone();
    if method == Method::POST {
        engine.learn_purges().await;
    }
    let posting = key.as_ref().and_then(|key| Posting::new(&cache, key, &request));
    let response = ask(&mut service, request).await?;
    let (mut parts, body) = response.into_parts();
    let posted = match posting {
        Some(posting) => posting.admit(&parts).await,
        None => None,
    };
    if let Some(key) = &key {
        drop_invalid(engine, (&method, key), &parts, posted.is_some()).await;
    }
    let (body, stored) = match posted {
        Some(posted) => {
            vary::complete(&mut parts.headers);
            posted.begin(Body::new(body), &cache.background)
        }
        None => (Body::new(body), false),
    };
    engine.tags.strip(&mut parts.headers);
    if !parts.status.is_informational() {
        let status = Status::passed(why, parts.status, stored);
        engine.mark(&mut parts.headers, status);
    }
    Ok(Response::from_parts(parts, body))
}

/// Drops what an answer says is out of date; the target itself unless that `is_superseded`.
async fn drop_invalid(
    engine: &Engine,
    (method, key): (&Method, &Key),
    response: &response::Parts,
    is_superseded: bool,
) {
    for invalid in invalidate(method, key, (response.status, &response.headers)) {
        if !(is_superseded && invalid == *key) {
            engine.invalidate(&invalid).await;
        }
    }
    engine.invalidate_groups(method, key, &response.headers).await;
}

/// Fetches what the store could not answer.
pub(crate) async fn fetch<S, ReqB, ResB>(
    service: S,
    inquiry: Inquiry,
    lookup: Lookup,
    background: Arc<Background>,
) -> Result<Response<Body>, S::Error>
where
    S: Service<Request<ReqB>, Response = Response<ResB>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    ReqB: Default + Send + 'static,
    ResB: HttpBody<Data = Bytes> + Send + 'static,
    ResB::Error: Into<BoxError>,
{
    if lookup.decision == Decision::GatewayTimeout {
        return Ok(only_if_cached(&inquiry, lookup).await);
    }
    match wait(&inquiry, lookup).await {
        Waited::Answer(response) => Ok(response),
        Waited::Ask(Some(lead), lookup) if Handle::try_current().is_ok() => {
            lead_on(service, inquiry, lookup, lead, &background).await
        }
        Waited::Ask(lead, lookup) => {
            let lookup = match recalled(&inquiry, lookup).await {
                Ok(response) => return Ok(response),
                Err(lookup) => lookup,
            };
            let asked = exchange(service, &inquiry, &lookup, lead);
            let fetched = match in_time(&inquiry, &lookup, inquiry.spare(&lookup), asked).await {
                Ok(fetched) => fetched?,
                Err(late) => return Ok(late),
            };
            if let Some(pump) = fetched.pump {
                background.spawn(pump.audience().clone(), pump.run());
            }
            Ok(fetched.response)
        }
    }
}

/// The answer to one who wants none from the origin (RFC 9111 §5.2.1.7).
async fn only_if_cached(inquiry: &Inquiry, lookup: Lookup) -> Response<Body> {
    match recalled(inquiry, lookup).await {
        Ok(response) => response,
        Err(_) => {
            inquiry.engine.count(CacheVerdict::Miss, inquiry.timeline.as_ref());
            gateway_timeout(&inquiry.engine)
        }
    }
}

/// Fetches for all who follow: the fetch goes on if this request goes away.
async fn lead_on<S, ReqB, ResB>(
    service: S,
    inquiry: Inquiry,
    lookup: Lookup,
    lead: Lead,
    background: &Background,
) -> Result<Response<Body>, S::Error>
where
    S: Service<Request<ReqB>, Response = Response<ResB>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    ReqB: Default + Send + 'static,
    ResB: HttpBody<Data = Bytes> + Send + 'static,
    ResB::Error: Into<BoxError>,
{
    // Who is kept waiting has another answer.
    let spare = inquiry.spare(&lookup).map(|stored| (inquiry.clone(), lookup.clone(), stored));
    let (send, answer) = oneshot::channel();
    let audience = lead.audience().clone();
    let _seat = audience.seat();
    let work = async move {
        let (lookup, lead) = match below(&inquiry, lookup, lead).await {
            Below::Ask(lookup, lead) => (lookup, lead),
            Below::Answer(response, behind) => {
                let _ = send.send(Ok(response));
                if let Some((lookup, lead)) = behind {
                    refresh(service, inquiry, lookup, lead).await;
                }
                return;
            }
        };
        match exchange(service, &inquiry, &lookup, Some(lead)).await {
            Ok(Fetched { response, pump }) => {
                // Whoever asked may have left; the followers have not.
                let _ = send.send(Ok(response));
                if let Some(pump) = pump {
                    pump.run().await;
                }
            }
            Err(error) => {
                let _ = send.send(Err(error));
            }
        }
    };
    background.spawn(audience, work);
    let answer = match spare {
        None => answer.await,
        Some((inquiry, lookup, stored)) => {
            match in_time(&inquiry, &lookup, Some(stored), answer).await {
                Ok(answer) => answer,
                Err(late) => return Ok(late),
            }
        }
    };
    answer.unwrap_or_else(|_| Ok(fetch_ended()))
}

/// Waits for the origin, and for no longer than the configuration says where there is a `spare`
/// answer, which is the error then.
async fn in_time<F: Future>(
    inquiry: &Inquiry,
    lookup: &Lookup,
    spare: Option<Arc<Stored>>,
    asked: F,
) -> Result<F::Output, Response<Body>> {
    let Some(stored) = spare else {
        return Ok(asked.await);
    };
    let late = timeout(inquiry.engine.config.stale_after, asked).await;
    late.map_err(|_| inquiry.answer_late(&stored, lookup.why))
}

/// The answer when a fetch panicked, or ended with its runtime.
fn fetch_ended() -> Response<Body> {
    Reject::new(StatusCode::INTERNAL_SERVER_ERROR, "fetch-ended").into_response()
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
    inquiry.parts.extensions.remove::<Interim>();
    inquiry.parts.method = Method::GET;
    for name in [IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_RANGE, RANGE, CACHE_CONTROL, PRAGMA] {
        inquiry.parts.headers.remove(name);
    }
    // Another process may have refreshed it; what is fresh still must have become fresher by that.
    let left = time_left(&inquiry, &lookup);
    let lookup = recall(&inquiry, lookup).await;
    if lookup.decision == Decision::Hit && time_left(&inquiry, &lookup) > left {
        return lead.end(End::Stored);
    }
    if let Ok(Fetched { response, pump }) = exchange(service, &inquiry, &lookup, Some(lead)).await {
        // Nobody reads this one; the pump does not need it.
        drop(response);
        if let Some(pump) = pump {
            pump.run().await;
        }
    }
    let engine = &inquiry.engine;
    let outcome = match lookup.stored.filter(|old| engine.still_has(&inquiry.key, old)) {
        None => Outcome::Stored,
        Some(stored) => {
            // The stored one is still there: whatever came, it is not to be asked for by each hit.
            inquiry.hold_off(&stored, Cause::Refused);
            match stored.hold_off.cause(engine.now()) {
                Some(Cause::Failed { .. }) => Outcome::Failed,
                Some(Cause::Refused) | None => Outcome::Refused,
            }
        }
    };
    engine.meters().refreshed(outcome);
}

/// How long the stored response is fresh; nothing when it is not.
fn time_left(inquiry: &Inquiry, lookup: &Lookup) -> Duration {
    let now = inquiry.engine.now();
    let stored = lookup.stored.as_ref().filter(|stored| stored.terms.is_fresh(now));
    stored.map_or(Duration::ZERO, |stored| stored.terms.freshness().remaining(now))
}

/// Asks the origin, with the stored validators where there are some (RFC 9111 §4.3.1).
async fn exchange<S, ReqB, ResB>(
    service: S,
    inquiry: &Inquiry,
    lookup: &Lookup,
    mut lead: Option<Lead>,
) -> Result<Fetched, S::Error>
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
    let mut completion = Completion::plan(inquiry, lookup);
    loop {
        let ticket = engine.ticket(&inquiry.key);
        let mut parts = inquiry.to_send(validated, lead.is_some());
        completion.iter().for_each(|completion| completion.ask(&mut parts.headers));
        let requested = engine.now();
        let result = ask(&mut service.clone(), Request::from_parts(parts, ReqB::default())).await;
        let received = engine.now();
        let response = match result {
            Ok(response) => sound(inquiry, validated, response.map(Body::new)),
            Err(error) => {
                hold_off((inquiry, lookup), Failure::NO_ANSWER);
                fail(lead, Failure::NO_ANSWER);
                return match refuge(&inquiry.wish, lookup, received) {
                    Some(stored) => Ok(inquiry.answer_stale(stored, lookup.why, None).into()),
                    None => Err(error),
                };
            }
        };
        if let Some((failure, stored)) = outage((inquiry, lookup), &response, received) {
            fail(lead, failure);
            let status = Some(response.status());
            return Ok(inquiry.answer_stale(stored, lookup.why, status).into());
        }
        let response = disconnected(lookup, received, response);
        let asked = Asked { ticket, exchange: Exchange { requested, received } };
        if response.status() == StatusCode::NOT_MODIFIED
            && let Some(stored) = validated.take()
        {
            match not_modified((inquiry, lookup), stored, response, asked, &mut lead) {
                Some(fetched) => return Ok(fetched),
                // The 304 is about something else: ask for the whole.
                None => continue,
            }
        }
        let Some(response) = Completion::join(completion.take(), engine, response) else {
            // The rest is not of what is stored: ask for the whole.
            continue;
        };
        return Ok(keep(inquiry, lookup, response, asked, lead));
    }
}

/// The response, unless it is a 304 though nobody asked about anything: that has no meaning
/// (RFC 9110 §15.4.5), and a client without a copy could do nothing with it.
fn sound(
    inquiry: &Inquiry,
    validated: Option<&Arc<Stored>>,
    response: Response<Body>,
) -> Response<Body> {
    let is_asked = validated.is_some() || inquiry.has_condition();
    if response.status() != StatusCode::NOT_MODIFIED || is_asked {
        return response;
    }
    let reject = Reject::new(StatusCode::BAD_GATEWAY, "upstream-bad-answer");
    reject.detail("304 to a request without a precondition").into_response()
}

/// The response, but 504 when our own side says that the origin gave none, and what is stored must
/// not stand in for it (RFC 9111 §5.2.2.2).
fn disconnected(lookup: &Lookup, now: SystemTime, response: Response<Body>) -> Response<Body> {
    let is_held_back =
        |stored: &Arc<Stored>| stored.terms.forbids_stale() && !stored.terms.is_fresh(now);
    let reason = response.extensions().get::<Reason>().copied();
    match reason.filter(|_| response.status() == StatusCode::BAD_GATEWAY) {
        Some(Reason(reason)) if lookup.stored.as_ref().is_some_and(is_held_back) => {
            Reject::new(StatusCode::GATEWAY_TIMEOUT, reason)
                .detail("the origin gave no answer, and forbids to use the stored one stale")
                .into_response()
        }
        _ => response,
    }
}

/// The answer to a client after a 304 to the validators of `stored`; `None` when the 304 is about
/// neither that nor what the client has.
fn not_modified(
    (inquiry, lookup): (&Inquiry, &Lookup),
    stored: &Arc<Stored>,
    response: Response<Body>,
    asked: Asked,
    lead: &mut Option<Lead>,
) -> Option<Fetched> {
    let (update, body) = response.into_parts();
    update_siblings(inquiry, stored, &update.headers, asked);
    if let Some((response, end)) = confirm(inquiry, lookup.why, (stored, &update), asked) {
        if let Some(lead) = lead.take() {
            lead.end(end);
        }
        return Some(response.into());
    }
    if !is_for_client(&inquiry.parts.headers, &update.headers) {
        return None;
    }
    // The next of those who wait leads: this answer is nobody else's.
    drop(lead.take());
    let response = Response::from_parts(update, body);
    Some(pass(inquiry, lookup.why, response, asked, None))
}

/// Keeps of an answer what can be kept: the whole, a part, or what a head says of the stored one.
fn keep(
    inquiry: &Inquiry,
    lookup: &Lookup,
    response: Response<Body>,
    asked: Asked,
    lead: Option<Lead>,
) -> Fetched {
    let status = response.status();
    if status == StatusCode::PARTIAL_CONTENT && inquiry.parts.method == Method::GET {
        return ranges::keep(inquiry, lookup.why, response, asked, lead);
    }
    if status == StatusCode::OK && inquiry.parts.method == Method::HEAD {
        learn_from_head(inquiry, lookup, response.headers(), asked);
    }
    pass(inquiry, lookup.why, response, asked, lead)
}

/// The outage that an answer tells of, and what is answered in its place.
fn outage<'a>(
    (inquiry, lookup): (&Inquiry, &'a Lookup),
    response: &Response<Body>,
    now: SystemTime,
) -> Option<(Failure, &'a Arc<Stored>)> {
    let failure = Failure::of(response.status(), response.extensions())?;
    hold_off((inquiry, lookup), failure);
    let spare = in_place_of(failure.is_silence(), &inquiry.wish, lookup, now);
    spare.map(|stored| (failure, stored))
}

/// After an outage it is not tried again at once.
fn hold_off((inquiry, lookup): (&Inquiry, &Lookup), failure: Failure) {
    if let Some(stored) = &lookup.stored {
        inquiry.hold_off(stored, failure.into());
    }
}

/// Tells those who wait that the fetch has failed.
fn fail(lead: Option<Lead>, failure: Failure) {
    if let Some(lead) = lead {
        lead.fail(Some(failure));
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
