//! Requests as they go out to the origin.

use http::Request;
use http::header::HeaderName;

use super::*;

const PEER: &str = "203.0.113.7:4711";

fn forward() -> Forward {
    Forward {
        host: HostPolicy::Preserve,
        via: Some(Via::new("verve").unwrap()),
        forwarding: Forwarding::default(),
        trusted: TrustedProxies::default(),
    }
}

fn request(uri: &str, fields: &[(&'static str, &'static str)]) -> Parts {
    let mut request = Request::new(());
    *request.uri_mut() = uri.parse().unwrap();
    for (name, value) in fields {
        let value = HeaderValue::from_static(value);
        request.headers_mut().append(*name, value);
    }
    let local = "192.0.2.1:443".parse().unwrap();
    let connection = Connection::new(PEER.parse().unwrap(), local, true);
    request.extensions_mut().insert(connection);
    request.into_parts().0
}

/// The request as an endpoint gets it.
fn sent(forward: &Forward, mut parts: Parts) -> Parts {
    let target = forward
        .prepare(&mut parts, &Body::empty(), false)
        .map_err(|reject| reject.into_response().status())
        .unwrap();
    let address = "http://origin:3000".parse().unwrap();
    target.aim(&mut parts, &address).unwrap();
    parts
}

fn refused(parts: &mut Parts) -> u16 {
    let reject = forward().prepare(parts, &Body::empty(), false).unwrap_err();
    reject.into_response().status().as_u16()
}

#[test]
fn the_target_goes_to_the_endpoint_as_received() {
    for (received, uri) in [
        ("/a%2Fb//c/?q=1%20", "http://origin:3000/a%2Fb//c/?q=1%20"),
        ("https://shop.example/x", "http://origin:3000/x"),
        ("https://shop.example", "http://origin:3000/"),
        ("https://shop.example?q", "http://origin:3000/?q"),
    ] {
        let parts = sent(&forward(), request(received, &[("host", "shop.example")]));
        assert_eq!(parts.uri.to_string(), uri, "{received}");
        assert_eq!(parts.headers[HOST], "shop.example");
    }
}

#[test]
fn the_target_s_authority_wins_over_host() {
    let parts = request("http://me:pw@shop.example:81/", &[("host", "evil")]);
    let parts = sent(&forward(), parts);
    assert_eq!(parts.headers[HOST], "shop.example:81");
    assert_eq!(parts.headers["x-forwarded-host"], "shop.example:81");
}

#[test]
fn the_endpoint_s_host_can_be_sent_instead() {
    let forward = Forward { host: HostPolicy::Upstream, ..forward() };
    let parts = sent(&forward, request("/", &[("host", "shop.example")]));
    assert_eq!(parts.headers[HOST], "origin:3000");
    assert_eq!(parts.headers["x-forwarded-host"], "shop.example");
}

#[test]
fn hop_by_hop_fields_go_and_forwarding_fields_are_ours() {
    let fields = [
        ("host", "shop.example"),
        ("connection", "x-mine, x-forwarded-for, host, keep-alive"),
        ("x-mine", "1"),
        ("keep-alive", "5"),
        ("te", "trailers"),
        ("transfer-encoding", "Chunked"),
        ("upgrade", "h2c"),
        ("proxy", "http://evil"),
        ("expect", "100-continue"),
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-proto", "gopher"),
        ("x-real-ip", "6.6.6.6"),
        ("forwarded", "for=6.6.6.6"),
        ("accept", "*/*"),
    ];
    let parts = sent(&forward(), request("/", &fields));
    let mut names: Vec<_> = parts.headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    let kept =
        ["accept", "host", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];
    assert_eq!(names, kept);
    assert_eq!(parts.headers["x-forwarded-for"], "203.0.113.7");
    assert_eq!(parts.headers["x-forwarded-proto"], "https");
    assert_eq!(parts.headers["via"], "1.1 verve");
}

#[test]
fn a_trusted_peer_is_appended_and_believed() {
    let forward =
        Forward { trusted: TrustedProxies::parse(["203.0.113.0/24"]).unwrap(), ..forward() };
    let fields = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-proto", "http")];
    let parts = sent(&forward, request("/", &fields));
    assert_eq!(parts.headers["x-forwarded-for"], "1.1.1.1, 203.0.113.7");
    assert_eq!(parts.headers["x-forwarded-proto"], "http");
}

#[test]
fn an_unknown_peer_is_not_believed() {
    let mut parts = request("/", &[("x-forwarded-for", "6.6.6.6"), ("x-real-ip", "6.6.6.6")]);
    parts.extensions.remove::<Connection>();
    let parts = sent(&forward(), parts);
    assert!(!parts.headers.contains_key("x-forwarded-for"));
    assert!(!parts.headers.contains_key("x-real-ip"));
}

#[test]
fn crumbs_of_http2_are_joined() {
    let mut parts = request("https://a/", &[("cookie", "a=1"), ("cookie", "b=2")]);
    parts.version = Version::HTTP_2;
    let parts = sent(&forward(), parts);
    assert_eq!(parts.headers[COOKIE], "a=1; b=2");
    assert_eq!(parts.headers.get_all(COOKIE).iter().count(), 1);
    assert_eq!(parts.version, Version::HTTP_11);
    assert_eq!(parts.headers["via"], "2 verve");
}

#[test]
fn only_one_plain_chunked_is_taken() {
    for (lines, refusal) in [
        (&["chunked"][..], None),
        (&["\tCHUNKED "], None),
        (&["gzip, chunked"], Some(501)),
        (&["chunked, chunked"], Some(501)),
        (&["chunked", "chunked"], Some(501)),
        (&["identity"], Some(501)),
        (&[""], Some(501)),
        (&[", chunked"], Some(501)),
        (&["\"chunked\""], Some(501)),
    ] {
        let mut parts = request("/", &[]);
        for line in lines {
            let line = HeaderValue::from_str(line).unwrap();
            parts.headers.append(TRANSFER_ENCODING, line);
        }
        match refusal {
            Some(status) => assert_eq!(refused(&mut parts), status, "{lines:?}"),
            None => assert!(!sent(&forward(), parts).headers.contains_key(TRANSFER_ENCODING)),
        }
    }
}

#[test]
fn what_has_no_plain_target_or_host_is_refused() {
    let mut connect = request("shop.example:443", &[]);
    connect.method = Method::CONNECT;
    assert_eq!(refused(&mut connect), 501);
    let mut asterisk = request("*", &[]);
    asterisk.method = Method::OPTIONS;
    assert_eq!(refused(&mut asterisk), 400);
    assert_eq!(refused(&mut request("/", &[("host", "a"), ("host", "a")])), 400);
}

#[test]
fn a_get_with_a_body_of_unknown_length_keeps_it() {
    let (_sender, body) = http_body_util::channel::Channel::<bytes::Bytes>::new(1);
    let mut parts = request("/", &[]);
    let prepared = forward().prepare(&mut parts, &Body::new(body), false);
    assert!(prepared.is_ok());
    assert_eq!(parts.headers[TRANSFER_ENCODING], "chunked");
}

#[test]
fn what_was_done_before_a_cache_is_not_done_again() {
    let fields = [
        ("host", "shop.example"),
        ("connection", "x-one"),
        ("x-one", "1"),
        ("x-forwarded-for", "6.6.6.6"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
        ("via", "1.0 other"),
    ];
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let mut parts = request("/x", &fields);
        parts.version = version;
        let alone = sent(&forward(), parts.clone());
        forward().vouch(&mut parts, false);
        assert!(parts.extensions.get::<Vouched>().is_some());
        let seen = parts.headers.clone();
        let after = sent(&forward(), parts);
        assert_eq!(after.headers, alone.headers);
        assert_eq!(after.headers, seen);
        assert!(after.extensions.get::<Vouched>().is_none());
    }
}

#[test]
fn what_would_be_refused_is_not_vouched_for() {
    for fields in [
        &[("transfer-encoding", "gzip, chunked"), ("connection", "x")][..],
        &[("host", "a"), ("host", "b"), ("connection", "x")],
    ] {
        let mut parts = request("/", fields);
        forward().vouch(&mut parts, false);
        assert!(parts.extensions.get::<Vouched>().is_none());
        assert!(matches!(refused(&mut parts), 400 | 501));
    }
}
