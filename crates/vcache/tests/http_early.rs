//! Refreshes ahead of the end of a lifetime, time off after those that failed, and a bound for how
//! long a client waits while there is a stale answer.
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
use http_origin::{Reply, after, ask, down, fetch, get, now, ok, pass, response, send, stack};
use tokio::time::{Instant, sleep};
use vcache::http::{BuildError, Config};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: (&str, &str) = ("cache-control", "max-age=60");

/// Lets background work that needs no time run.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

fn ahead(percent: u8) -> Config {
    Config { early_percent: 0, refresh_ahead_percent: percent, ..Config::default() }
}

#[tokio::test(start_paused = true)]
async fn from_a_percentage_on_the_next_hit_refreshes_behind_once() {
    let (cache, log, handle) =
        stack(ahead(80), |_, n| after(SECOND, ok(&[MINUTE, ("etag", "\"1\"")], n.to_string())));
    fetch(&cache, "/").await;
    pass(46).await;
    assert_eq!(fetch(&cache, "/").await.cache_status(), "Verve; hit; ttl=13");
    settle().await;
    assert_eq!(log.count(), 1);
    pass(2).await;
    for _ in 0..10 {
        let reply = fetch(&cache, "/").await;
        assert_eq!((reply.body(), reply.cache_status()), ("1", "Verve; hit; ttl=11"));
    }
    settle().await;
    assert_eq!((log.count(), handle.stats().refreshes, handle.stats().early), (2, 1, 1));
    assert_eq!(log.last().headers["if-none-match"], "\"1\"");
    sleep(2 * SECOND).await;
    let reply = fetch(&cache, "/").await;
    assert_eq!((reply.body(), reply.cache_status()), ("2", "Verve; hit; ttl=58"));
    assert_eq!((log.count(), handle.stats().misses), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_often_is_refreshed_about_as_early_as_it_takes_to_get() {
    // Fetched in ten seconds, body included; asked for each tenth of a second.
    let (cache, log, handle) = stack(Config::default(), |_, n| {
        let frame = async move {
            sleep(5 * SECOND).await;
            let data = bytes::Bytes::from(n.to_string());
            Ok::<_, std::io::Error>(http_body::Frame::data(data))
        };
        let body = http_body_util::StreamBody::new(Box::pin(futures_util::stream::once(frame)));
        after(5 * SECOND, ok(&[("cache-control", "max-age=100")], vhttp::Body::new(body)))
    });
    fetch(&cache, "/").await;
    let stored = Instant::now();
    while log.count() == 1 {
        assert!(fetch(&cache, "/").await.cache_status().contains("hit"));
        sleep(SECOND / 10).await;
        settle().await;
    }
    // Ten seconds old when it was complete. Never in the first half; and that all draws in the
    // second fail has less of a chance than one in e¹⁰⁰.
    let early = stored.elapsed();
    assert!(early >= 40 * SECOND && early < 90 * SECOND, "{early:?}");
    while log.count() < 6 {
        assert!(fetch(&cache, "/").await.cache_status().contains("hit"), "nobody waits");
        sleep(SECOND / 10).await;
        settle().await;
    }
    assert_eq!(handle.stats().early, 5);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_refreshed_early_where_nobody_wants_it() {
    type Row = (Config, &'static [(&'static str, &'static str)], &'static str);
    let rows: [Row; 6] = [
        (ahead(0), &[], "max-age=60"),
        (ahead(100), &[], "max-age=60"),
        (ahead(50), &[("cache-control", "only-if-cached")], "max-age=60"),
        (ahead(50), &[("cache-control", "no-store")], "max-age=60"),
        (Config { early_percent: 0, ..Config::default() }, &[], "max-age=60"),
        // At once there: it costs nobody anything to ask again.
        (Config { early_percent: 1000, ..Config::default() }, &[], "max-age=60"),
    ];
    for (config, wish, control) in rows {
        let (cache, log, _) =
            stack(config, move |_, _| now(ok(&[("cache-control", control)], "x")));
        fetch(&cache, "/").await;
        pass(59).await;
        assert!(send(&cache, get("/", wish)).await.unwrap().cache_status().contains("hit"));
        settle().await;
        assert_eq!(log.count(), 1, "{wish:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_early_refresh_that_brings_nothing_is_not_tried_by_each_hit() {
    for what in ["down", "outage", "no-store"] {
        let (cache, log, handle) = stack(ahead(50), move |_, n| match (n, what) {
            (1, _) => now(ok(&[MINUTE], "1")),
            (_, "down") => down(),
            (_, "outage") => now(response(503, &[], "later")),
            _ => now(ok(&[("cache-control", "no-store")], "2")),
        });
        fetch(&cache, "/").await;
        pass(40).await;
        for second in 0..5 {
            for _ in 0..10 {
                assert_eq!(fetch(&cache, "/").await.body(), "1", "{what}");
                settle().await;
            }
            assert_eq!(log.count(), 2 + second, "{what}");
            pass(1).await;
        }
        assert_eq!((handle.stats().early, handle.stats().refreshes), (5, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn the_client_of_a_hit_that_refreshes_leaves_no_trace_in_the_refresh() {
    let (cache, log, _) = stack(ahead(50), |_, _| now(ok(&[MINUTE], "x")));
    fetch(&cache, "/").await;
    pass(40).await;
    let fields = [("if-none-match", "\"1\""), ("range", "bytes=0-0"), ("pragma", "x")];
    send(&cache, ask(Method::HEAD, "/", &fields)).await.unwrap();
    settle().await;
    assert_eq!((log.count(), log.last().method), (2, Method::GET));
    assert!(fields.iter().all(|(name, _)| !log.last().headers.contains_key(*name)));
}

#[tokio::test(start_paused = true)]
async fn in_an_outage_the_origin_is_asked_once_in_a_while_and_not_by_each_stale_answer() {
    let windows = ["stale-while-revalidate=600", "stale-if-error=600"];
    for (window, outage) in windows.into_iter().flat_map(|w| [(w, 503), (w, 0)]) {
        let control = format!("max-age=10, {window}");
        let (cache, log, _) = stack(Config::default(), move |_, n| match (n, outage) {
            (1, _) => now(ok(&[("cache-control", &control)], "1")),
            (_, 0) => down(),
            _ => now(response(503, &[], "later")),
        });
        fetch(&cache, "/").await;
        pass(20).await;
        for second in 0..3 {
            for _ in 0..40 {
                assert_eq!(fetch(&cache, "/").await.body(), "1", "{window} {outage}");
                settle().await;
            }
            assert_eq!(log.count(), 2 + second, "{window} {outage}");
            pass(1).await;
        }
        // Who wants an answer of the origin gets one.
        let before = log.count();
        let _ = send(&cache, get("/", &[("cache-control", "no-cache")])).await;
        assert_eq!(log.count(), before + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_outage_does_not_allow_it_does_not_allow_in_the_time_off_either() {
    // The origin answers with an error, and only its silence allows a stale answer.
    let (cache, log, _) = stack(Config::default(), |_, n| match n {
        1 => now(ok(&[("cache-control", "max-age=10")], "1")),
        _ => now(response(503, &[], "later")),
    });
    fetch(&cache, "/").await;
    pass(11).await;
    for count in 2..5 {
        assert_eq!(fetch(&cache, "/").await.status, 503);
        assert_eq!(log.count(), count);
    }
    // Past the window the time off does not count.
    let (cache, _, _) = stack(Config::default(), |_, n| match n {
        1 => now(ok(&[("cache-control", "max-age=10, stale-if-error=1")], "1")),
        _ => now(response(503, &[], "later")),
    });
    fetch(&cache, "/").await;
    tokio::time::advance(Duration::from_millis(10_900)).await;
    assert_eq!(fetch(&cache, "/").await.status, 200);
    tokio::time::advance(Duration::from_millis(200)).await;
    assert_eq!(fetch(&cache, "/").await.status, 503);
}

#[tokio::test(start_paused = true)]
async fn a_recovered_origin_is_heard_after_the_time_off() {
    let (cache, _, _) = stack(Config::default(), |_, n| match n {
        2 => down(),
        n => now(ok(&[("cache-control", "max-age=10")], n.to_string())),
    });
    fetch(&cache, "/").await;
    pass(11).await;
    for _ in 0..2 {
        let reply = fetch(&cache, "/").await;
        assert_eq!((reply.body(), reply.field("age")), ("1", Some("11")));
    }
    pass(1).await;
    assert_eq!(fetch(&cache, "/").await.body(), "3");
}

async fn many(cache: &vcache::http::Cache<http_origin::Origin>, count: usize) -> Vec<Reply> {
    let asked: Vec<_> = (0..count)
        .map(|_| {
            tokio::spawn({
                let cache = cache.clone();
                async move { fetch(&cache, "/").await }
            })
        })
        .collect();
    let mut replies = Vec::new();
    for asked in asked {
        replies.push(asked.await.unwrap());
    }
    replies
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_long_for_an_origin_that_hangs_where_a_stale_answer_is_allowed() {
    let (cache, log, handle) = stack(Config::default(), |_, n| match n {
        1 => now(ok(&[("cache-control", "max-age=10, stale-if-error=600")], "1")),
        _ => after(20 * SECOND, ok(&[MINUTE], "2")),
    });
    fetch(&cache, "/").await;
    pass(11).await;
    let begun = Instant::now();
    let replies = many(&cache, 20).await;
    assert!(replies.iter().all(|reply| reply.body() == "1"));
    assert_eq!((log.count(), begun.elapsed()), (2, 2 * SECOND));
    // While that fetch goes on, nobody waits at all.
    for _ in 0..5 {
        let asked = Instant::now();
        assert_eq!(fetch(&cache, "/").await.body(), "1");
        assert_eq!(asked.elapsed(), Duration::ZERO);
        sleep(3 * SECOND).await;
    }
    assert_eq!((log.count(), handle.stats().refreshes), (2, 1));
    sleep(4 * SECOND).await;
    assert_eq!((fetch(&cache, "/").await.body(), log.count()), ("2", 2));
}

#[tokio::test(start_paused = true)]
async fn a_slow_origin_is_waited_for_where_no_error_allows_a_stale_answer() {
    let rows = [
        (Config::default(), "max-age=10", 20),
        (Config::default(), "max-age=10, stale-if-error=600, must-revalidate", 20),
        (
            Config { stale_after: Duration::ZERO, ..Config::default() },
            "max-age=10, stale-if-error=600",
            20,
        ),
        (
            Config { stale_after: 7 * SECOND, ..Config::default() },
            "max-age=10, stale-if-error=600",
            7,
        ),
    ];
    for (config, control, waits) in rows {
        let (cache, _, _) = stack(config, move |_, n| match n {
            1 => now(ok(&[("cache-control", control)], "1")),
            _ => after(20 * SECOND, ok(&[("cache-control", "max-age=10")], "2")),
        });
        fetch(&cache, "/").await;
        pass(11).await;
        let begun = Instant::now();
        let reply = fetch(&cache, "/").await;
        assert_eq!(reply.body(), if waits == 20 { "2" } else { "1" }, "{control}");
        assert_eq!(begun.elapsed(), waits * SECOND, "{control}");
    }
}

#[test]
fn few_tags_beside_cache_groups_are_refused() {
    let config = Config { max_tags: 31, ..Config::default() };
    assert_eq!(config.check(), Err(BuildError::TooFewTags(31)));
}
