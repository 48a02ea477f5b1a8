//! The primary key: scheme, authority, path and query.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use http::header::HOST;
use http::uri::{Authority, PathAndQuery};
use http::{Extensions, HeaderMap, Uri};
use vhttp::claims::{self, Asked};
use vhttp::{Connection, Vouched};

/// What responses are stored under: the target URI without the method (RFC 9111 §2).
///
/// The scheme and authority are in lower case and without the default port; path and query are
/// exactly the bytes that came, nothing decoded and nothing merged. What forwarding fields claim
/// beside that (`X-Forwarded-Prefix`, say) stands behind a `#`, because an origin may answer by it;
/// [`url`](Self::url) is the key without. Clones share one text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Arc<str>);

impl Key {
    /// The key of a request; `None` when it does not say for certain which host it is for: no
    /// `Host` and no absolute URI, several `Host` lines, or something that is no host.
    ///
    /// The scheme is that of the [`Connection`] in the extensions: what a client writes into its
    /// URI must not fill the other scheme's key. Without one it is the URI's, else `http`.
    ///
    /// Where the extensions say that the forwarding fields can be believed ([`Vouched`]), scheme
    /// and host are those of `X-Forwarded-Proto` and `X-Forwarded-Host`.
    #[must_use]
    pub fn of(uri: &Uri, headers: &HeaderMap, extensions: &Extensions) -> Option<Self> {
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let vouched = extensions.get::<Vouched>().is_some();
        let scheme = match (claims::scheme(headers).filter(|_| vouched), extensions.get()) {
            (Some(told), _) => told,
            (None, Some(connection)) => Connection::scheme(connection),
            (None, None) => uri.scheme_str().unwrap_or("http"),
        };
        let host = host(uri, headers)?;
        let told = claims::host(headers).filter(|told| vouched && is_host(told));
        let authority = bare(scheme, told.unwrap_or(host));
        let mut others = claims::others(headers, Asked { scheme, host: authority, path });
        if !bare(scheme, host).eq_ignore_ascii_case(authority) {
            others.push_str("&host=");
            others.push_str(&host.to_ascii_lowercase());
        }
        Self::new(scheme, authority, path, &others)
    }

    /// The key of an absolute URL; its fragment does not count.
    #[must_use]
    pub fn of_url(url: &str) -> Option<Self> {
        let url = url.split('#').next().unwrap_or(url);
        let uri: Uri = url.parse().ok()?;
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        Self::new(uri.scheme_str()?, uri.authority().map(Authority::as_str)?, path, "")
    }

    /// The key that a text is.
    pub(crate) fn from_text(text: String) -> Self {
        Self(text.into())
    }

    fn new(scheme: &str, authority: &str, path: &str, claims: &str) -> Option<Self> {
        if !is_host(authority) {
            return None;
        }
        let host = bare(scheme, authority);
        let slash = if path.starts_with('/') { "" } else { "/" };
        let length = scheme.len() + host.len() + path.len() + claims.len() + 5;
        let mut text = String::with_capacity(length);
        text.push_str(scheme);
        text.push_str("://");
        text.push_str(host);
        text.make_ascii_lowercase();
        text.push_str(slash);
        text.push_str(path);
        if !claims.is_empty() {
            text.push('#');
            text.push_str(claims);
        }
        Some(Self(text.into()))
    }

    /// The key as a URL, without what forwarding fields claim beside it.
    #[must_use]
    pub fn url(&self) -> &str {
        self.split_claims().0
    }

    /// The key of the URL alone.
    pub(crate) fn plain(&self) -> Self {
        match self.split_claims() {
            (_, "") => self.clone(),
            (url, _) => Self(url.into()),
        }
    }

    /// Whether anything is claimed beside the URL.
    pub(crate) fn has_claims(&self) -> bool {
        !self.split_claims().1.is_empty()
    }

    /// The URL, and what is claimed beside it: empty, or a `#` and more.
    pub(crate) fn split_claims(&self) -> (&str, &str) {
        // No path has a `#` (RFC 3986 §3.5).
        let end = self.0.find('#').unwrap_or(self.0.len());
        self.0.split_at_checked(end).unwrap_or((&self.0, ""))
    }

    /// The whole text.
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

/// The host that a request names: its target's before `Host` (RFC 9112 §3.2.2).
fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    if let Some(authority) = uri.authority() {
        return Some(authority.as_str());
    }
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().filter(|_| hosts.next().is_none())?;
    host.to_str().ok()
}

/// The authority without the scheme's own port.
fn bare<'a>(scheme: &str, authority: &'a str) -> &'a str {
    let default = match scheme {
        s if s.eq_ignore_ascii_case("http") => ":80",
        s if s.eq_ignore_ascii_case("https") => ":443",
        _ => ":",
    };
    let bare = authority.strip_suffix(default).or_else(|| authority.strip_suffix(':'));
    bare.unwrap_or(authority)
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_host_byte)
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

    fn claimed(vouched: bool, fields: &[(&'static str, &'static str)]) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("a"));
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let mut extensions = Extensions::new();
        if vouched {
            extensions.insert(Vouched::new());
        }
        let key = Key::of(&"/x?y".parse().unwrap(), &headers, &extensions).unwrap();
        assert_eq!(key.split_claims().0, key.url());
        assert_eq!(Key::of_url(key.as_str()).unwrap().as_str(), key.url());
        key.as_str().to_owned()
    }

    #[test]
    fn claims_that_can_be_believed_are_the_url_and_the_others_stand_behind_it() {
        let (proto, host) = (("x-forwarded-proto", "https"), ("x-forwarded-host", "B:443"));
        for (fields, vouched, expected) in [
            (&[proto][..], true, "https://a/x?y"),
            (&[proto], false, "http://a/x?y#x-forwarded-proto=https"),
            (&[proto, host], true, "https://b/x?y#&host=a"),
            (&[host], false, "http://a/x?y#x-forwarded-host=B%3A443"),
            (&[("x-forwarded-proto", "ftp")], true, "http://a/x?y#x-forwarded-proto=ftp"),
            (&[("x-forwarded-host", "c/d")], true, "http://a/x?y#x-forwarded-host=c%2Fd"),
            (&[("x-forwarded-for", "1.2.3.4"), ("x-real-ip", "1.2.3.4")], true, "http://a/x?y"),
            (&[proto, ("x-forwarded-port", "443")], true, "https://a/x?y"),
            (&[("x-forwarded-prefix", "/p?")], true, "http://a/x?y#x-forwarded-prefix=%2Fp%3F"),
        ] {
            assert_eq!(claimed(vouched, fields), expected, "{fields:?}");
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
