//! `X-Forwarded-*` and `Forwarded` made from each other (RFC 7239 §7.4), where a trusted proxy has
//! written only one of them: else we would contradict it in the other.

use std::borrow::Cow;

use http::header::{FORWARDED, HeaderMap, HeaderName, HeaderValue};

use crate::forwarded::address;
use crate::forwarding::fields::{
    X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO, push_host, push_node,
};
use crate::list;

/// What stands for a hop that is not told by its address (RFC 7239 §6.2).
const UNKNOWN: &str = "unknown";

/// Writes the `X-Forwarded-*` fields that are absent as `Forwarded` has them.
///
/// All hops count; scheme and host are those of the last element, which the trusted peer has
/// written: what stands before it the peer may have taken from anyone. Where `X-Forwarded-For` is
/// there, `Forwarded` is not read at all, as in
/// [`TrustedProxies::client`](crate::TrustedProxies::client).
pub(super) fn from_forwarded(headers: &mut HeaderMap) {
    if !headers.contains_key(FORWARDED) || headers.contains_key(X_FORWARDED_FOR) {
        return;
    }
    let mut hops = String::new();
    let mut last = Element::default();
    for element in list::items(headers, &FORWARDED) {
        last = Element::parse(element);
        if !hops.is_empty() {
            hops.push_str(", ");
        }
        hops.push_str(&last.node());
    }
    let told = [
        (X_FORWARDED_FOR, Some(hops).filter(|hops| !hops.is_empty())),
        (X_FORWARDED_PROTO, last.proto.filter(|scheme| is_scheme(scheme)).map(Cow::into_owned)),
        (X_FORWARDED_HOST, last.host.filter(|host| !host.is_empty()).map(Cow::into_owned)),
    ];
    for (name, value) in told {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.entry(name).or_insert(value);
        }
    }
}

/// Writes `Forwarded`, where it is absent, as `X-Forwarded-*` has it; scheme and host go to the
/// last hop of those that are told.
pub(super) fn from_x_forwarded(headers: &mut HeaderMap) {
    let told = [X_FORWARDED_FOR, X_FORWARDED_PROTO, X_FORWARDED_HOST];
    if headers.contains_key(FORWARDED) || !told.iter().any(|name| headers.contains_key(name)) {
        return;
    }
    let mut elements = String::new();
    for hop in list::items(headers, &X_FORWARDED_FOR) {
        if !elements.is_empty() {
            elements.push_str(", ");
        }
        push_hop(&mut elements, hop);
    }
    if elements.is_empty() {
        push_hop(&mut elements, UNKNOWN);
    }
    if let Some(host) = last_of(headers, &X_FORWARDED_HOST) {
        push_host(&mut elements, host);
    }
    if let Some(scheme) = last_of(headers, &X_FORWARDED_PROTO).filter(|text| is_scheme(text)) {
        elements.push_str(";proto=");
        elements.push_str(scheme);
    }
    if let Ok(value) = HeaderValue::try_from(elements) {
        headers.insert(FORWARDED, value);
    }
}

/// What an element of `Forwarded` tells (RFC 7239 §4); the first pair of a name counts.
#[derive(Default)]
struct Element<'a> {
    client: Option<Cow<'a, str>>,
    host: Option<Cow<'a, str>>,
    proto: Option<Cow<'a, str>>,
}

impl<'a> Element<'a> {
    fn parse(element: &'a str) -> Self {
        let mut parsed = Self::default();
        // A parameter before the first `;` too: there is no value before them.
        let (first, rest) = list::parameters(element);
        for (name, value) in first.split_once('=').into_iter().chain(rest) {
            let slot = match name.trim() {
                name if name.eq_ignore_ascii_case("for") => &mut parsed.client,
                name if name.eq_ignore_ascii_case("host") => &mut parsed.host,
                name if name.eq_ignore_ascii_case("proto") => &mut parsed.proto,
                _ => continue,
            };
            if slot.is_none() {
                *slot = Some(list::unquote(value.trim()).unwrap_or_default());
            }
        }
        parsed
    }

    /// The hop as `X-Forwarded-For` has it: without port and brackets.
    fn node(&self) -> Cow<'static, str> {
        let address = self.client.as_deref().and_then(address);
        address.map_or(Cow::Borrowed(UNKNOWN), |address| Cow::Owned(address.to_string()))
    }
}

/// A hop that is no address stays in its place, so that whoever walks the hops stops there.
fn push_hop(elements: &mut String, hop: &str) {
    match address(hop) {
        Some(address) => push_node(elements, address),
        None => {
            elements.push_str("for=");
            elements.push_str(UNKNOWN);
        }
    }
}

fn last_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    list::items(headers, name).last()
}

/// Whether it can be a scheme (RFC 3986 §3.1); it is written without quotes.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}
