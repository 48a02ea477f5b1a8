//! The request as the chosen protocol wants it.

use http::header::{HOST, UPGRADE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Method, Request, Uri, Version};
use vhttp::BoxError;

/// Whether a 101 would be an answer to this request.
pub(crate) fn wants_upgrade<B>(request: &Request<B>) -> bool {
    request.headers().contains_key(UPGRADE)
}

/// Refuses what no origin can be asked through a pool.
pub(crate) fn check<B>(request: &Request<B>) -> Result<(), &'static str> {
    if request.method() == Method::CONNECT {
        return Err("CONNECT makes a tunnel, which is not for a pool");
    }
    Ok(())
}

/// Origin-form and a `Host` field (RFC 9112 §3.2.1): the request's own, else the authority
/// without user information.
pub(crate) fn for_http1<B>(request: &mut Request<B>) -> Result<(), BoxError> {
    *request.version_mut() = Version::HTTP_11;
    if !request.headers().contains_key(HOST)
        && let Some(authority) = request.uri().authority()
    {
        let host = HeaderValue::from_str(without_user(authority))?;
        request.headers_mut().insert(HOST, host);
    }
    let path = path(request.uri());
    *request.uri_mut() = Uri::from(path);
    Ok(())
}

/// Absolute form, for hyper to take the pseudo-header fields from (RFC 9113 §8.3.1); the
/// request's own `Host` becomes `:authority`.
pub(crate) fn for_http2<B>(request: &mut Request<B>, tls: bool) -> Result<(), BoxError> {
    *request.version_mut() = Version::HTTP_2;
    let authority = match request.headers_mut().remove(HOST) {
        Some(host) => Authority::try_from(host.as_bytes())?,
        None => match request.uri().authority() {
            Some(authority) => without_user(authority).parse()?,
            None => return Err("the URI has no authority".into()),
        },
    };
    let scheme = if tls { Scheme::HTTPS } else { Scheme::HTTP };
    let uri =
        Uri::builder().scheme(scheme).authority(authority).path_and_query(path(request.uri()));
    *request.uri_mut() = uri.build()?;
    Ok(())
}

fn path(uri: &Uri) -> PathAndQuery {
    let root = || PathAndQuery::from_static("/");
    uri.path_and_query().cloned().unwrap_or_else(root)
}

fn without_user(authority: &Authority) -> &str {
    let text = authority.as_str();
    text.rsplit_once('@').map_or(text, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, host: Option<&str>) -> Request<()> {
        let mut request = Request::get(uri);
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn http1_gets_origin_form_and_a_host() {
        for (uri, host, path, sent) in [
            ("http://a:81/b?c", None, "/b?c", "a:81"),
            ("http://u:p@a/b", None, "/b", "a"),
            ("http://a", Some("other"), "/", "other"),
        ] {
            let mut request = request(uri, host);
            for_http1(&mut request).unwrap();
            assert_eq!(request.uri(), path, "{uri}");
            assert_eq!(request.headers()[HOST], sent, "{uri}");
        }
    }

    #[test]
    fn http2_gets_an_absolute_form_without_a_host() {
        for (uri, host, sent) in [
            ("http://a:81/b?c", None, "http://a:81/b?c"),
            ("http://u:p@a/b", None, "http://a/b"),
            ("http://a", Some("other:8"), "http://other:8/"),
        ] {
            let mut request = request(uri, host);
            for_http2(&mut request, false).unwrap();
            assert_eq!(request.uri().to_string(), sent, "{uri}");
            assert!(!request.headers().contains_key(HOST), "{uri}");
        }
    }

    #[test]
    fn a_request_made_for_http2_can_be_made_for_http1() {
        let mut request = request("https://a/b", Some("other"));
        for_http2(&mut request, true).unwrap();
        for_http1(&mut request).unwrap();
        assert_eq!(request.headers()[HOST], "other");
        assert_eq!(request.uri(), "/b");
    }
}
