//! May this response be stored, and under which terms: RFC 9111 §3.

use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_RANGE, COOKIE, ETAG, LAST_MODIFIED, RANGE, SET_COOKIE};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use vhttp::{CacheControl, Fields};

use crate::http::config::{Config, SetCookie};
use crate::http::freshness::{Exchange, Freshness, explicit_lifetime};
use crate::http::terms::Terms;
use crate::http::vary;

/// What the operator decides where the RFC leaves it to the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rules {
    /// What becomes of responses with `Set-Cookie`.
    pub set_cookie: SetCookie,
    /// The lifetime of responses that bring none; see [`Config::default_ttl`].
    pub default_ttl: Option<Duration>,
}

impl From<&Config> for Rules {
    fn from(config: &Config) -> Self {
        Self { set_cookie: config.set_cookie, default_ttl: config.default_ttl }
    }
}

/// Why a response is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The request's method is not GET. The answer to a HEAD has no content to reuse.
    Method,
    /// The status is not final, says that nothing changed (304), or is one of parts (206).
    Status,
    /// The request or the response is about a part (RFC 9110 §14).
    Range,
    /// `no-store`, of the request or of the response.
    NoStore,
    /// `must-understand` with a status that this cache does not know.
    NotUnderstood,
    /// `private`.
    Private,
    /// The request had `Authorization`, and nothing allows to share the answer (§3.5).
    Authorization,
    /// The response sets a cookie.
    SetCookie,
    /// `Vary` is such that no other request can match.
    Vary,
    /// The response brings no lifetime, and none is assumed.
    NoLifetime,
    /// The response could never be reused: it is stale on arrival and has no validator.
    NeverReusable,
}

/// Statuses that may have an assumed lifetime: those that are cacheable by heuristic (RFC 9110
/// §15.1), but for 206.
const HEURISTIC: [u16; 11] = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501];

/// Further statuses whose meaning for a cache is known; for `must-understand`.
const UNDERSTOOD: [u16; 13] = [302, 303, 307, 400, 401, 402, 403, 451, 500, 502, 503, 504, 505];

/// Decides whether the response may be stored; with which terms if so.
///
/// # Errors
///
/// Fails with the first reason not to store it; see [`Refusal`].
pub fn admit(
    request: (&Method, &HeaderMap),
    response: (StatusCode, &HeaderMap),
    rules: Rules,
    exchange: Exchange,
) -> Result<Terms, Refusal> {
    let (_, request_headers) = request;
    let (status, headers) = response;
    let control = CacheControl::response(headers);
    check_kind(request, response)?;
    check_store(request_headers, status, &control)?;
    check_shared(request_headers, &control)?;
    let explicit = explicit_lifetime(headers, &control, exchange.received);
    let bypass = explicit.is_none() || rules.set_cookie == SetCookie::Bypass;
    if bypass && headers.contains_key(SET_COOKIE) {
        return Err(Refusal::SetCookie);
    }
    let always_validate = control.no_cache == Some(Fields::All);
    let lifetime = match explicit {
        Some(lifetime) => lifetime,
        // Asked about at every use, it needs no lifetime.
        None if always_validate => Duration::ZERO,
        None => assumed(request_headers, response, &control, rules).ok_or(Refusal::NoLifetime)?,
    };
    let terms = Terms {
        freshness: Freshness::new(headers, lifetime, exchange),
        stale_while_revalidate: window(control.stale_while_revalidate),
        stale_if_error: window(control.stale_if_error),
        forbids_stale: forbids_stale(&control),
        always_validate,
        assumed: explicit.is_none() && !always_validate,
        vary: vary::names(headers).ok_or(Refusal::Vary)?,
        omit: omitted(&control, rules),
    };
    check_reusable(headers, &terms)?;
    Ok(terms)
}

/// Method, status and ranges (§3, §3.3).
fn check_kind(
    (method, request): (&Method, &HeaderMap),
    (status, headers): (StatusCode, &HeaderMap),
) -> Result<(), Refusal> {
    if method != Method::GET {
        return Err(Refusal::Method);
    }
    if request.contains_key(RANGE) || headers.contains_key(CONTENT_RANGE) {
        return Err(Refusal::Range);
    }
    match status.as_u16() {
        206 | 304 | ..200 | 600.. => Err(Refusal::Status),
        _ => Ok(()),
    }
}

/// `no-store` and `must-understand` (§5.2.1.5, §5.2.2.3, §5.2.2.5).
fn check_store(
    request: &HeaderMap,
    status: StatusCode,
    control: &CacheControl,
) -> Result<(), Refusal> {
    if CacheControl::request(request).no_store {
        return Err(Refusal::NoStore);
    }
    if control.must_understand {
        let code = status.as_u16();
        let understood = HEURISTIC.contains(&code) || UNDERSTOOD.contains(&code);
        return understood.then_some(()).ok_or(Refusal::NotUnderstood);
    }
    if control.no_store {
        return Err(Refusal::NoStore);
    }
    Ok(())
}

/// `private` and `Authorization` (§5.2.2.7, §3.5).
fn check_shared(request: &HeaderMap, control: &CacheControl) -> Result<(), Refusal> {
    if control.private == Some(Fields::All) {
        return Err(Refusal::Private);
    }
    let shareable = control.public || control.must_revalidate || control.s_maxage.is_some();
    if request.contains_key(AUTHORIZATION) && !shareable {
        return Err(Refusal::Authorization);
    }
    Ok(())
}

/// The operator's lifetime, where nothing about the exchange hints at a single client.
fn assumed(
    request: &HeaderMap,
    (status, headers): (StatusCode, &HeaderMap),
    control: &CacheControl,
    rules: Rules,
) -> Option<Duration> {
    let personal = request.contains_key(COOKIE)
        || request.contains_key(AUTHORIZATION)
        || headers.contains_key(SET_COOKIE)
        || control.private.is_some()
        || control.no_cache.is_some()
        || control.no_store;
    let known = HEURISTIC.contains(&status.as_u16());
    rules.default_ttl.filter(|_| known && !personal)
}

/// Stale from the first moment and nothing to validate with: room for nothing (§4.2.4, §4.3.1).
fn check_reusable(headers: &HeaderMap, terms: &Terms) -> Result<(), Refusal> {
    let has_validator = headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED);
    let ever_fresh =
        !terms.always_validate && terms.freshness.lifetime() > terms.freshness.initial_age();
    let windows = terms.stale_while_revalidate.max(terms.stale_if_error);
    let ever_stale = !terms.forbids_stale() && !windows.is_zero();
    if has_validator || ever_fresh || ever_stale { Ok(()) } else { Err(Refusal::NeverReusable) }
}

/// These forbid every kind of stale answer (§5.2.2.2, §5.2.2.8, §5.2.2.10).
const fn forbids_stale(control: &CacheControl) -> bool {
    control.must_revalidate || control.proxy_revalidate || control.s_maxage.is_some()
}

fn window(seconds: Option<u64>) -> Duration {
    Duration::from_secs(seconds.unwrap_or(0))
}

/// Fields that stay out of the store: those that `no-cache` and `private` name (§5.2.2.4,
/// §5.2.2.7), and cookies where they are stripped.
fn omitted(control: &CacheControl, rules: Rules) -> Vec<HeaderName> {
    let mut names = Vec::new();
    for fields in [&control.no_cache, &control.private] {
        if let Some(Fields::Named(named)) = fields {
            names.extend_from_slice(named);
        }
    }
    if rules.set_cookie != SetCookie::Store {
        names.push(SET_COOKIE);
    }
    names
}
