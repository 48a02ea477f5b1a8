//! The client's address, as far as the proxies in front of us are trusted to tell it.

use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, HeaderMap, HeaderName};

use crate::list;
use crate::network::{Network, NetworkError};

/// The field that most proxies write.
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// How many hops are looked at; nobody has as many trusted proxies in a row.
const MAX_HOPS: usize = 64;

/// The address of the client behind trusted proxies; the server puts it into the request's
/// extensions, so that limits, logs and balancing all mean the same client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddr(pub IpAddr);

/// The networks whose proxies are trusted to tell the truth about the hop before them.
///
/// In a configuration file it is a list of texts: `["10.0.0.0/8", "::1"]`. Default: none, so that
/// nobody is believed. Danger: a network in which clients live lets them choose their address.
///
/// ```
/// use http::header::{HeaderMap, HeaderValue};
/// use vhttp::TrustedProxies;
///
/// let trusted = TrustedProxies::parse(["10.0.0.0/8"]).unwrap();
/// let mut headers = HeaderMap::new();
/// headers.insert("x-forwarded-for", HeaderValue::from_static("1.1.1.1, 203.0.113.7, 10.0.0.2"));
///
/// // 10.0.0.1 and 10.0.0.2 are ours; what 203.0.113.7 said of the hop before it is hearsay.
/// let client = trusted.client("10.0.0.1".parse().unwrap(), &headers);
/// assert_eq!(client.to_string(), "203.0.113.7");
/// // A stranger is not believed at all.
/// let client = trusted.client("198.51.100.1".parse().unwrap(), &headers);
/// assert_eq!(client.to_string(), "198.51.100.1");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct TrustedProxies {
    networks: Vec<Network>,
}

impl TrustedProxies {
    /// Trusts these networks.
    #[must_use]
    pub fn new(networks: impl IntoIterator<Item = Network>) -> Self {
        Self { networks: networks.into_iter().collect() }
    }

    /// Trusts these networks, each written as [`Network`] reads it.
    ///
    /// # Errors
    ///
    /// Fails at the first text that is not a network.
    pub fn parse<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Self, NetworkError> {
        let networks = texts.into_iter().map(|text| text.as_ref().parse());
        networks.collect::<Result<_, _>>().map(|networks| Self { networks })
    }

    /// Whether the proxy at `address` is trusted.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }

    /// The client of a request that came from `peer`.
    ///
    /// Walks `X-Forwarded-For`, or `Forwarded` when the former is absent, from the right, and only
    /// through trusted hops: the first address that is not trusted is the client. An entry that is
    /// no address ends the walk at the hop that wrote it. A proxy that writes `Forwarded` only must
    /// drop the `X-Forwarded-For` that clients send.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.contains(peer) {
            return peer;
        }
        if headers.contains_key(&X_FORWARDED_FOR) {
            self.walk(peer, x_forwarded_for(headers))
        } else {
            self.walk(peer, forwarded_for(headers))
        }
    }

    fn walk(&self, peer: IpAddr, hops: impl Iterator<Item = Option<IpAddr>>) -> IpAddr {
        let mut client = peer;
        for hop in hops.take(MAX_HOPS) {
            let Some(hop) = hop else { break };
            client = hop;
            if !self.contains(hop) {
                break;
            }
        }
        client
    }
}

/// The hops of `X-Forwarded-For`, last one first.
fn x_forwarded_for(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let lines = headers.get_all(X_FORWARDED_FOR).into_iter().rev();
    let hops = lines.flat_map(|line| line.as_bytes().rsplit(|b| *b == b','));
    hops.map(|hop| std::str::from_utf8(hop).ok().and_then(address))
}

/// The hops of `Forwarded`, last one first (RFC 7239 §4).
fn forwarded_for(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let lines = headers.get_all(FORWARDED).into_iter().rev();
    let elements = lines.flat_map(|line| {
        let elements: Vec<_> = list::split(line.as_bytes()).collect();
        elements.into_iter().rev()
    });
    elements.map(|element| {
        let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
        let mut nodes = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
        let node = list::unquote(nodes.next()?.1.trim())?;
        address(&node)
    })
}

/// An address with or without a port, in brackets or not; `None` for `unknown` and `_names`.
pub(crate) fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = match bare.unwrap_or(text).parse() {
        Ok(address) => address,
        Err(_) => text.parse::<SocketAddr>().ok()?.ip(),
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests;
