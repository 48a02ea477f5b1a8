//! `Address`: where an endpoint is, and its identity.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use http::HeaderValue;
use http::uri::{Authority, Scheme};

/// Where an endpoint is: scheme, host and port. Cheap to clone.
///
/// Two addresses are equal when their URLs are, in normal form: lower case, no default port, no
/// slash at the end (RFC 3986 §6.2). An endpoint keeps its state as long as its address lives.
///
/// ```
/// use vbalance::Address;
///
/// let address: Address = "HTTP://Example.org:80/".parse().unwrap();
/// assert_eq!(address.url(), "http://example.org");
/// assert_eq!(":3000".parse::<Address>().unwrap().url(), "http://127.0.0.1:3000");
/// ```
#[derive(Clone)]
pub struct Address {
    parts: Arc<Parts>,
}

struct Parts {
    url: String,
    name: Arc<str>,
    scheme: Scheme,
    authority: Authority,
    host: HeaderValue,
}

/// Why a text is not an endpoint's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Nothing was written.
    #[error("an endpoint needs an address; write it like `http://127.0.0.1:3000`")]
    Empty,
    /// The scheme is neither `http` nor `https`.
    #[error("`{0}` is not an http(s) URL; write it like `http://127.0.0.1:3000`")]
    Scheme(String),
    /// A path, query or fragment follows the port.
    #[error("`{0}` has a path; an endpoint is only scheme, host and port")]
    Path(String),
    /// A user name or password stands before the host.
    #[error("`{0}` has a user name; an endpoint is only scheme, host and port")]
    User(String),
    /// Neither scheme nor port says where to connect.
    #[error("`{0}` has no port; write it like `localhost:3000` or `http://localhost`")]
    NoPort(String),
    /// The port is not a number from 1 to 65535.
    #[error("`{0}` has a bad port; a port is a number from 1 to 65535")]
    Port(String),
    /// The host is not a name or address.
    #[error("`{0}` has a bad host; write it like `http://127.0.0.1:3000` or `http://[::1]:3000`")]
    Host(String),
}

impl Address {
    /// The normal form, such as `http://127.0.0.1:3000`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.parts.url
    }

    /// Host and port without the scheme, as logs and metrics show them.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.parts.name
    }

    /// `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &Scheme {
        &self.parts.scheme
    }

    /// Host and port.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.parts.authority
    }

    /// Host and port as the value of a `Host` field.
    #[must_use]
    pub fn host(&self) -> &HeaderValue {
        &self.parts.host
    }
}

impl FromStr for Address {
    type Err = AddressError;

    /// Reads `http://host[:port]`, `https://host[:port]`, `host:port`, or `:port`, which is on
    /// 127.0.0.1.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        // A message quotes the text; nobody wants a megabyte of it.
        let quote = || text.chars().take(80).collect::<String>();
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => {
                let known = known_scheme(scheme).ok_or_else(|| AddressError::Scheme(quote()))?;
                (Some(known), rest)
            }
            None => (None, text),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(AddressError::Path(quote()));
        }
        if rest.contains('@') {
            return Err(AddressError::User(quote()));
        }
        let (host, port) = split_port(rest);
        let port = match port {
            Some(port) => Some(number(port).ok_or_else(|| AddressError::Port(quote()))?),
            None if scheme.is_none() => return Err(AddressError::NoPort(quote())),
            None => None,
        };
        let host = match host {
            "" if scheme.is_none() => "127.0.0.1",
            host => host,
        };
        Self::new(scheme.unwrap_or(Scheme::HTTP), host, port)
            .ok_or_else(|| AddressError::Host(quote()))
    }
}

impl Address {
    fn new(scheme: Scheme, host: &str, port: Option<u16>) -> Option<Self> {
        let default = if scheme == Scheme::HTTPS { 443 } else { 80 };
        let mut name = host.to_ascii_lowercase();
        if let Some(port) = port.filter(|port| *port != default) {
            name = format!("{name}:{port}");
        }
        let authority: Authority = name.parse().ok()?;
        // The parser lets an empty host and percent signs pass.
        if authority.host().is_empty() || authority.host().contains('%') {
            return None;
        }
        let parts = Parts {
            url: format!("{scheme}://{name}"),
            host: HeaderValue::from_str(&name).ok()?,
            name: name.into(),
            scheme,
            authority,
        };
        Some(Self { parts: Arc::new(parts) })
    }
}

fn known_scheme(text: &str) -> Option<Scheme> {
    if text.eq_ignore_ascii_case("http") {
        Some(Scheme::HTTP)
    } else if text.eq_ignore_ascii_case("https") {
        Some(Scheme::HTTPS)
    } else {
        None
    }
}

/// Splits at the last colon that is not inside the brackets of an IPv6 address.
fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    }
}

fn number(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok())?.filter(|port: &u16| *port > 0)
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        self.parts.url == other.parts.url
    }
}

impl Eq for Address {}

impl Hash for Address {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts.url.hash(state);
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.url())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.url())
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::text::parsed(deserializer, "a URL such as \"http://127.0.0.1:3000\"")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forms_that_people_write() {
        for (text, url) in [
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("https://Origin.Example", "https://origin.example"),
            ("https://origin.example:443/", "https://origin.example"),
            ("http://origin.example:443", "http://origin.example:443"),
            ("localhost:3000", "http://localhost:3000"),
            (":3000", "http://127.0.0.1:3000"),
            (" [::1]:80 ", "http://[::1]"),
            ("http://[::1]", "http://[::1]"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().url(), url, "{text}");
        }
    }

    #[test]
    fn forms_that_are_refused() {
        type Refusal = (&'static str, fn(String) -> AddressError);
        let all: [Refusal; 13] = [
            ("htp://x", AddressError::Scheme),
            ("://x", AddressError::Scheme),
            ("http://x/api", AddressError::Path),
            ("http://x?a", AddressError::Path),
            ("http://me:secret@x", AddressError::User),
            ("localhost", AddressError::NoPort),
            ("3000", AddressError::NoPort),
            ("x:0", AddressError::Port),
            ("x:65536", AddressError::Port),
            ("x:+80", AddressError::Port),
            ("http://", AddressError::Host),
            ("http://:80", AddressError::Host),
            ("http://a b:80", AddressError::Host),
        ];
        for (text, error) in all {
            let refused = text.parse::<Address>().unwrap_err();
            assert_eq!(refused, error(text.to_owned()), "{text}");
        }
        assert_eq!("".parse::<Address>().unwrap_err(), AddressError::Empty);
    }

    #[test]
    fn the_message_names_the_text_and_the_cure() {
        assert_eq!(
            "htp://x".parse::<Address>().unwrap_err().to_string(),
            "`htp://x` is not an http(s) URL; write it like `http://127.0.0.1:3000`",
        );
    }

    proptest! {
        #[test]
        fn no_text_panics_and_the_normal_form_is_stable(text in "(https?://)?[a-z:\\[\\]@/%. ]{0,12}(:[0-9]{1,5})?") {
            if let Ok(address) = text.parse::<Address>() {
                prop_assert_eq!(address.url().parse::<Address>().unwrap(), address);
            }
        }
    }
}
