//! Telling the origin who asked: `X-Forwarded-*`, `X-Real-IP`, `Forwarded`.

use std::io::Write as _;
use std::net::IpAddr;

use bytes::Bytes;
use http::header::{FORWARDED, HeaderMap, HeaderName, HeaderValue};

use crate::connection::Connection;
use crate::list;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// What a stranger may not say of itself.
fn is_claim(name: &str) -> bool {
    matches!(
        name,
        "x-forwarded-for"
            | "x-forwarded-proto"
            | "x-forwarded-host"
            | "x-forwarded-port"
            | "x-real-ip"
            | "forwarded"
    )
}

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
    /// use http::{HeaderMap, HeaderValue};
    /// use vhttp::{Connection, Forwarding};
    ///
    /// let mut headers = HeaderMap::new();
    /// headers.insert("x-forwarded-for", "6.6.6.6".parse().unwrap());
    /// let peer = "203.0.113.7:4711".parse().unwrap();
    /// let connection = Connection::new(peer, "192.0.2.1:443".parse().unwrap(), true);
    /// let host = HeaderValue::from_static("example.com");
    /// Forwarding::default().apply(&mut headers, &connection, false, Some(&host));
    /// assert_eq!(headers["x-forwarded-for"], "203.0.113.7");
    /// assert_eq!(headers["x-forwarded-proto"], "https");
    /// assert_eq!(headers["x-forwarded-host"], "example.com");
    /// ```
    pub fn apply(
        &self,
        headers: &mut HeaderMap,
        connection: &Connection,
        trusted: bool,
        host: Option<&HeaderValue>,
    ) {
        if !trusted {
            remove_claims(headers);
        }
        let scheme = connection.scheme();
        let peer = connection.peer.ip().to_canonical();
        if self.x_forwarded {
            append(headers, X_FORWARDED_FOR, Text::of(peer).as_bytes());
            headers.entry(X_FORWARDED_PROTO).or_insert(HeaderValue::from_static(scheme));
            if let Some(host) = host {
                headers.entry(X_FORWARDED_HOST).or_insert_with(|| host.clone());
            }
        }
        if self.x_real_ip
            && let Ok(value) = HeaderValue::from_bytes(Text::of(peer).as_bytes())
        {
            headers.entry(X_REAL_IP).or_insert(value);
        }
        if self.forwarded {
            let host = host.and_then(|host| host.to_str().ok());
            append(headers, FORWARDED, element(peer, scheme, host).as_bytes());
        }
    }
}

/// Looks at every name once, because the fields are seldom there.
fn remove_claims(headers: &mut HeaderMap) {
    let claims: Vec<HeaderName> =
        headers.keys().filter(|name| is_claim(name.as_str())).cloned().collect();
    for name in claims {
        headers.remove(name);
    }
}

/// An address as text, without an allocation.
struct Text {
    bytes: [u8; LONGEST],
    length: usize,
}

/// The longest address, of version 6 with a version 4 one inside.
const LONGEST: usize = 45;

impl Text {
    fn of(address: IpAddr) -> Self {
        let mut text = Self { bytes: [0; LONGEST], length: 0 };
        match address {
            IpAddr::V4(v4) => text.push_v4(v4.octets()),
            IpAddr::V6(v6) => {
                let mut rest = text.bytes.as_mut_slice();
                // It fits; a text cut short would be no valid address either.
                let _ = write!(rest, "{v6}");
                text.length = LONGEST - rest.len();
            }
        }
        text
    }

    /// The formatter of the standard library takes several times as long.
    fn push_v4(&mut self, octets: [u8; 4]) {
        for (place, octet) in octets.into_iter().enumerate() {
            if place > 0 {
                self.push(b'.');
            }
            if octet >= 100 {
                self.push(b'0' + octet / 100);
            }
            if octet >= 10 {
                self.push(b'0' + octet / 10 % 10);
            }
            self.push(b'0' + octet % 10);
        }
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Adds a member to a list and makes one line of all its lines.
fn append(headers: &mut HeaderMap, name: HeaderName, member: &[u8]) {
    let mut lines = headers.get_all(&name).into_iter().peekable();
    let value = if lines.peek().is_none() {
        HeaderValue::from_bytes(member)
    } else {
        let mut line = Vec::new();
        for before in lines {
            line.extend_from_slice(before.as_bytes());
            line.extend_from_slice(b", ");
        }
        line.extend_from_slice(member);
        HeaderValue::from_maybe_shared(Bytes::from(line))
    };
    if let Ok(value) = value {
        headers.insert(name, value);
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
        let host = HeaderValue::from_static("example.com:8443");
        fields.apply(&mut headers, &connection, trusted, Some(&host));
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

    #[test]
    fn the_longest_address_fits() {
        for text in
            ["1.2.3.4", "::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::ffff:255.255.255.255"]
        {
            assert_eq!(Text::of(text.parse().unwrap()).as_bytes(), text.as_bytes());
        }
    }
}
