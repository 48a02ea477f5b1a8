//! May this response be stored, and under which terms: RFC 9111 §3.

use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_RANGE, ETAG, LAST_MODIFIED, RANGE, SET_COOKIE};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use vhttp::{CacheControl, ContentRange, Fields};

use crate::http::config::SetCookie;
use crate::http::freshness::{Exchange, Freshness, explicit_lifetime, set_lifetime};
use crate::http::key::Key;
use crate::http::policy::invalidate::is_of_target;
use crate::http::policy::rules::{HEURISTIC, Rules};
use crate::http::terms::Terms;
use crate::http::vary;

/// Why a response is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The request's method is not GET, nor is it a POST whose answer [`admit_post`] takes. The
    /// answer to a HEAD has no content to reuse.
    Method,
    /// The status is not final, or says that nothing changed (304).
    Status,
    /// The response is about a part (RFC 9110 §14), and not a part that [`admit_part`] could
    /// place; or it answers a request for a part in a way that others would not be answered.
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

/// Further statuses whose meaning for a cache is known, beside those that are cacheable by
/// heuristic; for `must-understand`.
const UNDERSTOOD: [u16; 13] = [302, 303, 307, 400, 401, 402, 403, 451, 500, 502, 503, 504, 505];

/// Decides whether a whole response may be stored; with which terms if so.
///
/// # Errors
///
/// Fails with the first reason not to store it; see [`Refusal`].
pub fn admit(
    request: (&Method, &HeaderMap),
    response: (StatusCode, &HeaderMap),
    rules: &Rules,
    exchange: Exchange,
) -> Result<Terms, Refusal> {
    let (status, headers) = response;
    check_method(request.0)?;
    if headers.contains_key(CONTENT_RANGE) {
        return Err(Refusal::Range);
    }
    match status.as_u16() {
        206 | 304 | ..200 | 600.. => return Err(Refusal::Status),
        // Whoever is asked for a part may send the whole, or say that there is none, or that it is
        // elsewhere for good; anything else may be about the part.
        200 | 301 | 308 | 404 | 410 => {}
        _ if request.1.contains_key(RANGE) => return Err(Refusal::Range),
        _ => {}
    }
    terms(request.1, response, rules, exchange)
}

/// Decides whether a 206 of one part may be stored (RFC 9111 §3.3); with which terms if so, and
/// what part of what it is.
///
/// # Errors
///
/// Fails with the first reason not to store it; see [`Refusal`].
pub fn admit_part(
    request: (&Method, &HeaderMap),
    response: (StatusCode, &HeaderMap),
    rules: &Rules,
    exchange: Exchange,
) -> Result<(Terms, ContentRange), Refusal> {
    let (status, headers) = response;
    check_method(request.0)?;
    if status != StatusCode::PARTIAL_CONTENT {
        return Err(Refusal::Status);
    }
    let part = ContentRange::of(headers).filter(|part| part.range.is_some());
    let part = part.ok_or(Refusal::Range)?;
    Ok((terms(request.1, response, rules, exchange)?, part))
}

/// Decides whether the answer to a POST may be stored and used for GETs of the same URI, which is
/// `target` (RFC 9110 §9.3.3): a 200 with an explicit lifetime, and with a `Content-Location` that
/// says that its content is the target's. With which terms if so.
///
/// # Errors
///
/// Fails with the first reason not to store it; see [`Refusal`].
pub fn admit_post(
    (request, target): (&HeaderMap, &Key),
    response: (StatusCode, &HeaderMap),
    rules: &Rules,
    exchange: Exchange,
) -> Result<Terms, Refusal> {
    let (status, headers) = response;
    if status != StatusCode::OK {
        return Err(Refusal::Status);
    }
    if !is_of_target(target, headers) {
        return Err(Refusal::Method);
    }
    if headers.contains_key(CONTENT_RANGE) {
        return Err(Refusal::Range);
    }
    let (control, is_targeted) = rules.control(headers);
    if explicit(headers, &control, is_targeted, exchange).is_none() {
        return Err(Refusal::NoLifetime);
    }
    terms(request, response, rules, exchange)
}

/// The lifetime that the origin set.
fn explicit(
    headers: &HeaderMap,
    control: &CacheControl,
    is_targeted: bool,
    exchange: Exchange,
) -> Option<Duration> {
    match is_targeted {
        true => set_lifetime(control),
        false => explicit_lifetime(headers, control, exchange.received),
    }
}

fn terms(
    request: &HeaderMap,
    response: (StatusCode, &HeaderMap),
    rules: &Rules,
    exchange: Exchange,
) -> Result<Terms, Refusal> {
    let (status, headers) = response;
    let (control, is_targeted) = rules.control(headers);
    check_store(request, status, &control)?;
    check_shared(request, &control)?;
    let explicit = explicit(headers, &control, is_targeted, exchange);
    let omit = omitted(&control, rules);
    // A cookie that the origin itself keeps out of the store (§5.2.2.4, §5.2.2.7) is nobody else's.
    let kept_out = named(&control).any(|name| name == SET_COOKIE);
    let bypass = explicit.is_none() || (rules.set_cookie == SetCookie::Bypass && !kept_out);
    if bypass && headers.contains_key(SET_COOKIE) {
        return Err(Refusal::SetCookie);
    }
    let vary = vary::names(headers).ok_or(Refusal::Vary)?;
    let always_validate = control.no_cache == Some(Fields::All);
    let assumed = || rules.assumed(request, response, (&control, &vary), exchange.received);
    let lifetime = match explicit {
        Some(lifetime) => lifetime,
        // Asked about at every use, it needs no lifetime.
        None if always_validate => Duration::ZERO,
        None => assumed().ok_or(Refusal::NoLifetime)?,
    };
    let strict = control.must_revalidate || control.proxy_revalidate;
    let terms = Terms {
        freshness: Freshness::new(headers, lifetime, exchange),
        stale_while_revalidate: window(control.stale_while_revalidate),
        stale_if_error: window(control.stale_if_error),
        stale_if_unreachable: rules.stale_if_unreachable,
        forbids_stale: strict || control.s_maxage.is_some(),
        forbids_windows: strict || (control.s_maxage.is_some() && !rules.stale_beside_s_maxage),
        always_validate,
        immutable: control.immutable,
        purged: false,
        assumed: explicit.is_none() && !always_validate,
        content_language: vary::content_language(headers, rules.normalise),
        normalise: rules.normalise,
        vary,
        omit,
    };
    check_reusable(headers, &terms)?;
    Ok(terms)
}

/// Only GET is answered from the store (§3, RFC 9110 §9.3.1).
fn check_method(method: &Method) -> Result<(), Refusal> {
    (method == Method::GET).then_some(()).ok_or(Refusal::Method)
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

/// Stale from the first moment and nothing to validate with: room for nothing (§4.2.4, §4.3.1).
fn check_reusable(headers: &HeaderMap, terms: &Terms) -> Result<(), Refusal> {
    let has_validator = headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED);
    let ever_fresh =
        !terms.always_validate && terms.freshness.lifetime() > terms.freshness.initial_age();
    let ever_stale = !terms.windows().is_zero();
    if has_validator || ever_fresh || ever_stale { Ok(()) } else { Err(Refusal::NeverReusable) }
}

fn window(seconds: Option<u64>) -> Duration {
    Duration::from_secs(seconds.unwrap_or(0))
}

/// Fields that stay out of the store: those that `no-cache` and `private` name (§5.2.2.4,
/// §5.2.2.7), and cookies where they are stripped.
fn omitted(control: &CacheControl, rules: &Rules) -> Vec<HeaderName> {
    let mut names: Vec<_> = named(control).cloned().collect();
    if rules.set_cookie != SetCookie::Store {
        names.push(SET_COOKIE);
    }
    names
}

/// The fields that `no-cache` and `private` name.
fn named(control: &CacheControl) -> impl Iterator<Item = &HeaderName> {
    [&control.no_cache, &control.private].into_iter().flat_map(|fields| match fields {
        Some(Fields::Named(names)) => names.as_slice(),
        Some(Fields::All) | None => &[],
    })
}
