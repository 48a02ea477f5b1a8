//! Telling the origin who asked: `X-Forwarded-*`, `X-Real-IP`, `Forwarded`.

use std::net::IpAddr;

use http::header::{FORWARDED, HeaderMap, HeaderName, HeaderValue};

use crate::connection::Connection;
use crate::list;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// What a stranger may not say of itself.
const FORWARDING_FIELDS: [HeaderName; 6] =
    [X_FORWARDED_FOR, X_FORWARDED_PROTO, X_FORWARDED_HOST, X_FORWARDED_PORT, X_REAL_IP, FORWARDED];

/// Which fields tell the origin who asked, and how.
///
/// What a peer sent in any of these fields is dropped unless the peer is trusted, whether the
/// field is then written or not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Forwarding {
    /// Write `X-Forwarded-For`, `-Proto` and `-Host`. Default: true. Without them the origin
    /// takes us for the client.
    pub x_forwarded: bool,
    /// Write `X-Real-IP` with the peer's address. Default: false; for origins made for nginx.
    pub x_real_ip: bool,
    /// Write `Forwarded` (RFC 7239). Default: false; few origins read it.
    pub forwarded: bool,
}

impl Default for Forwarding {
    fn default() -> Self {
        Self { x_forwarded: true, x_real_ip: false, forwarded: false }
    }
}

impl Forwarding {
    /// Writes the fields of a request that came in on `connection` and asked for `host`.
    ///
    /// When the peer is `trusted` (see [`TrustedProxies::contains`](crate::TrustedProxies)), it is
    /// appended to the hops that it told of, and what it said of scheme, host and client stays.
    /// Else everything is replaced. Call it after [`hop::remove`](crate::hop::remove).
    ///
    /// ```
    /// use http::HeaderMap;
    /// use vhttp::{Connection, Forwarding};
    ///
    /// let mut headers = HeaderMap::new();
    /// headers.insert("x-forwarded-for", "6.6.6.6".parse().unwrap());
    /// let peer = "203.0.113.7:4711".parse().unwrap();
    /// let connection = Connection::new(peer, "192.0.2.1:443".parse().unwrap(), true);
    /// Forwarding::default().apply(&mut headers, &connection, false, Some("example.com"));
    /// assert_eq!(headers["x-forwarded-for"], "203.0.113.7");
    /// assert_eq!(headers["x-forwarded-proto"], "https");
    /// assert_eq!(headers["x-forwarded-host"], "example.com");
    /// ```
    pub fn apply(
        &self,
        headers: &mut HeaderMap,
        connection: &Connection,
        trusted: bool,
        host: Option<&str>,
    ) {
        if !trusted {
            for name in &FORWARDING_FIELDS {
                headers.remove(name);
            }
        }
        let peer = connection.peer.ip().to_canonical();
        if self.x_forwarded {
            append(headers, X_FORWARDED_FOR, &peer.to_string());
            keep_or_set(headers, X_FORWARDED_PROTO, connection.scheme());
            if let Some(host) = host {
                keep_or_set(headers, X_FORWARDED_HOST, host);
            }
        }
        if self.x_real_ip {
            keep_or_set(headers, X_REAL_IP, &peer.to_string());
        }
        if self.forwarded {
            append(headers, FORWARDED, &element(peer, connection.scheme(), host));
        }
    }
}

/// Adds a member to a list and makes one line of all its lines.
fn append(headers: &mut HeaderMap, name: HeaderName, member: &str) {
    let mut line = Vec::with_capacity(member.len());
    for before in headers.get_all(&name) {
        line.extend_from_slice(before.as_bytes());
        line.extend_from_slice(b", ");
    }
    line.extend_from_slice(member.as_bytes());
    if let Ok(value) = HeaderValue::from_bytes(&line) {
        headers.insert(name, value);
    }
}

fn keep_or_set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.entry(name).or_insert(value);
    }
}

/// An element of `Forwarded` (RFC 7239 §4); IPv6 stands in brackets and quotes (§6).
fn element(peer: IpAddr, scheme: &str, host: Option<&str>) -> String {
    let mut element = match peer {
        IpAddr::V4(v4) => format!("for={v4}"),
        IpAddr::V6(v6) => format!("for=\"[{v6}]\""),
    };
    if let Some(host) = host {
        element.push_str(";host=");
        push_value(&mut element, host);
    }
    element.push_str(";proto=");
    element.push_str(scheme);
    element
}

/// Writes a token as it is and anything else as a quoted string (RFC 9110 §5.6.4).
fn push_value(element: &mut String, value: &str) {
    if list::is_token(value) {
        return element.push_str(value);
    }
    element.push('"');
    for c in value.chars() {
        if matches!(c, '"' | '\\') {
            element.push('\\');
        }
        element.push(c);
    }
    element.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Forwarding = Forwarding { x_forwarded: true, x_real_ip: true, forwarded: true };

    fn sent() -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-for", "7.7.7.7"),
            ("x-forwarded-proto", "gopher"),
            ("x-forwarded-host", "evil"),
            ("x-forwarded-port", "1"),
            ("x-real-ip", "6.6.6.6"),
            ("forwarded", "for=6.6.6.6"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    fn applied(fields: &Forwarding, mut headers: HeaderMap, trusted: bool) -> HeaderMap {
        let peer = "[::ffff:203.0.113.7]:4711".parse().unwrap();
        let connection = Connection::new(peer, "192.0.2.1:443".parse().unwrap(), true);
        fields.apply(&mut headers, &connection, trusted, Some("example.com:8443"));
        headers
    }

    #[test]
    fn a_stranger_is_replaced_in_every_field() {
        let headers = applied(&ALL, sent(), false);
        assert_eq!(headers.get_all("x-forwarded-for").iter().count(), 1);
        assert_eq!(headers["x-forwarded-for"], "203.0.113.7");
        assert_eq!(headers["x-forwarded-proto"], "https");
        assert_eq!(headers["x-forwarded-host"], "example.com:8443");
        assert_eq!(headers["x-real-ip"], "203.0.113.7");
        assert_eq!(headers["forwarded"], "for=203.0.113.7;host=\"example.com:8443\";proto=https");
        assert!(!headers.contains_key("x-forwarded-port"));
    }

    #[test]
    fn a_trusted_proxy_is_appended() {
        let headers = applied(&ALL, sent(), true);
        assert_eq!(headers["x-forwarded-for"], "6.6.6.6, 7.7.7.7, 203.0.113.7");
        assert_eq!(headers["x-forwarded-proto"], "gopher");
        assert_eq!(headers["x-real-ip"], "6.6.6.6");
        let forwarded = headers["forwarded"].to_str().unwrap();
        assert!(forwarded.starts_with("for=6.6.6.6, for=203.0.113.7;"), "{forwarded}");
    }

    #[test]
    fn what_is_not_written_is_dropped_all_the_same() {
        let none = Forwarding { x_forwarded: false, ..Forwarding::default() };
        assert!(applied(&none, sent(), false).is_empty());
    }

    #[test]
    fn version_six_is_quoted_and_hosts_are_escaped() {
        let peer = "2001:db8::1".parse().unwrap();
        assert_eq!(
            element(peer, "http", Some("a\"b")),
            r#"for="[2001:db8::1]";host="a\"b";proto=http"#
        );
        assert_eq!(element(peer, "http", None), r#"for="[2001:db8::1]";proto=http"#);
    }
}
