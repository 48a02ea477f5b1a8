//! Who is asking: an address, a field, a route, or what a closure says.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ::http::{Extensions, HeaderMap, HeaderName, Method, Request, Uri};
use vhttp::{ClientAddr, Connection, Timeline};

use crate::config::{Config, KeySource};
use crate::error::BuildError;
use crate::key::Key;

/// What a closure sees of a request: all but the body.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Head<'a> {
    /// The method.
    pub method: &'a Method,
    /// The target.
    pub uri: &'a Uri,
    /// The fields.
    pub headers: &'a HeaderMap,
    /// The extensions: connection, client address, timeline.
    pub extensions: &'a Extensions,
}

impl<'a> Head<'a> {
    pub(crate) fn of<B>(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }
}

type Closure = Arc<dyn Fn(&Head<'_>) -> Option<String> + Send + Sync>;

/// Whose units a request spends.
///
/// Where a request does not have what the key is made of, it counts by its client's address; and
/// where that is not known either, all such requests share one key.
#[derive(Clone)]
pub struct KeyBy {
    source: Source,
    ipv6_prefix: u8,
}

#[derive(Clone)]
enum Source {
    Client,
    Header(HeaderName),
    Route,
    Fixed(Arc<str>),
    Closure(Closure),
}

impl KeyBy {
    const fn new(source: Source) -> Self {
        Self { source, ipv6_prefix: 64 }
    }

    /// By the client's address: [`vhttp::ClientAddr`] in the request's extensions if it is
    /// there, else the peer of [`vhttp::Connection`]. Behind a proxy the latter is the proxy, so
    /// that all clients share one key: let something write the former.
    #[must_use]
    pub const fn client() -> Self {
        Self::new(Source::Client)
    }

    /// By the value of a field, such as `x-api-key`; of several, the first counts.
    #[must_use]
    pub const fn header(name: HeaderName) -> Self {
        Self::new(Source::Header(name))
    }

    /// By the route's name in the request's [`vhttp::Timeline`].
    #[must_use]
    pub const fn route() -> Self {
        Self::new(Source::Route)
    }

    /// One key for all requests.
    #[must_use]
    pub fn fixed(key: impl Into<Arc<str>>) -> Self {
        Self::new(Source::Fixed(key.into()))
    }

    /// By what `key` says of the request; `None` counts by the client's address.
    #[must_use]
    pub fn closure(key: impl Fn(&Head<'_>) -> Option<String> + Send + Sync + 'static) -> Self {
        Self::new(Source::Closure(Arc::new(key)))
    }

    /// How many bits of an IPv6 address make a client, instead of 64.
    #[must_use]
    pub const fn ipv6_prefix(mut self, bits: u8) -> Self {
        self.ipv6_prefix = bits;
        self
    }

    /// As settings say it.
    ///
    /// # Errors
    ///
    /// Fails when the header's name cannot be one.
    pub fn from_config(config: &Config) -> Result<Self, BuildError> {
        let key = match &config.key {
            KeySource::Client => Self::client(),
            KeySource::Route => Self::route(),
            KeySource::Header(name) => {
                let parsed = name.parse();
                Self::header(parsed.map_err(|_| BuildError::Header { name: name.clone() })?)
            }
        };
        Ok(key.ipv6_prefix(config.ipv6_prefix))
    }

    /// Makes the key and gives it to `then`, so that borrowed keys need no copy.
    pub(crate) fn with<T>(&self, head: Head<'_>, then: impl FnOnce(Key<'_>) -> T) -> T {
        match &self.source {
            Source::Client => then(self.address(head)),
            Source::Header(name) => match head.headers.get(name) {
                Some(value) => then(Key::Bytes(value.as_bytes())),
                None => then(self.address(head)),
            },
            Source::Route => match route(head) {
                Some(route) => then(Key::from(&*route)),
                None => then(self.address(head)),
            },
            Source::Fixed(key) => then(Key::from(&**key)),
            Source::Closure(key) => match key(&head) {
                Some(key) => then(Key::from(&*key)),
                None => then(self.address(head)),
            },
        }
    }

    fn address(&self, head: Head<'_>) -> Key<'static> {
        match client(head.extensions) {
            Some(address) => Key::client(address, self.ipv6_prefix),
            None => Key::Bytes(b""),
        }
    }
}

fn client(extensions: &Extensions) -> Option<IpAddr> {
    let resolved = extensions.get::<ClientAddr>().map(|client| client.0);
    resolved.or_else(|| extensions.get::<Connection>().map(|c| c.peer.ip()))
}

fn route(head: Head<'_>) -> Option<Arc<str>> {
    head.extensions.get::<Timeline>()?.look(|record| record.route.clone())
}

impl fmt::Debug for KeyBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match &self.source {
            Source::Client => "client",
            Source::Header(name) => name.as_str(),
            Source::Route => "route",
            Source::Fixed(_) => "fixed",
            Source::Closure(_) => "closure",
        };
        f.debug_struct("KeyBy")
            .field("source", &source)
            .field("ipv6_prefix", &self.ipv6_prefix)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(by: &KeyBy, request: &Request<()>) -> String {
        by.with(Head::of(request), |key| key.to_string())
    }

    fn request(address: &str) -> Request<()> {
        let mut request = Request::new(());
        let peer = "198.51.100.1:80".parse().unwrap();
        let extensions = request.extensions_mut();
        extensions.insert(Connection::new(peer, peer, false));
        if !address.is_empty() {
            extensions.insert(ClientAddr(address.parse().unwrap()));
        }
        request
    }

    #[test]
    fn the_resolved_client_comes_before_the_peer() {
        let by = KeyBy::client();
        assert_eq!(key_of(&by, &request("192.0.2.7")), "ip:192.0.2.7");
        assert_eq!(key_of(&by, &request("")), "ip:198.51.100.1");
        assert_eq!(key_of(&by, &Request::new(())), "b:");
        let v6 = request("2001:db8::1:2:3:4");
        assert_eq!(key_of(&by, &v6), "ip:2001:db8::");
        assert_eq!(key_of(&by.ipv6_prefix(128), &v6), "ip:2001:db8::1:2:3:4");
    }

    #[test]
    fn what_a_request_lacks_is_replaced_by_its_address() {
        let header = KeyBy::header(HeaderName::from_static("x-api-key"));
        let closure = KeyBy::closure(|head| head.uri.query().map(str::to_owned));
        let mut asked = request("192.0.2.7");
        for by in [&header, &closure, &KeyBy::route()] {
            assert_eq!(key_of(by, &asked), "ip:192.0.2.7");
        }
        asked.headers_mut().insert("x-api-key", "k".parse().unwrap());
        *asked.uri_mut() = "/a?q".parse().unwrap();
        let timeline = Timeline::new();
        timeline.update(|record| record.route = Some(Arc::from("r")));
        asked.extensions_mut().insert(timeline);
        assert_eq!(key_of(&header, &asked), "b:k");
        assert_eq!(key_of(&closure, &asked), "b:q");
        assert_eq!(key_of(&KeyBy::route(), &asked), "b:r");
        assert_eq!(key_of(&KeyBy::fixed("all"), &asked), "b:all");
    }

    #[test]
    fn settings_name_the_source() {
        for (source, wanted) in [
            (KeySource::Client, Ok("client")),
            (KeySource::Route, Ok("route")),
            (KeySource::Header("X-Key".to_owned()), Ok("x-key")),
            (KeySource::Header("a b".to_owned()), Err(())),
        ] {
            let config = Config { key: source, ..Config::default() };
            let by = KeyBy::from_config(&config).map_err(|_| ());
            let by = by.map(|by| format!("{by:?}"));
            assert_eq!(by.is_ok(), wanted.is_ok());
            if let (Ok(by), Ok(wanted)) = (by, wanted) {
                assert!(by.contains(&format!("{wanted:?}")), "{by}");
            }
        }
    }
}
