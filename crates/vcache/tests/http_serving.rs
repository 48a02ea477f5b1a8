//! Answers from the store, through the layer: what is stored, and how it is served again.
#![cfg(feature = "http")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod http_origin;

use std::time::Duration;

use http::Method;
use http_origin::{ask, chunks, fetch, get, now, ok, pass, response, send, stack};
use vcache::http::{Config, SetCookie};
use vhttp::{Body, CacheVerdict, Timeline};

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

#[tokio::test(start_paused = true)]
async fn a_fresh_response_is_served_again_with_its_age() {
    let (cache, log, handle) = stack(Config::default(), |_, _| {
        now(ok(&[FRESH, ("etag", "\"1\""), ("age", "10")], "hello"))
    });
    let first = fetch(&cache, "/a").await;
    assert_eq!(first.cache_status(), "Verve; fwd=uri-miss; fwd-status=200; stored");
    pass(5).await;
    let second = fetch(&cache, "/a").await;
    assert_eq!((second.status.as_u16(), second.body()), (200, "hello"));
    assert_eq!(second.field("age"), Some("15"));
    assert_eq!(second.field("content-length"), Some("5"));
    assert!(second.field("date").is_some());
    assert_eq!(second.cache_status(), "Verve; hit; ttl=45");
    // Another 44 seconds and it is still fresh; the lifetime must be above the age.
    pass(44).await;
    assert!(fetch(&cache, "/a").await.cache_status().contains("hit; ttl=1"));
    pass(1).await;
    assert!(fetch(&cache, "/a").await.cache_status().contains("fwd=stale"));
    assert_eq!(log.count(), 2);
    let stats = handle.stats();
    assert_eq!((stats.hits, stats.misses, stats.keys), (2, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn the_key_is_scheme_host_path_and_query() {
    let (cache, log, _) =
        stack(Config::default(), |request, _| now(ok(&[FRESH], request.uri.to_string())));
    fetch(&cache, "/a?x=1").await;
    for (uri, host, count) in [
        ("/a?x=1", "A.test:80", 1),
        ("http://a.test/a?x=1", "b.test", 1),
        ("/a?x=2", "a.test", 2),
        ("/a", "a.test", 3),
        ("/a?x=1", "b.test", 4),
        ("https://a.test/a?x=1", "a.test", 5),
    ] {
        let request = http::Request::get(uri).header("host", host);
        send(&cache, request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(log.count(), count, "{uri} {host}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_for_a_cache_passes_by() {
    let (cache, log, handle) = stack(Config::default(), |_, _| now(ok(&[FRESH], "x")));
    fetch(&cache, "/").await;
    let rows = [
        ask(Method::POST, "/other", &[]),
        get("/", &[("if-match", "\"1\"")]),
        get("/", &[("if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT")]),
        get("/", &[("connection", "upgrade"), ("upgrade", "websocket")]),
        get("/", &[]).map(|_| Body::from("content")),
        get("/", &[("host", "second.test")]),
        http::Request::get("/").body(Body::empty()).unwrap(),
    ];
    for (index, request) in rows.into_iter().enumerate() {
        let shown = format!("{} {:?}", request.method(), request.headers());
        let reply = send(&cache, request).await.unwrap();
        let why = if index == 0 { "method" } else { "bypass" };
        let expected = format!("Verve; fwd={why}; fwd-status=200");
        assert_eq!(reply.cache_status(), expected, "{shown}");
        assert_eq!(log.count(), index + 2, "{shown}");
    }
    assert_eq!(handle.stats().bypassed, 7);
}

#[tokio::test(start_paused = true)]
async fn preconditions_of_clients_are_answered_from_the_store() {
    let (cache, log, _) = stack(Config::default(), |_, _| {
        let fields = [
            FRESH,
            ("etag", "\"1\""),
            ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("vary", "accept"),
            ("expires", "Sun, 06 Nov 2094 08:49:37 GMT"),
            ("content-location", "/a.html"),
            ("x-other", "1"),
        ];
        now(ok(&fields, "hello"))
    });
    fetch(&cache, "/").await;
    pass(1).await;
    for (field, value, status) in [
        ("if-none-match", "\"1\"", 304),
        ("if-none-match", "W/\"1\"", 304),
        ("if-none-match", "\"0\", \"1\"", 304),
        ("if-none-match", "*", 304),
        ("if-none-match", "\"2\"", 200),
        ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT", 304),
        ("if-modified-since", "Sunday, 06-Nov-94 08:49:38 GMT", 304),
        ("if-modified-since", "Sun, 06 Nov 1994 08:49:36 GMT", 200),
        ("if-modified-since", "yesterday", 200),
    ] {
        let reply = send(&cache, get("/", &[(field, value)])).await.unwrap();
        assert_eq!(reply.status.as_u16(), status, "{field}: {value}");
        assert!(reply.cache_status().contains("hit"));
        let names: Vec<_> = reply.headers.keys().map(|n| n.as_str()).collect();
        if status == 304 {
            assert_eq!(reply.body(), "");
            let fields = "age cache-control content-location date etag expires vary";
            for name in fields.split(' ') {
                assert!(names.contains(&name), "{name} is missing: {names:?}");
            }
            assert!(!names.contains(&"content-length") && !names.contains(&"x-other"));
        }
    }
    assert_eq!(log.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_head_is_answered_from_a_stored_get_and_never_the_other_way_round() {
    let (cache, log, _) = stack(Config::default(), |request, _| {
        let body = if request.method == Method::HEAD { "" } else { "hello" };
        now(ok(&[FRESH, ("content-length", "5")], body))
    });
    let head = || ask(Method::HEAD, "/", &[]);
    send(&cache, head()).await.unwrap();
    let reply = fetch(&cache, "/").await;
    assert_eq!((reply.body(), log.count()), ("hello", 2));
    let reply = send(&cache, head()).await.unwrap();
    assert_eq!((reply.body(), log.count()), ("", 2));
    assert_eq!(reply.field("content-length"), Some("5"));
}

#[tokio::test(start_paused = true)]
async fn each_variant_is_stored_and_the_least_recently_used_leaves() {
    let config = Config { max_variants: 2, ..Config::default() };
    let (cache, log, handle) = stack(config, |request, _| {
        let language = request.headers.get("accept-language");
        let body = language.map_or("none", |l| l.to_str().unwrap()).to_owned();
        now(ok(&[FRESH, ("vary", "Accept-Language")], body))
    });
    for (language, count) in [("en", 1), ("de", 2), ("en", 2), ("fr", 3), ("en", 3), ("de", 4)] {
        pass(1).await;
        let reply = send(&cache, get("/", &[("accept-language", language)]));
        assert_eq!(reply.await.unwrap().body(), language);
        assert_eq!(log.count(), count, "{language}");
    }
    let reply = fetch(&cache, "/").await;
    assert_eq!(reply.body(), "none");
    assert!(reply.cache_status().contains("fwd=vary-miss"));
    assert_eq!(handle.purge_url("http://A.test:80/#top"), 2);
    assert_eq!(handle.purge_url("http://a.test/"), 0);
    assert_eq!(handle.purge_url("no url"), 0);
}

#[tokio::test(start_paused = true)]
async fn an_unsafe_request_that_succeeds_invalidates() {
    let rows = [
        ("POST", 200, "", "/", true),
        ("PUT", 302, "", "/", true),
        ("M-SEARCH", 200, "", "/", true),
        ("DELETE", 404, "", "/", false),
        ("POST", 500, "", "/", false),
        ("OPTIONS", 200, "", "/", false),
        ("POST", 200, "other", "/x/y", true),
        ("POST", 200, "/?q", "/?q", true),
        ("POST", 200, "http://a.test/", "/", true),
        ("POST", 200, "http://b.test/", "http://b.test/", false),
        ("POST", 200, "//b.test/", "http://b.test/", false),
    ];
    for (method, status, location, stored, gone) in rows {
        for field in ["location", "content-location"] {
            let (cache, _, _) = stack(Config::default(), move |request, _| {
                now(match request.method == Method::GET {
                    true => ok(&[FRESH], "x"),
                    false => response(status, &[(field, location)], ""),
                })
            });
            let stored = if location == "other" { "/x/other" } else { stored };
            let target = if location == "other" { "/x/y" } else { "/" };
            fetch(&cache, stored).await;
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let shown = format!("{method} {status} {field}: {location}");
            send(&cache, ask(method, target, &[])).await.unwrap();
            let reply = fetch(&cache, stored).await;
            assert_eq!(reply.cache_status().contains("fwd"), gone, "{shown}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn only_complete_bodies_within_the_limit_are_stored() {
    type Parts = &'static [Result<&'static str, &'static str>];
    let rows: [(Parts, Option<&str>, bool); 8] = [
        (&[Ok("01234"), Ok("56789")], None, true),
        (&[Ok("01234"), Ok("56789")], Some("10"), true),
        (&[Ok("01234"), Ok("56789x")], None, false),
        (&[Ok("01234"), Ok("56789")], Some("11"), false),
        (&[Ok("01234"), Ok("5678")], Some("10"), false),
        (&[Ok("01234"), Ok("5678")], Some("8"), false),
        (&[Ok("01234"), Err("cut")], None, false),
        (&[], None, true),
    ];
    for (parts, length, stored) in rows {
        let config = Config { max_object_size: 10, ..Config::default() };
        let (cache, log, handle) = stack(config, move |_, _| {
            let mut fields = vec![FRESH];
            fields.extend(length.map(|length| ("content-length", length)));
            now(ok(&fields, chunks(parts)))
        });
        let first = fetch(&cache, "/").await;
        let whole = parts.iter().all(Result::is_ok);
        assert_eq!(first.body.is_some(), whole, "{parts:?}");
        let second = fetch(&cache, "/").await;
        assert_eq!(log.count(), if stored { 1 } else { 2 }, "{parts:?} {length:?}");
        assert_eq!(handle.stats().hits, u64::from(stored));
        assert_eq!(second.body, first.body);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_content_is_stored_although_nobody_reads_it() {
    // A server does not ask the body of a 204 for its end.
    let empty = || Body::new(http_body_util::Empty::<bytes::Bytes>::new());
    let (cache, log, _) =
        stack(Config::default(), move |_, _| now(response(204, &[FRESH], empty())));
    for _ in 0..2 {
        let request = get("/", &[]);
        let reply = tower::ServiceExt::oneshot(cache.clone(), request).await;
        assert!(!reply.unwrap().headers().contains_key("content-length"));
    }
    assert_eq!(log.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_assumed_lifetime_is_for_requests_without_cookies_and_credentials() {
    let config = Config { default_ttl: Some(Duration::from_secs(10)), ..Config::default() };
    let (cache, log, _) = stack(config, |_, n| now(ok(&[], n.to_string())));
    assert_eq!(fetch(&cache, "/").await.body(), "1");
    for (field, value) in [("cookie", "a=1"), ("authorization", "Basic x")] {
        let reply = send(&cache, get("/", &[(field, value)])).await.unwrap();
        assert!(reply.cache_status().contains("fwd=request"), "{field}");
    }
    pass(9).await;
    assert_eq!(fetch(&cache, "/").await.body(), "1");
    pass(1).await;
    assert_eq!(fetch(&cache, "/").await.body(), "4");
    assert_eq!(log.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn cookies_are_stored_only_as_the_operator_says() {
    let rows = [
        (SetCookie::Bypass, 2, Some("id=2")),
        (SetCookie::Store, 1, Some("id=1")),
        (SetCookie::Strip, 1, None),
    ];
    for (set_cookie, count, second) in rows {
        let config = Config { set_cookie: Some(set_cookie), ..Config::default() };
        let (cache, log, _) =
            stack(config, |_, n| now(ok(&[FRESH, ("set-cookie", &format!("id={n}"))], "x")));
        assert_eq!(fetch(&cache, "/").await.field("set-cookie"), Some("id=1"));
        assert_eq!(fetch(&cache, "/").await.field("set-cookie"), second);
        assert_eq!(log.count(), count, "{set_cookie:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn fields_of_one_hop_are_not_stored_and_repeated_ones_keep_their_order() {
    let (cache, _, _) = stack(Config::default(), |_, _| {
        let fields = [
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("proxy-authenticate", "Basic"),
            ("keep-alive", "timeout=1"),
            ("x-many", "1"),
            FRESH,
            ("x-many", "2"),
            ("cache-control", "no-cache=\"x-named\", private=\"x-own\""),
            ("x-named", "1"),
            ("x-own", "1"),
            ("cache-status", "Inner; hit"),
        ];
        now(ok(&fields, "x"))
    });
    fetch(&cache, "/").await;
    let reply = fetch(&cache, "/").await;
    let names = "connection x-hop proxy-authenticate keep-alive x-named x-own";
    for name in names.split(' ') {
        assert!(!reply.headers.contains_key(name), "{name}");
    }
    let lines = |name| -> Vec<_> { reply.headers.get_all(name).iter().collect() };
    assert_eq!(lines("x-many"), ["1", "2"]);
    assert_eq!(lines("cache-status"), ["Inner; hit", "Verve; hit; ttl=60"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_before_a_purge_is_not_stored_after_it() {
    let (cache, log, handle) = stack(Config::default(), |_, _| {
        http_origin::after(Duration::from_secs(1), ok(&[FRESH], "x"))
    });
    let under_way = tokio::spawn({
        let cache = cache.clone();
        async move { fetch(&cache, "/").await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(handle.purge_url("http://a.test/"), 0);
    under_way.await.unwrap();
    fetch(&cache, "/").await;
    assert_eq!(log.count(), 2);
    handle.clear();
    fetch(&cache, "/").await;
    assert_eq!(log.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_verdict_stands_in_the_timeline() {
    let (cache, _, _) = stack(Config::default(), |_, _| now(ok(&[FRESH], "x")));
    for (method, verdict) in [
        (Method::GET, CacheVerdict::Miss),
        (Method::GET, CacheVerdict::Hit),
        (Method::POST, CacheVerdict::Bypass),
    ] {
        let timeline = Timeline::new();
        let mut request = ask(method, "/", &[]);
        request.extensions_mut().insert(timeline.clone());
        send(&cache, request).await.unwrap();
        assert_eq!(timeline.read().cache, Some(verdict));
        assert!(timeline.read().time(vhttp::Phase::Cache).is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn the_size_of_the_cache_is_a_bound() {
    let config = Config { max_size: 100_000, max_object_size: 10_000, ..Config::default() };
    let (cache, _, handle) = stack(config, |_, _| now(ok(&[FRESH], "x".repeat(9_000))));
    for n in 0..50 {
        fetch(&cache, &format!("/{n}")).await;
        assert!(handle.stats().bytes <= 100_000);
    }
    assert!(handle.stats().keys >= 5);
}
