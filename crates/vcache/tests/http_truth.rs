//! What the cache says of an answer is true: for whom it is (`Vary`), and what became of it
//! (`Cache-Status`).
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

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use http_origin::{chunks, down, fetch, get, now, ok, pass, response, send, stack};
use vcache::http::Config;
use vhttp::Body;

const FRESH: (&str, &str) = ("cache-control", "max-age=60");
const GZIP: (&str, &str) = ("content-encoding", "gzip");

/// Codes where the client takes it, and says nothing of `Vary`: nginx without `gzip_vary`.
fn careless(request: &http::request::Parts, fields: &[(&str, &str)]) -> http::Response<Body> {
    let asked = request.headers.get("accept-encoding");
    if asked.is_some_and(|codings| codings.to_str().unwrap().contains("gzip")) {
        ok(&[fields, &[GZIP]].concat(), "coded")
    } else {
        ok(fields, "plain")
    }
}

#[tokio::test(start_paused = true)]
async fn a_coded_answer_without_vary_is_only_for_those_who_ask_alike() {
    let assumed = Config { default_ttl: Some(Duration::from_secs(60)), ..Config::default() };
    for (config, fields) in [(Config::default(), &[FRESH][..]), (assumed, &[])] {
        let (cache, log, _) = stack(config, move |request, _| now(careless(request, fields)));
        let ask = |codings: &'static str| {
            let cache = cache.clone();
            async move { send(&cache, get("/", &[("accept-encoding", codings)])).await.unwrap() }
        };
        assert_eq!(ask("gzip").await.body(), "coded");
        let hit = ask("gzip").await;
        assert_eq!((hit.body(), log.count()), ("coded", 1));
        assert_eq!(hit.field("vary"), Some("accept-encoding"));
        assert_eq!(ask("identity").await.body(), "plain");
        assert_eq!(fetch(&cache, "/").await.body(), "plain");
        assert_eq!(ask("br").await.body(), "plain");
        let again = log.count();
        assert_eq!(ask("identity").await.body(), "plain");
        assert_eq!(log.count(), again);
    }
}

#[tokio::test(start_paused = true)]
async fn the_vary_of_a_coded_answer_is_made_complete() {
    for (fields, vary) in [
        (&[FRESH, GZIP][..], &["accept-encoding"][..]),
        (&[FRESH, GZIP, ("vary", "Cookie")], &["Cookie", "accept-encoding"]),
        (&[FRESH, GZIP, ("vary", "Accept-Encoding, Cookie")], &["Accept-Encoding, Cookie"]),
        (&[FRESH, ("content-encoding", "Identity")], &[]),
        (&[FRESH], &[]),
        // It is not stored, and left as it is.
        (&[("cache-control", "no-store"), GZIP], &[]),
    ] {
        let (cache, _, _) = stack(Config::default(), move |_, _| now(ok(fields, "x")));
        for _ in 0..2 {
            let reply = fetch(&cache, "/").await;
            let lines: Vec<_> = reply.headers.get_all("vary").iter().collect();
            assert_eq!(lines, vary, "{fields:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_validated_coded_answer_keeps_its_vary() {
    let fields = [("cache-control", "max-age=1"), ("etag", "\"1\""), GZIP];
    let (cache, log, _) = stack(Config::default(), move |_, n| {
        let update = [("cache-control", "max-age=1"), ("etag", "\"1\""), ("vary", "Cookie")];
        now(if n == 1 { ok(&fields, "coded") } else { response(304, &update, "") })
    });
    let ask = || send(&cache, get("/", &[("accept-encoding", "gzip")]));
    ask().await.unwrap();
    pass(2).await;
    let reply = ask().await.unwrap();
    assert_eq!((reply.body(), log.count()), ("coded", 2));
    let lines: Vec<_> = reply.headers.get_all("vary").iter().collect();
    assert_eq!(lines, ["Cookie", "accept-encoding"]);
}

#[tokio::test(start_paused = true)]
async fn why_a_stored_answer_was_not_used() {
    // Fresh for 10 seconds; it is the request that wants more, until then.
    for (field, value, age, why) in [
        ("cache-control", "no-cache", 5, "request"),
        ("cache-control", "max-age=0", 5, "request"),
        ("pragma", "no-cache", 5, "request"),
        ("cache-control", "no-cache", 15, "stale"),
        ("pragma", "no-cache", 15, "stale"),
        ("x-other", "1", 15, "stale"),
    ] {
        for (status, end) in [(304, "; fwd-status=304; stored"), (200, "; fwd-status=200; stored")]
        {
            let fields = [("cache-control", "max-age=10"), ("etag", "\"1\"")];
            let (cache, log, _) = stack(Config::default(), move |_, n| {
                now(response(if n == 1 { 200 } else { status }, &fields, ""))
            });
            fetch(&cache, "/").await;
            pass(age).await;
            let reply = send(&cache, get("/", &[(field, value)])).await.unwrap();
            assert_eq!(reply.cache_status(), format!("Verve; fwd={why}{end}"), "{value}");
            assert_eq!(log.count(), 2);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_place_of_an_error_says_why_the_origin_was_asked() {
    let fields = [("cache-control", "max-age=10, stale-if-error=60")];
    let (cache, _, _) = stack(Config::default(), move |_, n| match n {
        1 => now(ok(&fields, "x")),
        2 => now(response(503, &[], "")),
        _ => down(),
    });
    fetch(&cache, "/").await;
    let ask = || send(&cache, get("/", &[("cache-control", "no-cache")]));
    assert_eq!(ask().await.unwrap().cache_status(), "Verve; fwd=request; fwd-status=503");
    assert_eq!(ask().await.unwrap().cache_status(), "Verve; fwd=request");
    pass(11).await;
    assert_eq!(fetch(&cache, "/").await.cache_status(), "Verve; fwd=stale");
}

/// A body in one chunk, and then trailers.
fn with_trailers() -> Body {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-end", "1".parse().unwrap());
    let frames = [Frame::data(Bytes::from_static(b"hello")), Frame::trailers(trailers)];
    let frames = frames.map(Ok::<_, std::convert::Infallible>);
    Body::new(http_body_util::StreamBody::new(futures_util::stream::iter(frames)))
}

#[tokio::test(start_paused = true)]
async fn stored_is_said_only_of_what_is_kept_when_all_has_come() {
    type Row = (&'static [(&'static str, &'static str)], fn() -> Body, bool, usize);
    let rows: [Row; 8] = [
        (&[FRESH], || Body::full("hello"), true, 1),
        (&[FRESH, ("content-length", "5")], || chunks(&[Ok("he"), Ok("llo")]), true, 1),
        // Nobody knows yet whether it will end as it should.
        (&[FRESH], || chunks(&[Ok("he"), Ok("llo")]), false, 1),
        (&[FRESH], || chunks(&[Ok("he"), Err("broken")]), false, 2),
        (&[FRESH], with_trailers, false, 1),
        (&[FRESH, ("trailer", "x-end")], with_trailers, false, 1),
        // The whole is here, and is not the whole.
        (&[FRESH, ("content-length", "9")], || Body::full("hello"), false, 2),
        (&[("cache-control", "no-store")], || Body::full("hello"), false, 2),
    ];
    for (row, (fields, body, said, asked)) in rows.into_iter().enumerate() {
        let (cache, log, _) = stack(Config::default(), move |_, _| now(ok(fields, body())));
        let first = fetch(&cache, "/").await;
        assert_eq!(first.cache_status().ends_with("; stored"), said, "row {row}");
        fetch(&cache, "/").await;
        assert_eq!(log.count(), asked, "row {row}");
    }
}
