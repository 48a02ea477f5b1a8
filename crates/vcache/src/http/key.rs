//! The primary key: scheme, authority, path and query.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use http::header::HOST;
use http::uri::{Authority, PathAndQuery};
use http::{Extensions, HeaderMap, Uri};
use vhttp::Connection;

/// What responses are stored under: the target URI without the method (RFC 9111 §2).
///
/// The scheme and authority are in lower case and without the default port; path and query are
/// exactly the bytes that came, nothing decoded and nothing merged. Clones share one text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Arc<str>);

impl Key {
    /// The key of a request; `None` when it does not say for certain which host it is for: no
    /// `Host` and no absolute URI, several `Host` lines, or something that is no host.
    ///
    /// The scheme is that of the [`Connection`] in the extensions: what a client writes into its
    /// URI must not fill the other scheme's key. Without one it is the URI's, else `http`.
    #[must_use]
    pub fn of(uri: &Uri, headers: &HeaderMap, extensions: &Extensions) -> Option<Self> {
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let scheme = match extensions.get::<Connection>() {
            Some(connection) => connection.scheme(),
            None => uri.scheme_str().unwrap_or("http"),
        };
        if let Some(authority) = uri.authority() {
            return Self::new(scheme, authority.as_str(), path);
        }
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return None;
        };
        Self::new(scheme, host.to_str().ok()?, path)
    }

    /// The key of an absolute URL; its fragment does not count.
    #[must_use]
    pub fn of_url(url: &str) -> Option<Self> {
        let url = url.split('#').next().unwrap_or(url);
        let uri: Uri = url.parse().ok()?;
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        Self::new(uri.scheme_str()?, uri.authority().map(Authority::as_str)?, path)
    }

    /// The key that a text is.
    pub(crate) fn from_text(text: String) -> Self {
        Self(text.into())
    }

    fn new(scheme: &str, authority: &str, path: &str) -> Option<Self> {
        if authority.is_empty() || !authority.bytes().all(is_host_byte) {
            return None;
        }
        let default = match scheme {
            s if s.eq_ignore_ascii_case("http") => ":80",
            s if s.eq_ignore_ascii_case("https") => ":443",
            _ => ":",
        };
        let host = authority
            .strip_suffix(default)
            .or_else(|| authority.strip_suffix(':'))
            .unwrap_or(authority);
        let slash = if path.starts_with('/') { "" } else { "/" };
        let mut text = String::with_capacity(scheme.len() + host.len() + path.len() + 4);
        text.push_str(scheme);
        text.push_str("://");
        text.push_str(host);
        text.make_ascii_lowercase();
        text.push_str(slash);
        text.push_str(path);
        Some(Self(text.into()))
    }

    /// The key as a URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `scheme://authority`, and the rest.
    #[must_use]
    pub fn split_origin(&self) -> (&str, &str) {
        let authority = self.0.find("://").map_or(0, |at| at + 3);
        let path = self.0.get(authority..).and_then(|rest| rest.find('/'));
        let end = path.map_or(self.0.len(), |at| authority + at);
        self.0.split_at_checked(end).unwrap_or((&self.0, ""))
    }
}

/// What a host with a port may be made of (RFC 3986 §3.2.2); no user information.
const fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'.' | b'-' | b'_' | b'~' | b':' | b'[' | b']' | b'%')
        || matches!(
            byte,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'='
        )
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn key(uri: &str, hosts: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_static(host));
        }
        Key::of(&uri.parse().unwrap(), &headers, &Extensions::new()).map(|k| k.0.to_string())
    }

    #[test]
    fn the_same_resource_has_one_key() {
        for (uri, hosts, expected) in [
            ("/a?b=C", &["Example.com"][..], "http://example.com/a?b=C"),
            ("/", &["example.com:80"], "http://example.com/"),
            ("/", &["example.com:"], "http://example.com/"),
            ("/", &["example.com:8080"], "http://example.com:8080/"),
            ("HTTPS://Example.com:443/%7e/../A", &[], "https://example.com/%7e/../A"),
            ("http://a.test/", &["b.test"], "http://a.test/"),
            ("/", &["[::1]:80"], "http://[::1]/"),
        ] {
            assert_eq!(key(uri, hosts).as_deref(), Some(expected), "{uri} {hosts:?}");
        }
    }

    #[test]
    fn an_uncertain_host_has_none() {
        for hosts in [&[][..], &["a", "b"], &["a", "a"], &[""], &["a@b"], &["a/b"], &["a b"]] {
            assert_eq!(key("/", hosts), None, "{hosts:?}");
        }
    }

    #[test]
    fn the_scheme_is_the_connections_whatever_the_client_writes() {
        let address = "127.0.0.1:1".parse().unwrap();
        let mut extensions = Extensions::new();
        extensions.insert(Connection::new(address, address, true));
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("a:443"));
        for uri in ["/x", "http://a:443/x", "https://a/x"] {
            let key = Key::of(&uri.parse().unwrap(), &headers, &extensions).unwrap();
            assert_eq!(key.as_str(), "https://a/x");
            assert_eq!(key.split_origin(), ("https://a", "/x"));
        }
    }
}
