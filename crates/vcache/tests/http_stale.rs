//! Past the lifetime: validation, stale answers with a refresh behind, stale answers for errors.
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

use http_origin::{Down, after, ask, down, fetch, get, now, ok, pass, response, send, stack};
use vcache::http::{Config, SetCookie};

const SECOND: Duration = Duration::from_secs(1);

/// Lets background work that needs no time run.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

/// The fields of a response.
const FIRST: [(&str, &str); 7] = [
    ("cache-control", "max-age=10"),
    ("etag", "\"1\""),
    ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ("age", "3"),
    ("x-old", "1"),
    ("x-both", "1"),
    ("content-type", "text/plain"),
];

/// The fields of the 304 that confirms it.
const CONFIRMED: [(&str, &str); 8] = [
    ("cache-control", "max-age=20"),
    ("etag", "\"1\""),
    ("x-both", "2"),
    ("x-both", "3"),
    ("x-new", "1"),
    ("content-type", "text/html"),
    ("content-length", "99"),
    ("set-cookie", "a=1"),
];

#[tokio::test(start_paused = true)]
async fn a_stale_response_is_validated_and_its_fields_updated() {
    let config = Config { set_cookie: Some(SetCookie::Bypass), ..Config::default() };
    let (cache, log, handle) = stack(config, |_, n| {
        now(if n == 1 { ok(&FIRST, "hello") } else { response(304, &CONFIRMED, "") })
    });
    fetch(&cache, "/").await;
    pass(8).await;
    let reply = send(&cache, get("/", &[("if-none-match", "\"9\"")])).await.unwrap();
    let sent = log.last().headers;
    assert_eq!(sent.get_all("if-none-match").iter().count(), 1);
    assert_eq!(sent["if-none-match"], "\"1\", \"9\"");
    assert_eq!(sent["if-modified-since"], "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!((reply.status.as_u16(), reply.body()), (200, "hello"));
    assert_eq!(reply.cache_status(), "Verve; fwd=stale; fwd-status=304; stored");
    // The cookie is for whom the origin sent it, and for nobody else.
    assert_eq!(reply.field("set-cookie"), Some("a=1"));
    pass(19).await;
    let reply = fetch(&cache, "/").await;
    assert_eq!(reply.cache_status(), "Verve; hit; ttl=1");
    assert_eq!(reply.field("age"), Some("19"));
    assert_eq!((reply.field("x-old"), reply.field("x-new")), (Some("1"), Some("1")));
    assert_eq!(reply.field("content-type"), Some("text/plain"));
    assert_eq!(reply.field("content-length"), Some("5"));
    assert_eq!(reply.field("set-cookie"), None);
    let both: Vec<_> = reply.headers.get_all("x-both").iter().collect();
    assert_eq!(both, ["2", "3"]);
    assert_eq!((log.count(), handle.stats().revalidated), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_confirmed_response_answers_the_clients_own_precondition() {
    let (cache, _, _) = stack(Config::default(), |_, n| {
        let fields = [("cache-control", "no-cache"), ("etag", "\"1\"")];
        now(if n == 1 { ok(&fields, "x") } else { response(304, &[], "") })
    });
    fetch(&cache, "/").await;
    let reply = send(&cache, get("/", &[("if-none-match", "\"1\"")])).await.unwrap();
    assert_eq!((reply.status.as_u16(), reply.body()), (304, ""));
    assert_eq!(reply.field("etag"), Some("\"1\""));
}

#[tokio::test(start_paused = true)]
async fn a_full_answer_to_a_validation_replaces_what_was_stored() {
    let (cache, log, _) = stack(Config::default(), |_, n| {
        let tag = format!("\"{n}\"");
        let fields = [("cache-control", "max-age=10"), ("etag", &tag)];
        now(ok(&fields, n.to_string()))
    });
    fetch(&cache, "/").await;
    pass(10).await;
    assert_eq!(fetch(&cache, "/").await.body(), "2");
    let reply = fetch(&cache, "/").await;
    assert_eq!((reply.body(), reply.field("etag")), ("2", Some("\"2\"")));
    assert_eq!(log.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_304_about_something_else_is_not_taken() {
    let (cache, log, _) = stack(Config::default(), |request, _| {
        let fields = [("cache-control", "max-age=10"), ("etag", "\"1\"")];
        now(match request.headers.contains_key("if-none-match") {
            false => ok(&fields, "x"),
            true => response(304, &[("etag", "\"2\"")], ""),
        })
    });
    fetch(&cache, "/").await;
    pass(10).await;
    let reply = fetch(&cache, "/").await;
    assert_eq!((reply.status.as_u16(), log.count()), (200, 3));
}

#[tokio::test(start_paused = true)]
async fn a_304_that_forbids_storing_ends_the_reuse() {
    let (cache, log, _) = stack(Config::default(), |request, _| {
        let fields = [("cache-control", "max-age=10"), ("etag", "\"1\"")];
        now(match request.headers.contains_key("if-none-match") {
            false => ok(&fields, "x"),
            true => response(304, &[("cache-control", "no-store")], ""),
        })
    });
    fetch(&cache, "/").await;
    pass(10).await;
    assert_eq!(fetch(&cache, "/").await.body(), "x");
    fetch(&cache, "/").await;
    assert!(!log.last().headers.contains_key("if-none-match"));
    assert_eq!(log.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_is_refreshed_behind_once() {
    let (cache, log, handle) = stack(Config::default(), |_, n| {
        let fields = [("cache-control", "max-age=10, stale-while-revalidate=5")];
        after(SECOND, ok(&fields, n.to_string()))
    });
    fetch(&cache, "/").await;
    pass(12).await;
    for _ in 0..10 {
        let reply = fetch(&cache, "/").await;
        assert_eq!((reply.body(), reply.cache_status()), ("1", "Verve; hit; ttl=-3"));
    }
    settle().await;
    assert_eq!((log.count(), handle.stats().refreshes), (2, 1));
    tokio::time::sleep(2 * SECOND).await;
    let reply = fetch(&cache, "/").await;
    assert_eq!((reply.body(), log.count()), ("2", 2));
    assert_eq!((handle.stats().stale, handle.stats().refreshes), (10, 0));
    // Past the window never.
    pass(20).await;
    assert_eq!(fetch(&cache, "/").await.body(), "3");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_hangs_or_fails_is_tried_again() {
    let config = Config { refresh_timeout: SECOND, ..Config::default() };
    let (cache, log, handle) = stack(config, |_, n| {
        let fields = [("cache-control", "max-age=1, stale-while-revalidate=60")];
        match n {
            1 => now(ok(&fields, "1")),
            2 => Box::pin(std::future::pending()),
            3 => down(),
            n => now(ok(&fields, n.to_string())),
        }
    });
    fetch(&cache, "/").await;
    pass(1).await;
    for count in 2..5 {
        assert_eq!(fetch(&cache, "/").await.body(), "1");
        tokio::time::sleep(2 * SECOND).await;
        assert_eq!((log.count(), handle.stats().refreshes), (count, 0));
    }
    assert_eq!(handle.config().refresh_timeout, SECOND);
    assert_eq!(fetch(&cache, "/").await.body(), "4");
}

#[tokio::test(start_paused = true)]
async fn refreshes_end_with_the_last_handle() {
    let (cache, log, handle) = stack(Config::default(), |_, n| match n {
        1 => now(ok(&[("cache-control", "max-age=1, stale-while-revalidate=60")], "1")),
        _ => Box::pin(async {
            let _log = LEFT.get_or_init(Default::default).clone();
            std::future::pending().await
        }),
    });
    static LEFT: std::sync::OnceLock<std::sync::Arc<()>> = std::sync::OnceLock::new();
    fetch(&cache, "/").await;
    pass(2).await;
    fetch(&cache, "/").await;
    settle().await;
    let left = LEFT.get().unwrap();
    assert_eq!((log.count(), std::sync::Arc::strong_count(left)), (2, 2));
    drop((cache, handle));
    settle().await;
    assert_eq!(std::sync::Arc::strong_count(left), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_stands_in_for_an_outage_as_long_as_the_origin_said() {
    let rows = [
        ("max-age=10, stale-if-error=5", 503, 15, Some("1")),
        ("max-age=10, stale-if-error=5", 500, 15, Some("1")),
        ("max-age=10, stale-if-error=5", 0, 15, Some("1")),
        ("max-age=10, stale-if-error=5", 503, 16, None),
        ("max-age=10, stale-if-error=5", 0, 16, None),
        ("max-age=10, stale-if-error=5", 404, 11, None),
        ("max-age=10", 503, 11, None),
        ("max-age=10, stale-if-error=5, must-revalidate", 503, 11, None),
        ("max-age=10, stale-if-error=5, proxy-revalidate", 0, 11, None),
        ("s-maxage=10, stale-if-error=5", 503, 11, None),
        ("max-age=10, stale-if-error=50, no-cache", 503, 11, None),
    ];
    for (control, outage, wait, body) in rows {
        // What the cache allows by itself while the origin is silent is another matter.
        let config = Config { stale_if_unreachable: Duration::ZERO, ..Config::default() };
        let (cache, _, _) = stack(config, move |_, n| match (n, outage) {
            (1, _) => now(ok(&[("cache-control", control), ("etag", "\"1\"")], "1")),
            (_, 0) => down(),
            (_, status) => now(response(status, &[], "outage")),
        });
        fetch(&cache, "/").await;
        pass(wait).await;
        let reply = send(&cache, get("/", &[])).await;
        let shown = format!("{control} {outage} {wait}");
        match (reply, body) {
            (Ok(reply), Some(body)) => {
                assert_eq!((reply.status.as_u16(), reply.body()), (200, body), "{shown}");
                assert!(reply.cache_status().starts_with("Verve; fwd=stale"), "{shown}");
            }
            (Ok(reply), None) => assert_eq!(reply.status.as_u16(), outage, "{shown}"),
            (Err(Down), None) => assert_eq!(outage, 0, "{shown}"),
            (Err(Down), Some(_)) => panic!("{shown}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn followers_of_an_outage_get_the_stale_answer_too() {
    let (cache, log, _) = stack(Config::default(), |_, n| match n {
        1 => now(ok(&[("cache-control", "max-age=10, stale-if-error=60")], "1")),
        _ => after(SECOND, response(503, &[], "outage")),
    });
    fetch(&cache, "/").await;
    pass(11).await;
    let asked: Vec<_> = (0..10)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { fetch(&cache, "/").await })
        })
        .collect();
    for asked in asked {
        assert_eq!(asked.await.unwrap().body(), "1");
    }
    assert_eq!(log.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn requests_may_be_stricter_or_laxer_than_the_origin() {
    // The stored response is 5 seconds old and fresh for 10.
    let rows = [
        ("", 5, "hit; ttl=5"),
        ("no-cache", 5, "fwd=request"),
        ("no-store", 5, "hit; ttl=5"),
        ("max-age=5", 5, "hit; ttl=5"),
        ("max-age=4", 5, "fwd=request"),
        ("min-fresh=5", 5, "hit; ttl=5"),
        ("min-fresh=6", 5, "fwd=request"),
        ("only-if-cached", 5, "hit; ttl=5"),
        ("only-if-cached, no-cache", 5, "detail=only-if-cached"),
        ("only-if-cached", 15, "detail=only-if-cached"),
        ("only-if-cached, max-stale", 15, "hit; ttl=-5"),
        ("max-stale", 15, "hit; ttl=-5"),
        ("max-stale=5", 15, "hit; ttl=-5"),
        ("max-stale=4", 15, "fwd=stale"),
        ("max-stale, max-age=1", 15, "hit; ttl=-5"),
        ("max-stale=5, max-age=9", 15, "fwd=stale"),
        ("max-stale, min-fresh=1", 15, "fwd=stale"),
    ];
    for (wish, age, status) in rows {
        let (cache, _, _) = stack(Config::default(), |_, _| {
            now(ok(&[("cache-control", "max-age=10"), ("etag", "\"1\"")], "x"))
        });
        fetch(&cache, "/").await;
        pass(age).await;
        let reply = send(&cache, get("/", &[("cache-control", wish)])).await.unwrap();
        assert!(reply.cache_status().contains(status), "{wish}: {}", reply.cache_status());
        let is_timeout = status.contains("detail");
        assert_eq!(reply.status.as_u16(), if is_timeout { 504 } else { 200 }, "{wish}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_operator_may_ignore_what_requests_say() {
    let config = Config { request_directives: false, ..Config::default() };
    let (cache, log, _) = stack(config, |_, _| now(ok(&[("cache-control", "max-age=10")], "x")));
    fetch(&cache, "/").await;
    for (field, value) in [("cache-control", "no-cache"), ("pragma", "no-cache")] {
        send(&cache, get("/", &[(field, value)])).await.unwrap();
    }
    assert_eq!(log.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_head_past_the_lifetime_asks_the_origin_without_validators() {
    let (cache, log, _) = stack(Config::default(), |_, _| {
        now(ok(&[("cache-control", "max-age=10"), ("etag", "\"1\"")], ""))
    });
    fetch(&cache, "/").await;
    pass(10).await;
    send(&cache, ask(http::Method::HEAD, "/", &[])).await.unwrap();
    assert_eq!(log.last().method, http::Method::HEAD);
    assert!(!log.last().headers.contains_key("if-none-match"));
}
