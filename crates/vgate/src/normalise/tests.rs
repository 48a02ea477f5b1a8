//! What is made plain and what is refused.

use http::Version;
use proptest::prelude::*;

use super::*;

fn request(target: &str, hosts: &[&str]) -> Request<Body> {
    let mut builder = Request::builder().uri(target);
    for host in hosts {
        builder = builder.header(HOST, *host);
    }
    builder.body(Body::empty()).unwrap()
}

fn status(mut request: Request<Body>) -> Option<StatusCode> {
    normalise(&mut request).err().map(|reject| reject.into_response().status())
}

#[test]
fn paths_become_canonical() {
    for (path, expected) in [
        ("/", "/"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/../../b", "/b"),
        ("/a/..", "/"),
        ("/a/b/.", "/a/b/"),
        ("/%61dmin", "/admin"),
        ("/a%2e%2e/b", "/a../b"),
        ("/x/%2e%2e/admin", "/admin"),
        ("/%e4%bd", "/%E4%BD"),
        ("/a//b", "/a//b"),
        ("/.well-known/x", "/.well-known/x"),
        ("/a;v=1/b?q=/../x", "/a;v=1/b?q=/../x"),
    ] {
        let mut request = request(path, &["a"]);
        assert!(normalise(&mut request).is_ok(), "{path}");
        assert_eq!(request.uri().to_string(), expected, "{path}");
    }
}

#[test]
fn a_target_in_absolute_form_has_a_path_when_it_is_plain() {
    for (target, expected) in [
        ("http://a", "/"),
        ("http://a/", "/"),
        ("http://a?x=1", "/?x=1"),
        ("http://a#x", "/"),
        ("http://a?x#y", "/?x"),
        ("http://a/b?c#d", "/b?c"),
    ] {
        let mut request = request(target, &["a"]);
        assert!(normalise(&mut request).is_ok(), "{target}");
        assert_eq!(
            (request.uri().to_string(), request.uri().path().is_empty()),
            (expected.to_owned(), false)
        );
    }
}

#[test]
fn ambiguous_paths_are_refused() {
    for path in ["/a%2fb", "/a%5Cb", "/a%00", "/a%zz", "/a%2", "/..;/admin", "/%2e%2e;x/admin"] {
        assert_eq!(status(request(path, &["a"])), Some(StatusCode::BAD_REQUEST), "{path}");
    }
}

#[test]
fn there_is_exactly_one_plain_host() {
    for hosts in [
        &[][..],
        &["a", "a"],
        &["a b"],
        &["a/b"],
        &["user@a"],
        &["a:port"],
        &["a:99999"],
        &["a,b"],
        &[""],
    ] {
        assert_eq!(status(request("/", hosts)), Some(StatusCode::BAD_REQUEST), "{hosts:?}");
    }
    for host in ["a", "a:80", "127.0.0.1:8080", "[::1]:80", "xn--bcher-kva.example"] {
        assert_eq!(status(request("/", &[host])), None, "{host}");
    }
}

#[test]
fn http_1_0_needs_no_host_and_a_port_may_be_empty() {
    let mut old = request("/", &[]);
    *old.version_mut() = Version::HTTP_10;
    let local = "127.0.0.1:8080".parse().unwrap();
    let peer = "127.0.0.1:4711".parse().unwrap();
    old.extensions_mut().insert(Connection::new(peer, local, false));
    assert!(normalise(&mut old).is_ok());
    assert_eq!(old.headers()[HOST], "127.0.0.1:8080");
    let mut empty = request("/", &["a.example:"]);
    assert!(normalise(&mut empty).is_ok());
    assert_eq!(empty.headers()[HOST], "a.example");
}

#[test]
fn only_plain_paths_can_be_routes() {
    for path in ["/", "/api", "/a/b/", "/a-b_c~d", "/a;v=1"] {
        assert_eq!(plain_path(path), Ok(()), "{path}");
    }
    for (path, plain) in [("/a%2Db", "/a-b"), ("/a/../b", "/b"), ("/a?b", "/a")] {
        assert_eq!(plain_path(path), Err(Some(plain.to_owned())), "{path}");
    }
    for path in ["", "api", "/a b", "/a%2fb", "/é x"] {
        assert!(plain_path(path).is_err(), "{path}");
    }
}

#[test]
fn the_absolute_form_wins_in_http_1() {
    let mut request = request("http://a.example/x?y", &["b.example"]);
    assert!(normalise(&mut request).is_ok());
    assert_eq!(request.headers()[HOST], "a.example");
    assert_eq!(request.uri().to_string(), "/x?y");
}

#[test]
fn authority_and_host_must_agree_in_http_2() {
    let mut request = request("http://a.example/", &["b.example"]);
    *request.version_mut() = Version::HTTP_2;
    assert_eq!(status(request), Some(StatusCode::BAD_REQUEST));
}

#[test]
fn odd_methods_and_framings_are_refused() {
    let mut connect = request("/", &["a"]);
    *connect.method_mut() = Method::TRACE;
    assert_eq!(status(connect), Some(StatusCode::NOT_IMPLEMENTED));
    for coding in ["gzip, chunked", "identity", "chunked, chunked", ", chunked"] {
        let mut coded = request("/", &["a"]);
        coded.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static(coding));
        assert_eq!(status(coded), Some(StatusCode::NOT_IMPLEMENTED), "{coding}");
    }
    assert_eq!(status(request("*", &["a"])), Some(StatusCode::BAD_REQUEST));
}

#[test]
fn the_host_is_compared_without_port_and_case() {
    for (value, expected) in [
        ("A.example:80", "a.example"),
        ("a.example.", "a.example"),
        ("[::1]:80", "[::1]"),
        ("[::1]", "[::1]"),
    ] {
        let mut request = request("/", &[value]);
        assert!(normalise(&mut request).is_ok());
        assert_eq!(host(&request), expected);
    }
}

proptest! {
    /// What was made plain is plain: a second look changes nothing, and nothing else is meant.
    #[test]
    fn a_plain_request_stays_as_it_is(
        path in "/([a-c.;%/\\\\]|%2[eEfF5]|%[46]1|\\.\\./|//){0,12}",
        query in proptest::option::of("[a-c.%/?]{0,6}"),
        host in "[a-zA-Z0-9.:@,\\[\\]%-]{0,12}",
    ) {
        let target = query.map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
        let (Ok(target), Ok(host)) = (target.parse::<Uri>(), HeaderValue::from_str(&host)) else {
            return Ok(());
        };
        let once = Request::builder().uri(target).header(HOST, host).body(Body::empty());
        let mut once = once.unwrap();
        if normalise(&mut once).is_err() {
            return Ok(());
        }
        let path = once.uri().path();
        prop_assert!(path.starts_with('/') && !path.contains('\\'));
        prop_assert!(path.split('/').all(|segment| segment != "." && segment != ".."));
        prop_assert_eq!(once.headers().get_all(HOST).iter().count(), 1);
        prop_assert_eq!(plain_path(path), Ok(()));
        let mut twice = request(&once.uri().to_string(), &[once.headers()[HOST].to_str().unwrap()]);
        prop_assert!(normalise(&mut twice).is_ok());
        prop_assert_eq!((twice.uri(), twice.headers()), (once.uri(), once.headers()));
    }
}
