//! An origin: scheme, host and port, and its look-up without an allocation.

use std::fmt;
use std::hash::{Hash, Hasher};

use hashbrown::Equivalent;
use http::Uri;
use http::uri::Scheme;

/// Where requests go: scheme, host and port (RFC 6454 §4). Hosts compare without regard to case.
#[derive(Clone, Debug)]
pub struct Origin {
    tls: bool,
    host: Box<str>,
    port: u16,
}

impl Origin {
    /// Whether the scheme is `https`.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.tls
    }

    /// The host as it stood in the URI; an IPv6 address without its brackets.
    #[must_use]
    pub const fn host(&self) -> &str {
        &self.host
    }

    /// The port, the scheme's own when the URI had none.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    const fn borrowed(&self) -> OriginRef<'_> {
        OriginRef { tls: self.tls, host: &self.host, port: self.port }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        let (host, port) = (&self.host, self.port);
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}")
        } else {
            write!(f, "{scheme}://{host}:{port}")
        }
    }
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        self.borrowed() == other.borrowed()
    }
}

impl Eq for Origin {}

impl Hash for Origin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.borrowed().hash(state);
    }
}

/// An origin as it stands in a request's URI.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OriginRef<'a> {
    tls: bool,
    host: &'a str,
    port: u16,
}

impl<'a> OriginRef<'a> {
    /// The origin of an absolute-form URI; what is missing or unknown otherwise.
    pub(crate) fn of(uri: &'a Uri) -> Result<Self, &'static str> {
        let scheme = uri.scheme().ok_or("the URI has no scheme and authority")?;
        let tls = if *scheme == Scheme::HTTP {
            false
        } else if *scheme == Scheme::HTTPS {
            true
        } else {
            return Err("the URI's scheme is neither http nor https");
        };
        let host = uri.host().ok_or("the URI has no host")?;
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let host = bare.unwrap_or(host);
        if host.is_empty() {
            return Err("the URI's host is empty");
        }
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { tls, host, port })
    }

    pub(crate) const fn is_tls(self) -> bool {
        self.tls
    }

    pub(crate) fn to_origin(self) -> Origin {
        Origin { tls: self.tls, host: self.host.into(), port: self.port }
    }
}

impl PartialEq for OriginRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.tls == other.tls
            && self.port == other.port
            && self.host.eq_ignore_ascii_case(other.host)
    }
}

/// How much of a host is hashed at a time.
const CHUNK: usize = 32;

impl Hash for OriginRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.tls.hash(state);
        self.port.hash(state);
        // Hashers take a chunk for little more than a byte; the zeros behind the end do no harm.
        for chunk in self.host.as_bytes().chunks(CHUNK) {
            let mut lower = [0; CHUNK];
            for (low, byte) in lower.iter_mut().zip(chunk) {
                *low = byte.to_ascii_lowercase();
            }
            state.write(&lower);
        }
    }
}

impl Equivalent<Origin> for OriginRef<'_> {
    fn equivalent(&self, key: &Origin) -> bool {
        *self == key.borrowed()
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    use super::*;

    fn origin(uri: &'static str) -> Origin {
        OriginRef::of(&Uri::from_static(uri)).unwrap().to_origin()
    }

    #[test]
    fn origins_are_told_apart_as_rfc_6454_says() {
        for (a, b, same) in [
            ("http://a/x", "http://A:80/y?z", true),
            ("https://a", "https://a:443", true),
            ("http://u:p@a", "http://a", true),
            ("http://a", "https://a", false),
            ("http://a:81", "http://a", false),
            ("http://[::1]", "http://[::1]:80", true),
        ] {
            assert_eq!(origin(a) == origin(b), same, "{a} {b}");
            let hash = RandomState::new();
            let hashes = (hash.hash_one(origin(a)), hash.hash_one(origin(b)));
            assert_eq!(hashes.0 == hashes.1, same, "{a} {b}");
        }
    }

    #[test]
    fn an_origin_is_written_as_a_uri() {
        assert_eq!(origin("http://[::1]/").to_string(), "http://[::1]:80");
        assert_eq!(origin("https://a.b:8443/").to_string(), "https://a.b:8443");
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for uri in ["/path", "ftp://a/", "a:80", "*"] {
            assert!(OriginRef::of(&uri.parse().unwrap()).is_err(), "{uri}");
        }
    }
}
