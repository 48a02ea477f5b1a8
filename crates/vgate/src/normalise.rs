//! Makes a request plain before anything looks at it, or refuses it: host, path and framing.
//!
//! What is matched is what is forwarded: the path is rewritten to its canonical form, so that no
//! access rule sees another path than the origin does.

use std::borrow::Cow;

use http::header::{HOST, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use verve::http::{Body, Connection, Reject};

/// Rewrites the request to origin form with one `Host`, or says why it is refused.
///
/// # Errors
///
/// The refusal to answer with.
pub(crate) fn normalise(request: &mut Request<Body>) -> Result<(), Reject> {
    check_method(request.method())?;
    check_framing(request.headers())?;
    let authority = authority(request)?;
    let target = canonical(request.uri())?;
    if let Some(target) = target {
        *request.uri_mut() = Uri::from(target);
    } else if request.uri().scheme().is_some() || request.uri().authority().is_some() {
        *request.uri_mut() = Uri::from(rooted(request.uri()));
    }
    if let Some(authority) = authority {
        request.headers_mut().insert(HOST, authority);
    }
    Ok(())
}

/// Path and query of a target in absolute form, whose path may be empty (RFC 9112 §3.2.1): also
/// where only a query or a fragment stands behind the host.
fn rooted(uri: &Uri) -> PathAndQuery {
    let text = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let root = if text.starts_with('/') { "" } else { "/" };
    let rooted = PathAndQuery::try_from(format!("{root}{text}"));
    rooted.unwrap_or_else(|_| PathAndQuery::from_static("/"))
}

/// The host of a normalised request, lower case, without its port.
pub(crate) fn host(request: &Request<Body>) -> Cow<'_, str> {
    let value = request.headers().get(HOST).and_then(|value| value.to_str().ok()).unwrap_or("");
    let end = match value.rfind(':') {
        // A colon inside brackets belongs to an IPv6 address.
        Some(colon) if !value.ends_with(']') => colon,
        _ => value.len(),
    };
    let host = value.get(..end).unwrap_or(value);
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

const fn bad(reason: &'static str) -> Reject {
    Reject::new(StatusCode::BAD_REQUEST, reason)
}

fn check_method(method: &Method) -> Result<(), Reject> {
    // CONNECT asks for a forward proxy; TRACE would echo secrets (RFC 9110 §9.3.8).
    if method == Method::CONNECT || method == Method::TRACE {
        return Err(Reject::new(StatusCode::NOT_IMPLEMENTED, "method-refused"));
    }
    if method.as_str().len() > 32 {
        return Err(Reject::new(StatusCode::NOT_IMPLEMENTED, "method-too-long"));
    }
    Ok(())
}

/// Only a single `chunked` is a framing that every origin reads alike (RFC 9112 §6.1).
fn check_framing(headers: &HeaderMap) -> Result<(), Reject> {
    let mut lines = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(first) = lines.next() else {
        return Ok(());
    };
    if lines.next().is_some() || !first.as_bytes().eq_ignore_ascii_case(b"chunked") {
        return Err(Reject::new(StatusCode::NOT_IMPLEMENTED, "transfer-coding"));
    }
    Ok(())
}

/// The one authority of the request (RFC 9112 §3.2, RFC 9113 §8.3.1); `None` when it stands in
/// `Host` already.
fn authority(request: &Request<Body>) -> Result<Option<HeaderValue>, Reject> {
    let mut lines = request.headers().get_all(HOST).iter();
    let field = lines.next();
    if lines.next().is_some() {
        return Err(bad("host-repeated"));
    }
    let target = request.uri().authority().map(Authority::as_str);
    if let (Some(field), Some(target)) = (field, target) {
        let same = field.as_bytes().eq_ignore_ascii_case(target.as_bytes());
        // In HTTP/1 the absolute form wins (RFC 9112 §3.2.2); in HTTP/2 they must agree.
        if !same && request.version() >= http::Version::HTTP_2 {
            return Err(bad("host-conflict"));
        }
    }
    let value = match (target, field) {
        (Some(target), _) => target,
        (None, Some(field)) => field.to_str().map_err(|_| bad("host-invalid"))?,
        // Only HTTP/1.1 demands a Host (RFC 9112 §3.2); the address asked is the next best name.
        (None, None) if request.version() < http::Version::HTTP_11 => {
            return own_name(request).map(Some);
        }
        (None, None) => return Err(bad("host-missing")),
    };
    // An empty port is the default one (RFC 3986 §3.2.3).
    let plain = value.strip_suffix(':').unwrap_or(value);
    if !is_authority(plain) {
        return Err(bad("host-invalid"));
    }
    if target.is_none() && plain.len() == value.len() {
        return Ok(None);
    }
    HeaderValue::from_str(plain).map(Some).map_err(|_| bad("host-invalid"))
}

fn own_name(request: &Request<Body>) -> Result<HeaderValue, Reject> {
    let connection = request.extensions().get::<Connection>().ok_or(bad("host-missing"))?;
    HeaderValue::try_from(connection.local.to_string()).map_err(|_| bad("host-missing"))
}

/// Host and optional port, nothing else: no user, no list, no space.
fn is_authority(value: &str) -> bool {
    is_name_and_port(value) || is_rare_authority(value)
}

/// The usual forms, told without an allocation: a name or an IPv4 address, and perhaps a port.
fn is_name_and_port(value: &str) -> bool {
    let (host, port) = value.split_once(':').unwrap_or((value, "0"));
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    let number = port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    number && !host.is_empty() && host.bytes().all(plain)
}

fn is_rare_authority(value: &str) -> bool {
    let Ok(authority) = value.parse::<Authority>() else {
        return false;
    };
    let port_fits = match authority.as_str().strip_prefix(authority.host()) {
        Some("") => true,
        Some(rest) => rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok()),
        None => false,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:[]%".contains(c);
    port_fits && !authority.host().is_empty() && value.chars().all(plain)
}

/// Whether a request can have this path after it was made plain; else the plain form, if any.
pub(crate) fn plain_path(path: &str) -> Result<(), Option<String>> {
    let uri = PathAndQuery::try_from(path).map(Uri::from).map_err(|_| None)?;
    match canonical(&uri) {
        Ok(None) if uri.path() == path => Ok(()),
        Ok(Some(plain)) => Err(Some(plain.path().to_owned())),
        Ok(None) => Err(Some(uri.path().to_owned())),
        Err(_) => Err(None),
    }
}

/// An absolute URL in the form in which requests for it are stored; as it is, when no request can
/// have it.
pub(crate) fn canonical_url(url: &str) -> String {
    let canonical = || {
        let uri: Uri = url.parse().ok()?;
        let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
        let target = canonical(&uri).ok()??;
        Some(format!("{scheme}://{authority}{target}"))
    };
    canonical().unwrap_or_else(|| url.to_owned())
}

/// The beginning of URLs in that form. Dot segments stay: the end of a beginning is not the end of
/// a segment.
pub(crate) fn canonical_prefix(prefix: &str) -> String {
    let path = prefix.find("://").and_then(|at| {
        let authority = at + "://".len();
        Some(authority + prefix.get(authority..)?.find('/')?)
    });
    let Some((origin, rest)) = path.and_then(|path| prefix.split_at_checked(path)) else {
        return prefix.to_owned();
    };
    let (path, query) =
        rest.split_at_checked(rest.find('?').unwrap_or(rest.len())).unwrap_or((rest, ""));
    let path = decode_unreserved(path).unwrap_or_else(|_| path.to_owned());
    format!("{origin}{path}{query}")
}

/// The canonical path and query; `None` when the target is canonical already.
fn canonical(uri: &Uri) -> Result<Option<PathAndQuery>, Reject> {
    let path = uri.path();
    if !path.starts_with('/') {
        return Err(bad("target-form"));
    }
    if !path.contains(['%', '\\', ';']) && !path.contains("/.") {
        return Ok(None);
    }
    let decoded = decode_unreserved(path)?;
    let plain = remove_dot_segments(&decoded)?;
    if plain == path {
        return Ok(None);
    }
    let target = match uri.query() {
        Some(query) => format!("{plain}?{query}"),
        None => plain,
    };
    PathAndQuery::try_from(target).map(Some).map_err(|_| bad("path-invalid"))
}

/// Decodes what needs no encoding and writes the rest in upper case (RFC 3986 §6.2.2).
///
/// An encoded slash, backslash or NUL means different things to different origins: refused.
fn decode_unreserved(path: &str) -> Result<String, Reject> {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let byte = after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let valid = after.bytes().take(2).all(|b| b.is_ascii_hexdigit());
        let Some(byte) = byte.filter(|_| valid) else {
            return Err(bad("path-encoding"));
        };
        match byte {
            b'/' | b'\\' | 0 => return Err(bad("path-ambiguous")),
            b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => out.push(char::from(b)),
            b => out.push_str(&format!("%{b:02X}")),
        }
        rest = after.get(2..).unwrap_or("");
    }
    out.push_str(rest);
    if out.contains('\\') {
        return Err(bad("path-ambiguous"));
    }
    Ok(out)
}

/// RFC 3986 §5.2.4. A dot segment with parameters (`..;x`) is refused: some origins climb on it.
fn remove_dot_segments(path: &str) -> Result<String, Reject> {
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let last = segments.len().saturating_sub(1);
    for (place, segment) in segments.into_iter().enumerate() {
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if place == last {
                    kept.push("");
                }
            }
            _ if segment.starts_with(".;") || segment.starts_with("..;") => {
                return Err(bad("path-ambiguous"));
            }
            _ => kept.push(segment),
        }
    }
    Ok(format!("/{}", kept.join("/")))
}

#[cfg(test)]
#[path = "normalise/tests.rs"]
mod tests;
