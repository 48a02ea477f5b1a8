//! `POST /api/purge`: what the caches are to forget.

use std::time::Duration;

use http::header::{
    AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, ORIGIN, WWW_AUTHENTICATE,
};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::timeout;
use verve::cache::http::{HttpCache, Purge, PurgeError, Purged};
use verve::http::{Body, Reject};

use crate::admin::page::text;
use crate::build::graph::Graph;
use crate::config::secret::Secret;
use crate::normalise::{canonical_prefix, canonical_url};
use crate::state::State;

/// What is asked for: one of the five targets.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Order {
    /// One cache only; all if not said.
    cache: Option<String>,
    url: Option<String>,
    tag: Option<String>,
    prefix: Option<String>,
    host: Option<String>,
    everything: bool,
    hard: bool,
}

/// Bytes of an order, and how long it may take to arrive.
const MAX_ORDER: usize = 64 << 10;
const PATIENCE: Duration = Duration::from_secs(10);

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Purges as the body says, and answers how much that was.
pub(crate) async fn purge(state: &State, request: Request<Body>) -> Response<Body> {
    let reject = match obey(&state.graph(), request).await {
        Ok(done) => return text("application/json", format!("{done:#}\n")),
        Err(reject) => reject,
    };
    let mut response = reject.into_response();
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

async fn obey(graph: &Graph, request: Request<Body>) -> Result<Value, Reject> {
    check(graph, &request)?;
    let order = read(request.into_body()).await?;
    carry_out(graph, &order).await
}

/// Who may purge: with the token where one is set, and no page of another site through a
/// browser. Such a page can send a request to a loopback address without being asked, but not
/// one with this media type, and not without saying where it comes from (Fetch §3.2, §3.3).
fn check(graph: &Graph, request: &Request<Body>) -> Result<(), Reject> {
    let headers = request.headers();
    if request.method() != Method::POST {
        return Err(Reject::new(StatusCode::METHOD_NOT_ALLOWED, "method").detail("POST it"));
    }
    if is_from_other_site(headers) {
        return Err(Reject::new(StatusCode::FORBIDDEN, "foreign-origin"));
    }
    let token = graph.config().admin.token.as_ref();
    if token.is_some_and(|token| !has_token(headers, token)) {
        return Err(Reject::new(StatusCode::UNAUTHORIZED, "token")
            .detail("send `Authorization: Bearer` with the token of `[admin]`"));
    }
    if !is_json(headers) {
        return Err(Reject::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type")
            .detail("send `Content-Type: application/json`"));
    }
    Ok(())
}

/// Whether the request brings the token (RFC 6750 §2.1).
fn has_token(headers: &HeaderMap, token: &Secret) -> bool {
    let given = headers.get(AUTHORIZATION).map_or(&[][..], HeaderValue::as_bytes);
    let (scheme, given) = given.split_at_checked(7).unwrap_or_default();
    scheme.eq_ignore_ascii_case(b"bearer ") && token.is(given)
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.and_then(|value| value.split(';').next()).unwrap_or("");
    media_type.trim().eq_ignore_ascii_case("application/json")
}

fn is_from_other_site(headers: &HeaderMap) -> bool {
    let site = headers.get(FETCH_SITE).map(HeaderValue::as_bytes);
    if site.is_some_and(|site| site != b"same-origin" && site != b"none") {
        return true;
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
    headers.get(ORIGIN).is_some_and(|origin| origin != &format!("http://{host}"))
}

async fn read(body: Body) -> Result<Order, Reject> {
    let whole = timeout(PATIENCE, Limited::new(body, MAX_ORDER).collect()).await;
    let whole = whole.map_err(|_| Reject::new(StatusCode::REQUEST_TIMEOUT, "order"))?;
    let whole = whole.map_err(|error| refused(error.to_string()))?.to_bytes();
    serde_json::from_slice(&whole).map_err(|error| refused(error.to_string()))
}

impl Order {
    /// The caches that are meant.
    fn caches<'a>(&self, graph: &'a Graph) -> Result<Vec<(&'a String, &'a HttpCache)>, Reject> {
        let is_meant = |name: &String| self.cache.as_ref().is_none_or(|only| only == name);
        let caches = graph.shared().caches.iter().filter(|(name, _)| is_meant(name));
        let caches: Vec<_> = caches.map(|(name, cache)| (name, &**cache.made())).collect();
        match &self.cache {
            Some(only) if caches.is_empty() => {
                let detail = format!("there is no `[caches.{only}]`");
                Err(Reject::new(StatusCode::NOT_FOUND, "no-cache").detail(detail))
            }
            _ => Ok(caches),
        }
    }

    /// The purge, when exactly one target is named; URLs in the form in which they are stored.
    fn purge(&self) -> Option<Purge> {
        let mut targets = [
            self.url.as_deref().map(|url| Purge::url(canonical_url(url))),
            self.tag.as_ref().map(Purge::tag),
            self.prefix.as_deref().map(|prefix| Purge::prefix(canonical_prefix(prefix))),
            self.host.as_ref().map(Purge::host),
            self.everything.then(Purge::everything),
        ]
        .into_iter()
        .flatten();
        let purge = targets.next().filter(|_| targets.next().is_none())?;
        Some(if self.hard { purge.hard() } else { purge })
    }
}

async fn carry_out(graph: &Graph, order: &Order) -> Result<Value, Reject> {
    let one = "name one of `url`, `tag`, `prefix`, `host` and `everything`";
    let purge = order.purge().ok_or_else(|| refused(one.to_owned()))?;
    let (mut caches, mut all) = (Map::new(), (0, 0));
    let mut untold = None;
    for (name, cache) in order.caches(graph)? {
        let done = match cache.purge(&purge).await {
            Ok(done) => done,
            Err(error @ PurgeError::Elsewhere(_)) => {
                tracing::warn!(cache = %name, %error, what = ?order, "purged here only");
                untold = Some(error);
                continue;
            }
            Err(error) => return Err(refused(error.to_string())),
        };
        let Purged { urls, responses, .. } = done;
        let (target, hard) = (purge.kind(), purge.is_hard());
        tracing::info!(cache = %name, target, hard, urls, responses, what = ?order, "purged");
        all = (all.0 + urls, all.1 + responses);
        caches.insert(name.clone(), json!({ "urls": urls, "responses": responses }));
    }
    if let Some(error) = untold {
        let detail = format!("{error}; the others are told as soon as they can be");
        return Err(Reject::new(StatusCode::SERVICE_UNAVAILABLE, "purge").detail(detail));
    }
    let (target, hard, (urls, responses)) = (purge.kind(), purge.is_hard(), all);
    Ok(json!({
        "target": target, "hard": hard, "urls": urls, "responses": responses, "caches": caches,
    }))
}

fn refused(detail: String) -> Reject {
    Reject::new(StatusCode::BAD_REQUEST, "order").detail(detail)
}
