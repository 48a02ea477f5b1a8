//! Hop-by-hop fields, which end at the next hop (RFC 9110 §7.6.1).

use http::header::{
    AGE, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, COOKIE, DATE, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, SET_COOKIE,
    TE, UPGRADE, VARY, VIA,
};

use crate::list;

/// Fields that concern one connection, whether `Connection` names them or not.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "transfer-encoding"
            | "upgrade"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-authentication-info"
            // Only an upgrade to h2c would need it, and that is never passed on.
            | "http2-settings"
    )
}

/// Fields for everyone on the way, which `Connection` must not take away: without them a message
/// has another meaning, or another sender (CVE-2022-31813).
const END_TO_END: [HeaderName; 14] = [
    HOST,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    CONTENT_ENCODING,
    CONTENT_RANGE,
    CACHE_CONTROL,
    AUTHORIZATION,
    COOKIE,
    SET_COOKIE,
    VARY,
    DATE,
    AGE,
    VIA,
    FORWARDED,
];

/// Removes every hop-by-hop field from a request or response: those named by `Connection`, and
/// the known ones (`Connection`, `Keep-Alive`, `Proxy-Connection`, `TE`, `Transfer-Encoding`,
/// `Upgrade`, the `Proxy-Auth…` fields, `HTTP2-Settings`).
///
/// `Connection` cannot remove what is meant for everyone: `Host`, the fields of the content,
/// `Cache-Control`, credentials, and what tells of the way (`Forwarded`, `X-Forwarded-*`,
/// `X-Real-IP`, `Via`). Ask [`upgrade`] and [`accepts_trailers`] first: afterwards their answer
/// is gone. Remove first and add our own fields then, never the other way round.
pub fn remove(headers: &mut HeaderMap) {
    remove_where(headers, is_hop_by_hop);
}

/// [`remove`] for a request, with `Proxy` as well: a CGI origin would take it for the address of
/// its own proxy (CVE-2016-5385, "httpoxy").
pub fn remove_from_request(headers: &mut HeaderMap) {
    remove_where(headers, |name| is_hop_by_hop(name) || name == "proxy");
}

/// Removes the names that `gone` knows, and those that `Connection` adds.
///
/// Looking at every name once is cheaper than looking for ten that are seldom there.
fn remove_where(headers: &mut HeaderMap, gone: impl Fn(&str) -> bool) {
    let mut found: Vec<HeaderName> =
        headers.keys().filter(|name| gone(name.as_str())).cloned().collect();
    if found.contains(&CONNECTION) {
        found.append(&mut named(headers));
    }
    for name in found {
        headers.remove(name);
    }
}

/// The protocol that the message asks to change to, when `Connection` says `upgrade` too
/// (RFC 9110 §7.8); a list of protocols is returned as it is.
///
/// `None` for `h2c`, also within a list: HTTP/2 behind our back would pass by every check.
#[must_use]
pub fn upgrade(headers: &HeaderMap) -> Option<&HeaderValue> {
    if !list::contains(headers, &CONNECTION, "upgrade") {
        return None;
    }
    let mut lines = headers.get_all(UPGRADE).into_iter();
    let only = lines.next().filter(|_| lines.next().is_none())?;
    let is_h2c = |item: &str| item.eq_ignore_ascii_case("h2c");
    let mut protocols = list::split(only.as_bytes()).peekable();
    protocols.peek()?;
    (!protocols.any(is_h2c)).then_some(only)
}

/// Whether the sender of a request takes trailers: `TE: trailers` (RFC 9110 §10.1.4).
#[must_use]
pub fn accepts_trailers(headers: &HeaderMap) -> bool {
    list::contains(headers, &TE, "trailers")
}

/// The fields that `Connection` names and may remove; the usual options cost no allocation.
fn named(headers: &HeaderMap) -> Vec<HeaderName> {
    let usual = ["keep-alive", "close", "upgrade", "te"];
    list::items(headers, &CONNECTION)
        .filter(|item| !usual.iter().any(|known| known.eq_ignore_ascii_case(item)))
        .filter_map(|item| HeaderName::from_bytes(item.as_bytes()).ok())
        .filter(|name| !is_protected(name))
        .collect()
}

fn is_protected(name: &HeaderName) -> bool {
    END_TO_END.contains(name)
        || name.as_str() == "x-real-ip"
        || name.as_str().starts_with("x-forwarded-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        headers.keys().map(HeaderName::as_str).collect()
    }

    #[test]
    fn the_known_fields_go() {
        let mut headers = headers(&[
            ("connection", "close"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAMAAABk"),
            ("proxy-authenticate", "Basic"),
            ("proxy-authorization", "Basic x"),
            ("accept", "*/*"),
        ]);
        remove(&mut headers);
        assert_eq!(names(&headers), ["accept"]);
    }

    #[test]
    fn fields_named_by_connection_go_on_every_line() {
        let mut headers = headers(&[
            ("connection", "X-One, keep-alive"),
            ("connection", "x-two, bad name"),
            ("x-one", "1"),
            ("x-two", "2"),
            ("x-three", "3"),
        ]);
        remove(&mut headers);
        assert_eq!(names(&headers), ["x-three"]);
    }

    #[test]
    fn fields_for_everyone_stay() {
        let kept =
            ["host", "content-length", "x-forwarded-for", "x-real-ip", "forwarded", "cookie"];
        let mut headers = headers(&[(
            "connection",
            "Host, Content-Length, X-Forwarded-For, x-real-ip, forwarded, Cookie",
        )]);
        for name in kept {
            headers.insert(name, HeaderValue::from_static("1"));
        }
        remove(&mut headers);
        assert!(kept.iter().all(|name| headers.contains_key(*name)));
    }

    #[test]
    fn a_request_loses_proxy() {
        let mut headers = headers(&[("proxy", "http://evil"), ("accept", "*/*")]);
        remove_from_request(&mut headers);
        assert_eq!(names(&headers), ["accept"]);
    }

    #[test]
    fn an_upgrade_needs_both_fields_and_is_never_h2c() {
        for (connection, protocol, asked) in [
            ("keep-alive, Upgrade", "websocket", true),
            ("keep-alive", "websocket", false),
            ("upgrade, http2-settings", "h2c", false),
            ("upgrade", "websocket, H2C", false),
            ("upgrade", "", false),
        ] {
            let headers = headers(&[("connection", connection), ("upgrade", protocol)]);
            assert_eq!(upgrade(&headers).is_some(), asked, "{connection}, {protocol}");
        }
        let twice = headers(&[("connection", "upgrade"), ("upgrade", "a"), ("upgrade", "b")]);
        assert_eq!(upgrade(&twice), None);
    }
}
