//! What the forwarding fields of a request claim that it asks for, as a cache needs it.
//!
//! The hops (`X-Forwarded-For`, `X-Real-IP`, and `for` and `by` of `Forwarded`) are not among it:
//! they say who asks, and for what only where `Vary` names them.

use std::fmt::Write as _;

use http::header::{FORWARDED, HeaderMap, HeaderName};

use crate::forwarding::fields::{
    X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO, X_REAL_IP, is_claim,
};
use crate::list;

/// The scheme that `X-Forwarded-Proto` names, `http` or `https`; `None` for anything else.
#[must_use]
pub fn scheme(headers: &HeaderMap) -> Option<&'static str> {
    let told = only(headers, &X_FORWARDED_PROTO)?;
    ["http", "https"].into_iter().find(|scheme| told.eq_ignore_ascii_case(scheme))
}

/// The host that `X-Forwarded-Host` names, with its port if it has one; `None` where there is
/// none, or several.
#[must_use]
pub fn host(headers: &HeaderMap) -> Option<&str> {
    only(headers, &X_FORWARDED_HOST).filter(|host| !host.is_empty() && !host.contains([',', ' ']))
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut lines = headers.get_all(name).into_iter();
    let line = lines.next().filter(|_| lines.next().is_none())?;
    Some(line.to_str().ok()?.trim())
}

/// What a request asks for by its own line, with which claims are compared.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// `http` or `https`.
    pub scheme: &'a str,
    /// The host, with its port if it is not the scheme's own.
    pub host: &'a str,
    /// Path and query.
    pub path: &'a str,
}

/// All claims but those that say the same as `asked`, as a text: equal for requests that claim the
/// same, and empty for nearly all. Written like a query (`x-forwarded-prefix=%2Fshop`), sorted,
/// with everything percent-encoded that is not a letter, a digit or one of `-._~`.
#[must_use]
pub fn others(headers: &HeaderMap, asked: Asked<'_>) -> String {
    let mut told: Vec<(&str, String)> = Vec::new();
    for name in headers.keys().filter(|name| is_claim(name.as_str())) {
        let value = match name {
            name if name == X_FORWARDED_FOR || name == X_REAL_IP => continue,
            name if name == FORWARDED => forwarded(headers, asked),
            name => plain(headers, name, asked),
        };
        told.extend(value.map(|value| (name.as_str(), value)));
    }
    told.sort_unstable();
    let mut text = String::new();
    for (name, value) in told {
        text.push_str(if text.is_empty() { "" } else { "&" });
        text.push_str(name);
        text.push('=');
        encode(value.as_bytes(), &mut text);
    }
    text
}

/// The lines of a claim; `None` when each says what is asked for anyway.
fn plain(headers: &HeaderMap, name: &HeaderName, asked: Asked<'_>) -> Option<String> {
    let lines = || headers.get_all(name).into_iter().map(|line| line.as_bytes());
    let says_it = |line: &[u8]| {
        std::str::from_utf8(line).is_ok_and(|line| asked.says(name.as_str(), line.trim()))
    };
    if lines().all(says_it) {
        return None;
    }
    Some(lines().map(String::from_utf8_lossy).collect::<Vec<_>>().join(", "))
}

impl Asked<'_> {
    /// Whether a claim says nothing new.
    fn says(self, name: &str, value: &str) -> bool {
        let name = name.strip_prefix("x-").unwrap_or(name);
        match name.strip_prefix("forwarded-").unwrap_or(name) {
            "proto" | "protocol" | "scheme" => value.eq_ignore_ascii_case(self.scheme),
            "ssl" => value == if self.scheme == "https" { "on" } else { "off" },
            "host" | "http-host-override" | "original-host" => self.is_host(value),
            "port" => value == self.port(),
            "original-url" | "rewrite-url" => value == self.path,
            "prefix" => value.is_empty(),
            _ => false,
        }
    }

    fn is_host(self, value: &str) -> bool {
        let bare = |host| match split_port(host) {
            (name, Some(port)) if port == default_port(self.scheme) => name,
            _ => host,
        };
        bare(value).eq_ignore_ascii_case(bare(self.host))
    }

    fn port(&self) -> &str {
        split_port(self.host).1.unwrap_or_else(|| default_port(self.scheme))
    }
}

fn default_port(scheme: &str) -> &'static str {
    if scheme == "https" { "443" } else { "80" }
}

/// The host, and the port if there is one (RFC 3986 §3.2); an IPv6 address keeps its brackets.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// What the elements of `Forwarded` say beside the hops (RFC 7239 §4); `None` when that is nothing
/// new.
fn forwarded(headers: &HeaderMap, asked: Asked<'_>) -> Option<String> {
    let mut is_new = false;
    let mut told = String::new();
    for element in list::items(headers, &FORWARDED) {
        let (first, rest) = list::parameters(element);
        // A parameter before the first `;` too: there is no value before them.
        for (name, value) in [first.split_once('=').unwrap_or((first, ""))].into_iter().chain(rest)
        {
            let name = name.trim().to_ascii_lowercase();
            let text = list::unquote(value.trim()).unwrap_or_else(|| value.into());
            is_new |= match name.as_str() {
                "" | "for" | "by" => continue,
                "proto" => !text.eq_ignore_ascii_case(asked.scheme),
                "host" => !asked.is_host(&text),
                _ => true,
            };
            // Writing to a String cannot fail.
            let _ = write!(told, "{name}={text};");
        }
        told.push(',');
    }
    is_new.then_some(told)
}

fn encode(value: &[u8], text: &mut String) {
    for byte in value {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            text.push(char::from(*byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const ASKED: Asked<'_> = Asked { scheme: "https", host: "a.test", path: "/x?y" };

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn what_is_asked_for_anyway_is_not_told() {
        for field in [
            ("x-forwarded-for", "1.2.3.4"),
            ("x-real-ip", "1.2.3.4"),
            ("x-forwarded-proto", "HTTPS"),
            ("x-forwarded-scheme", "https"),
            ("x-forwarded-ssl", "on"),
            ("x-forwarded-port", "443"),
            ("x-forwarded-host", "A.test:443"),
            ("x-host", "a.test"),
            ("x-forwarded-prefix", ""),
            ("x-original-url", "/x?y"),
            ("forwarded", "for=1.2.3.4;proto=https, for=\"[::1]\";by=_b;host=\"a.test:443\""),
            ("via", "1.1 b"),
        ] {
            assert_eq!(others(&headers(&[field]), ASKED), "", "{field:?}");
        }
    }

    #[test]
    fn what_differs_is_told() {
        for (name, value, told) in [
            ("x-forwarded-proto", "http", "x-forwarded-proto=http"),
            ("x-forwarded-proto", "https, http", "x-forwarded-proto=https%2C%20http"),
            ("x-forwarded-port", "8443", "x-forwarded-port=8443"),
            ("x-forwarded-host", "evil.test", "x-forwarded-host=evil.test"),
            ("x-forwarded-prefix", "/a&x-host=b", "x-forwarded-prefix=%2Fa%26x-host%3Db"),
            ("x-original-url", "/x", "x-original-url=%2Fx"),
            ("x-rewrite-url", "/é", "x-rewrite-url=%2F%C3%A9"),
            ("x-forwarded-server", "p1", "x-forwarded-server=p1"),
            ("forwarded", "for=a;PROTO=http", "forwarded=proto%3Dhttp%3B%2C"),
            ("forwarded", "for=a, for=b;x=\"1\"", "forwarded=%2Cx%3D1%3B%2C"),
            ("forwarded", "nonsense", "forwarded=nonsense%3D%3B%2C"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(
                name,
                HeaderValue::from_str(value)
                    .unwrap_or_else(|_| HeaderValue::from_bytes(value.as_bytes()).unwrap()),
            );
            assert_eq!(others(&headers, ASKED), told, "{name}: {value}");
        }
        let one = headers(&[("x-host", "b"), ("x-forwarded-port", "1")]);
        let same = headers(&[("x-forwarded-port", "1"), ("x-host", "b")]);
        assert_eq!(others(&one, ASKED), "x-forwarded-port=1&x-host=b");
        assert_eq!(others(&one, ASKED), others(&same, ASKED));
    }

    #[test]
    fn scheme_and_host_are_taken_only_where_they_are_plain() {
        for (value, told) in [
            ("http", Some("http")),
            (" HTTPS", Some("https")),
            ("gopher", None),
            ("http,https", None),
        ] {
            assert_eq!(scheme(&headers(&[("x-forwarded-proto", value)])), told);
        }
        assert_eq!(scheme(&headers(&[("x-forwarded-proto", "http"); 2])), None);
        for (value, told) in [("a:1", Some("a:1")), ("a, b", None), ("", None)] {
            assert_eq!(host(&headers(&[("x-forwarded-host", value)])), told);
        }
    }
}
