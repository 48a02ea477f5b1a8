//! The request that is asked about, from the command line and as a query.

use http::header::HOST;
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use verve::http::{Body, Connection};

/// A request that nobody sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    /// The URL, with scheme and host.
    pub(crate) url: String,
    /// The method.
    pub(crate) method: String,
    /// Its fields, each as `name: value`.
    pub(crate) fields: Vec<String>,
}

impl Question {
    /// Reads `url=…&method=…&field=…`, each percent-encoded.
    pub(crate) fn from_query(query: &str) -> Result<Self, String> {
        let (mut url, mut method, mut fields) = (None, "GET".to_owned(), Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode(value).ok_or_else(|| format!("`{name}` is not percent-encoded"))?;
            match name {
                "url" => url = Some(value),
                "method" => method = value,
                "field" => fields.push(value),
                _ => return Err(format!("there is no `{name}`; known are url, method, field")),
            }
        }
        let url = url.ok_or("`url` is missing: ?url=http%3A%2F%2Fexample.com%2F")?;
        Ok(Self { url, method, fields })
    }

    /// Writes what [`from_query`](Self::from_query) reads.
    pub(crate) fn to_query(&self) -> String {
        let mut query = format!("url={}&method={}", encode(&self.url), encode(&self.method));
        for field in &self.fields {
            query.push_str("&field=");
            query.push_str(&encode(field));
        }
        query
    }

    /// The request as a listener would have received it.
    pub(crate) fn request(&self) -> Result<Request<Body>, String> {
        let (uri, tls) = self.target()?;
        let method = Method::from_bytes(self.method.as_bytes());
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method.map_err(|_| format!("`{}` is no method", self.method))?;
        *request.uri_mut() = uri;
        for field in &self.fields {
            let (name, value) = parse(field)?;
            request.headers_mut().append(name, value);
        }
        if request.headers().contains_key(HOST) {
            // As a client that connects to one host and names another.
            let path = request.uri().path_and_query().cloned();
            *request.uri_mut() = path.map(Uri::from).unwrap_or_default();
        }
        let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        request.extensions_mut().insert(Connection::new(nobody, nobody, tls));
        Ok(request)
    }
}

impl Question {
    /// The URL, and whether it is one of TLS.
    fn target(&self) -> Result<(Uri, bool), String> {
        let uri: Uri = self.url.parse().map_err(|_| format!("`{}` is no URL", self.url))?;
        match uri.scheme_str() {
            Some("http") => Ok((uri, false)),
            Some("https") => Ok((uri, true)),
            _ => Err(format!("`{}` does not begin with http:// or https://", self.url)),
        }
    }
}

fn parse(field: &str) -> Result<(HeaderName, HeaderValue), String> {
    let wrong = || format!("`{field}` is no field; write it like `Accept-Language: de`");
    let (name, value) = field.split_once(':').ok_or_else(wrong)?;
    let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| wrong())?;
    Ok((name, HeaderValue::from_str(value.trim()).map_err(|_| wrong())?))
}

/// Percent-encodes all but what is unreserved (RFC 3986 §2.3).
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn decode(text: &str) -> Option<String> {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once('%') {
        out.extend_from_slice(before.as_bytes());
        let hex = after.get(..2).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
        out.push(u8::from_str_radix(hex, 16).ok()?);
        rest = after.get(2..)?;
    }
    out.extend_from_slice(rest.as_bytes());
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(url: &str, fields: &[&str]) -> Question {
        let fields = fields.iter().map(|&field| field.to_owned()).collect();
        Question { url: url.to_owned(), method: "GET".to_owned(), fields }
    }

    #[test]
    fn a_query_is_read_as_it_was_written() {
        let asked = question("http://a/x?y=1&z=é+%41", &["Accept: a, b", "X-A: 50 %"]);
        assert_eq!(Question::from_query(&asked.to_query()), Ok(asked));
        for query in ["", "method=GET", "url=%4", "url=%zz", "url=%ff", "uri=x"] {
            assert!(Question::from_query(query).is_err(), "{query}");
        }
    }

    #[test]
    fn a_request_is_as_a_listener_would_have_it() {
        let request = question("https://a.test/x", &["Accept: b", "accept: c"]).request().unwrap();
        assert!(request.extensions().get::<Connection>().unwrap().tls);
        assert_eq!(request.headers().get_all("accept").iter().count(), 2);
        let other = question("http://a.test/x", &["Host: b.test"]).request().unwrap();
        assert_eq!(
            (other.uri().to_string().as_str(), &other.headers()["host"]),
            ("/x", &"b.test".parse().unwrap())
        );
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for (url, fields) in [
            ("/x", &[][..]),
            ("ftp://a/", &[]),
            ("http://", &[]),
            ("http://a/", &["no field"]),
            ("http://a/", &["a b: c"]),
            ("http://a/", &["a: \n"]),
        ] {
            let refused = question(url, fields).request();
            assert_eq!(refused.is_err(), fields != ["a: \n"], "{url} {fields:?}");
        }
    }
}
