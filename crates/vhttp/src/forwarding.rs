//! Telling the origin who asked: `X-Forwarded-*`, `X-Real-IP`, `Forwarded`.

pub mod claims;
mod fields;
mod translate;
pub(crate) mod vouched;

use std::io::Write as _;
use std::net::IpAddr;

use bytes::Bytes;
use http::header::{FORWARDED, HeaderMap, HeaderName, HeaderValue};

use crate::connection::Connection;
use crate::forwarding::fields::{
    X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO, X_REAL_IP, element, is_claim,
};

/// Which fields tell the origin who asked, and how.
///
/// What a peer sent in any of these fields is dropped unless the peer is trusted, whether the
/// field is then written or not; and so are its kin, by which origins can be led astray:
/// `X-Forwarded-Port`, `-Prefix`, `-Scheme`, `-Protocol`, `-Ssl`, `-Server` and `-By`,
/// `X-Original-URL`, `X-Original-Host`, `X-Rewrite-URL`, `X-Host` and `X-HTTP-Host-Override`.
///
/// Where a trusted peer has written only one of `Forwarded` and `X-Forwarded-*`, the other is made
/// from it before it is written, so that they tell the same. Danger: what it has written in both
/// stays in both, so a trusted proxy that writes one must drop the other that clients send.
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
        if trusted {
            self.translate(headers);
        } else {
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

impl Forwarding {
    /// Lets what is going to be written begin with what the trusted peer said in another way.
    fn translate(&self, headers: &mut HeaderMap) {
        if self.x_forwarded {
            translate::from_forwarded(headers);
        }
        if self.forwarded {
            translate::from_x_forwarded(headers);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forwarded::TrustedProxies;

    const ALL: Forwarding = Forwarding { x_forwarded: true, x_real_ip: true, forwarded: true };

    fn sent() -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-for", "7.7.7.7"),
            ("x-forwarded-proto", "gopher"),
            ("x-forwarded-host", "evil"),
            ("x-forwarded-port", "1"),
            ("x-forwarded-prefix", "/evil"),
            ("x-forwarded-scheme", "https"),
            ("x-forwarded-protocol", "https"),
            ("x-forwarded-ssl", "on"),
            ("x-forwarded-server", "evil"),
            ("x-forwarded-by", "6.6.6.6"),
            ("x-original-url", "/admin"),
            ("x-rewrite-url", "/admin"),
            ("x-original-host", "evil"),
            ("x-host", "evil"),
            ("x-http-host-override", "evil"),
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
        // And nothing else is left.
        assert_eq!(headers.len(), 5);
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

    fn told(fields: &Forwarding, sent: &[(&'static str, &'static str)]) -> [Vec<String>; 4] {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let headers = applied(fields, headers, true);
        ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded"].map(|name| {
            let lines = headers.get_all(name).into_iter();
            lines.map(|line| line.to_str().unwrap().to_owned()).collect()
        })
    }

    #[test]
    fn what_a_trusted_proxy_says_in_forwarded_is_said_in_the_others_too() {
        let host = "example.com:8443";
        for (forwarded, hops, scheme, host) in [
            ("for=1.2.3.9;proto=http", "1.2.3.9", "http", host),
            ("for=1.2.3.9", "1.2.3.9", "https", host),
            ("proto=http;by=_x", "unknown", "http", host),
            ("For=\"[2001:db8::1]:4711\"; Host=\"a:80\";PROTO=http", "2001:db8::1", "http", "a:80"),
            // The last element is the peer's own; whoever wrote the others may have lied.
            ("for=6.6.6.6;proto=ftp;host=evil, for=1.2.3.9", "6.6.6.6, 1.2.3.9", "https", host),
            ("for=6.6.6.6,for=_hidden;proto=http", "6.6.6.6, unknown", "http", host),
            ("for=\"open;for=6.6.6.6", "unknown", "https", host),
            ("for=1.2.3.9;proto=\"a b\"", "1.2.3.9", "https", host),
        ] {
            let told = told(&Forwarding::default(), &[("forwarded", forwarded)]);
            let hops = format!("{hops}, 203.0.113.7");
            assert_eq!(
                told,
                [vec![hops], vec![scheme.into()], vec![host.into()], vec![forwarded.to_owned()]]
            );
        }
    }

    #[test]
    fn what_a_trusted_proxy_says_in_the_others_is_said_in_forwarded_too() {
        let own = "for=203.0.113.7;host=\"example.com:8443\";proto=https";
        for (sent, before) in [
            (&[("x-forwarded-for", "1.2.3.9")][..], "for=1.2.3.9"),
            (
                &[("x-forwarded-for", "6.6.6.6, 2001:db8::1"), ("x-forwarded-proto", "http")],
                "for=6.6.6.6, for=\"[2001:db8::1]\";proto=http",
            ),
            (
                &[("x-forwarded-for", "1.2.3.9:80, who?"), ("x-forwarded-host", "a, b:1")],
                "for=1.2.3.9, for=unknown;host=\"b:1\"",
            ),
            (&[("x-forwarded-proto", "http")], "for=unknown;proto=http"),
        ] {
            let [_, _, _, forwarded] = told(&ALL, sent);
            assert_eq!(forwarded, [format!("{before}, {own}")]);
        }
        assert_eq!(told(&ALL, &[])[3], [own]);
    }

    #[test]
    fn who_says_both_is_not_translated() {
        let sent = [("x-forwarded-for", "1.2.3.9"), ("forwarded", "for=6.6.6.6;proto=ftp")];
        let [hops, scheme, _, forwarded] = told(&ALL, &sent);
        assert_eq!((&*hops[0], &*scheme[0]), ("1.2.3.9, 203.0.113.7", "https"));
        assert!(forwarded[0].starts_with("for=6.6.6.6;proto=ftp, for=203.0.113.7;"));
    }

    #[test]
    fn the_client_is_the_same_before_and_after() {
        let trusted = TrustedProxies::parse(["203.0.113.0/24", "10.0.0.0/8"]).unwrap();
        for forwarded in ["for=1.2.3.9", "for=1.2.3.9, for=10.0.0.1", "for=1.2.3.9, for=unknown"] {
            let mut headers = HeaderMap::new();
            headers.insert(FORWARDED, HeaderValue::from_static(forwarded));
            let before = trusted.client("203.0.113.7".parse().unwrap(), &headers);
            let headers = applied(&Forwarding::default(), headers, true);
            // The origin is asked by us, and trusts us.
            assert_eq!(trusted.client("10.9.9.9".parse().unwrap(), &headers), before);
        }
    }

    #[test]
    fn what_is_not_written_is_dropped_all_the_same() {
        let none = Forwarding { x_forwarded: false, ..Forwarding::default() };
        assert!(applied(&none, sent(), false).is_empty());
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
