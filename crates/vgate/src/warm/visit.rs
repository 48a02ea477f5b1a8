//! Asking the gateway itself, as a client would.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, USER_AGENT};
use http::{HeaderValue, Request, Response, StatusCode, request};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Limited};
use verve::cache::http::HttpCache;
use verve::cache::http::explain::Variant;
use verve::cache::warm::Warmed;
use verve::http::{Body, ClientAddr, Reason};

use crate::build::graph::{Graph, Stocked};
use crate::explain::question::Question;
use crate::normalise;
use crate::state::State;

/// Who asks, for origins that refuse those who do not say; a variant may say otherwise.
const AGENT: &str = concat!("vgate/", env!("CARGO_PKG_VERSION"), " (warming)");

/// How often, and how long apart, it is looked whether an answer has arrived in the store: its
/// last reader may be done a moment before.
const LOOKS: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(1),
    Duration::from_millis(9),
    Duration::from_millis(90),
    Duration::from_millis(400),
    Duration::from_millis(1500),
];

/// Has one URL stored, unless it is and stays fresh for longer than `stay`.
///
/// Cancel safety: what the cache has begun to fetch goes on without it.
///
/// # Errors
///
/// Fails with a sentence for people, which begins with the URL.
pub(super) async fn visit(
    state: &Arc<State>,
    question: Question,
    stay: Duration,
) -> Result<Warmed, String> {
    let visited = visit_it(&state.graph(), &question, stay).await;
    visited.map_err(|why| format!("{}: {why}", question.url))
}

async fn visit_it(graph: &Graph, question: &Question, stay: Duration) -> Result<Warmed, String> {
    let request = request(question)?;
    let stocked = stocked(graph, &request)?;
    let (parts, body) = request.into_parts();
    let left = |kept: &Variant| kept.lifetime.saturating_sub(kept.age);
    if fresh(stocked.cache, &parts).is_some_and(|kept| left(&kept) > stay) {
        return Ok(Warmed::Skipped);
    }
    let mut request = Request::from_parts(parts.clone(), body);
    let headers = request.headers_mut();
    if !headers.contains_key(CACHE_CONTROL) {
        // What would expire before the next round is to be fetched in this one; and no stale
        // answer will do (RFC 9111 §5.2.1.3).
        let least = HeaderValue::try_from(format!("min-fresh={}", stay.as_secs()));
        headers.extend(least.ok().map(|least| (CACHE_CONTROL, least)));
    }
    let Ok(response) = stocked.handler.handle(request).await;
    let (status, refused) = (response.status(), refused_storing(&response));
    drain(response.into_body()).await?;
    if status.is_client_error() || status.is_server_error() {
        return Err(format!("the answer is {}", status.as_u16()));
    }
    for pause in LOOKS {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        if fresh(stocked.cache, &parts).is_some() {
            return Ok(Warmed::Loaded);
        }
        if refused {
            break;
        }
    }
    Err(format!("the answer is {}, and the cache does not keep it", status.as_u16()))
}

/// The request as its route gets it.
fn request(question: &Question) -> Result<Request<Body>, String> {
    let mut request = question.request()?;
    if let Err(reject) = normalise::normalise(&mut request) {
        let response = reject.into_response();
        let reason = response.extensions().get::<Reason>().map_or("", |reason| reason.0);
        return Err(format!("it would be refused: {reason}"));
    }
    let agent = HeaderValue::from_static(AGENT);
    request.headers_mut().entry(USER_AGENT).or_insert(agent);
    request.extensions_mut().insert(ClientAddr(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    Ok(request)
}

/// The route that takes the request, if it has a cache.
fn stocked<'g>(graph: &'g Graph, request: &Request<Body>) -> Result<Stocked<'g>, String> {
    let place = graph.find(&normalise::host(request), request.uri().path());
    let place = place.ok_or("no route takes this host and path")?;
    graph.stocked(place).ok_or_else(|| "its route has no cache".to_owned())
}

/// What the cache would answer the request with now, if it is fresh.
fn fresh(cache: &HttpCache, parts: &request::Parts) -> Option<Variant> {
    let stored = cache.explain(parts).variants;
    stored.into_iter().find(|kept| kept.selected && kept.fresh)
}

/// Whether the cache says that it will not keep the answer. It says nothing of a body that did not
/// announce its length, nor when it was told not to.
fn refused_storing(response: &Response<Body>) -> bool {
    let said = response.headers().get_all("cache-status").iter().next_back();
    let said = said.and_then(|value| value.to_str().ok()).unwrap_or("stored");
    let is_known = response.body().size_hint().exact().is_some();
    is_known && !said.contains("stored") && !said.contains("collapsed")
}

/// Reads an answer to its end, and keeps nothing of it.
async fn drain(mut body: Body) -> Result<(), String> {
    while let Some(frame) = body.frame().await {
        frame.map_err(|error| format!("the answer broke off: {error}"))?;
    }
    Ok(())
}

/// The content of one URL of the gateway.
///
/// # Errors
///
/// Fails with a sentence for people when it cannot be had, is no success or larger than `limit`.
pub(super) async fn fetch(state: &Arc<State>, url: &str, limit: usize) -> Result<Bytes, String> {
    let method = "GET".to_owned();
    let question = Question { url: url.to_owned(), method, fields: Vec::new() };
    let (graph, request) = (state.graph(), request(&question)?);
    let place = graph.find(&normalise::host(&request), request.uri().path());
    let handler = place.and_then(|place| graph.inner(place));
    let handler = handler.ok_or_else(|| format!("{url}: no route takes this host and path"))?;
    let Ok(response) = handler.handle(request).await;
    if response.status() != StatusCode::OK {
        return Err(format!("{url}: the answer is {}", response.status().as_u16()));
    }
    let whole = Limited::new(response.into_body(), limit).collect().await;
    whole.map(http_body_util::Collected::to_bytes).map_err(|error| format!("{url}: {error}"))
}
