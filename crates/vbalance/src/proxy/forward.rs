//! The head of a request as the origin gets it.

use std::net::{Ipv4Addr, SocketAddr};

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING,
    UPGRADE, VIA,
};
use http::request::Parts;
use http::uri::{self, PathAndQuery};
use http::{Method, StatusCode, Uri, Version};
use http_body::Body as HttpBody;
use vhttp::{Body, Connection, Forwarding, Reject, TrustedProxies, Vouched, hop};

use crate::address::Address;
use crate::error::BuildError;
use crate::proxy::config::{HostPolicy, ProxyConfig};
use crate::proxy::via::Via;

/// How heads are rewritten.
#[derive(Debug)]
pub(crate) struct Forward {
    pub(crate) host: HostPolicy,
    pub(crate) via: Option<Via>,
    pub(crate) forwarding: Forwarding,
    pub(crate) trusted: TrustedProxies,
}

/// What the origin sees of a request, but for the endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    path: PathAndQuery,
    /// The host that the client asked for; `None` when the endpoint's own is sent.
    host: Option<HeaderValue>,
}

impl Forward {
    pub(crate) fn new(config: &ProxyConfig, trusted: TrustedProxies) -> Result<Self, BuildError> {
        let forwarding = config.forwarding.clone();
        Ok(Self { via: config.via()?, host: config.host, forwarding, trusted })
    }

    /// Makes the head fit to be passed on, as far as that was not done before the cache; `upgrade`
    /// keeps the offer of a WebSocket.
    pub(crate) fn prepare(
        &self,
        parts: &mut Parts,
        body: &Body,
        upgrade: bool,
    ) -> Result<Target, Reject> {
        screen(parts)?;
        let path = path(&parts.uri)?;
        let host = requested_host(parts)?;
        if parts.extensions.remove::<Vouched>().is_none() {
            self.rewrite(parts, host.as_ref(), upgrade);
        }
        frame(parts, body);
        parts.version = Version::HTTP_11;
        parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
        let host = host.filter(|_| self.host == HostPolicy::Preserve);
        Ok(Target { path, host })
    }

    /// Makes the fields what the origin will see, ahead of [`prepare`](Self::prepare), and says
    /// so. What that would refuse stays as it is.
    pub(crate) fn vouch(&self, parts: &mut Parts, upgrade: bool) {
        if let (Ok(()), Ok(host)) = (screen(parts), requested_host(parts)) {
            self.rewrite(parts, host.as_ref(), upgrade);
            parts.extensions.insert(Vouched::new());
        }
    }

    /// Removes what belongs to the client's connection first and writes our own fields then
    /// (CVE-2022-31813 is the reverse order).
    fn rewrite(&self, parts: &mut Parts, host: Option<&HeaderValue>, upgrade: bool) {
        hop::remove_from_request(&mut parts.headers);
        // The expectation is ours to meet (RFC 9110 §10.1.1): the server under us sends
        // `100 Continue` as soon as the body is read, and no origin gets to see a malformed one.
        parts.headers.remove(EXPECT);
        self.tell_the_way(parts, host);
        join_cookies(parts);
        if upgrade {
            offer_websocket(&mut parts.headers);
        }
    }

    /// Who asked (`X-Forwarded-*`, `Forwarded`) and by which way (`Via`, RFC 9110 §7.6.3).
    fn tell_the_way(&self, parts: &mut Parts, host: Option<&HeaderValue>) {
        let host = host.filter(|host| host.to_str().is_ok());
        let headers = &mut parts.headers;
        match parts.extensions.get::<Connection>() {
            Some(connection) => {
                let trusted = self.trusted.contains(connection.peer.ip());
                self.forwarding.apply(headers, connection, trusted, host);
            }
            // Nobody knows the peer, so nobody vouches for what it says.
            None => drop_claims(headers),
        }
        if let Some(via) = &self.via {
            headers.append(VIA, via.value(parts.version));
        }
    }
}

impl Target {
    /// Points a head at one endpoint.
    pub(crate) fn aim(
        &self,
        parts: &mut Parts,
        address: &Address,
    ) -> Result<(), uri::InvalidUriParts> {
        let mut uri = uri::Parts::default();
        uri.scheme = Some(address.scheme().clone());
        uri.authority = Some(address.authority().clone());
        uri.path_and_query = Some(self.path.clone());
        parts.uri = Uri::from_parts(uri)?;
        let host = self.host.as_ref().unwrap_or_else(|| address.host());
        parts.headers.insert(HOST, host.clone());
        Ok(())
    }
}

/// Refuses what cannot be passed on unambiguously.
fn screen(parts: &Parts) -> Result<(), Reject> {
    if parts.method == Method::CONNECT {
        return Err(Reject::new(StatusCode::NOT_IMPLEMENTED, "method-unsupported"));
    }
    let mut lines = parts.headers.get_all(TRANSFER_ENCODING).into_iter();
    let (first, second) = (lines.next(), lines.next());
    let chunked =
        |line: &HeaderValue| line.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    if second.is_some() || first.is_some_and(|line| !chunked(line)) {
        // A coding that we do not take off and the origin may not know (RFC 9112 §6.1).
        let reject = Reject::new(StatusCode::NOT_IMPLEMENTED, "coding-unsupported");
        return Err(reject.detail("only a single chunked transfer coding is supported"));
    }
    Ok(())
}

/// Path and query as received; the root for a target without a path.
fn path(uri: &Uri) -> Result<PathAndQuery, Reject> {
    let bad = || Reject::new(StatusCode::BAD_REQUEST, "bad-target");
    let Some(path) = uri.path_and_query() else {
        return Ok(PathAndQuery::from_static("/"));
    };
    if path.as_str().starts_with('/') {
        return Ok(path.clone());
    }
    if path.as_str().is_empty() || path.as_str().starts_with('?') {
        return format!("/{}", path.as_str()).parse().map_err(|_| bad());
    }
    Err(bad().detail("the target is not a path"))
}

/// The host that the client asked for: the target's own authority before `Host` (RFC 9112 §3.2.2).
fn requested_host(parts: &Parts) -> Result<Option<HeaderValue>, Reject> {
    if let Some(authority) = parts.uri.authority() {
        let text = authority.as_str();
        let host = text.rsplit_once('@').map_or(text, |(_, host)| host);
        return Ok(HeaderValue::from_str(host).ok());
    }
    let mut lines = parts.headers.get_all(HOST).into_iter();
    let first = lines.next();
    if lines.next().is_some() {
        let reject = Reject::new(StatusCode::BAD_REQUEST, "bad-host");
        return Err(reject.detail("more than one Host"));
    }
    Ok(first.filter(|host| !host.is_empty()).cloned())
}

/// Drops every forwarding field that the client sent, and writes none.
fn drop_claims(headers: &mut HeaderMap) {
    let nothing = Forwarding { x_forwarded: false, x_real_ip: false, forwarded: false };
    let nobody = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let connection = Connection::new(nobody, nobody, false);
    nothing.apply(headers, &connection, false, None);
}

/// Joins the crumbs of a cookie, which HTTP/2 may split (RFC 9113 §8.2.3).
fn join_cookies(parts: &mut Parts) {
    if parts.version < Version::HTTP_2 || parts.headers.get_all(COOKIE).iter().count() < 2 {
        return;
    }
    let crumbs: Vec<_> = parts.headers.get_all(COOKIE).iter().collect();
    let crumbs: Vec<_> = crumbs.iter().map(|crumb| crumb.as_bytes()).collect();
    if let Ok(cookie) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        parts.headers.insert(COOKIE, cookie);
    }
}

/// Announces a body of unknown length where HTTP/1 clients would otherwise assume none.
fn frame(parts: &mut Parts, body: &Body) {
    let rare = matches!(parts.method, Method::GET | Method::HEAD);
    let unknown = !body.is_end_stream() && body.size_hint().exact().is_none();
    if rare && unknown && !parts.headers.contains_key(CONTENT_LENGTH) {
        let chunked = HeaderValue::from_static("chunked");
        parts.headers.insert(TRANSFER_ENCODING, chunked);
    }
}

/// Offers a change to the WebSocket protocol (RFC 6455 §4.1).
pub(crate) fn offer_websocket(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

#[cfg(test)]
mod tests;
