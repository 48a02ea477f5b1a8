//! Concurrent misses share one request to the origin, and nobody waits in vain.
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

use http::Request;
use http_origin::{
    Down, Origin, Reply, after, chunks, down, fetch, get, now, ok, pass, response, send, stack,
};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use vcache::http::{Cache, Config};
use vhttp::Body;

const FRESH: (&str, &str) = ("cache-control", "max-age=60");
const SECOND: Duration = Duration::from_secs(1);

type Asked = JoinHandle<Result<Reply, Down>>;

fn start(cache: &Cache<Origin>, request: Request<Body>) -> Asked {
    let cache = cache.clone();
    tokio::spawn(async move { send(&cache, request).await })
}

async fn many(cache: &Cache<Origin>, count: usize, path: &str) -> Vec<Reply> {
    let asked: Vec<_> = (0..count).map(|_| start(cache, get(path, &[]))).collect();
    let mut replies = Vec::new();
    for asked in asked {
        replies.push(asked.await.unwrap().unwrap());
    }
    replies
}

#[tokio::test(start_paused = true)]
async fn a_thousand_concurrent_misses_are_one_request() {
    let (cache, log, handle) =
        stack(Config::default(), |_, n| after(SECOND, ok(&[FRESH], n.to_string())));
    let replies = many(&cache, 1000, "/").await;
    assert_eq!(log.count(), 1);
    assert!(replies.iter().all(|reply| reply.body() == "1"));
    let collapsed = |r: &&Reply| r.cache_status() == "Verve; fwd=uri-miss; collapsed";
    assert_eq!(replies.iter().filter(collapsed).count(), 999);
    assert_eq!((handle.stats().collapsed, handle.stats().misses), (999, 1));
}

#[tokio::test(start_paused = true)]
async fn a_streamed_answer_is_shared() {
    let (cache, log, _) =
        stack(Config::default(), |_, _| after(SECOND, ok(&[FRESH], chunks(&[Ok("a"), Ok("b")]))));
    let replies = many(&cache, 10, "/").await;
    assert_eq!(log.count(), 1);
    assert!(replies.iter().all(|reply| reply.body() == "ab"));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_shared_releases_all_at_once_and_spares_the_next_the_queue() {
    let (cache, log, _) = stack(Config::default(), |_, n| {
        let control = if n <= 20 { "private" } else { "max-age=60" };
        after(SECOND, ok(&[("cache-control", control)], n.to_string()))
    });
    let begun = Instant::now();
    many(&cache, 10, "/").await;
    // The leader's second, and one for all others together.
    assert_eq!((log.count(), begun.elapsed()), (10, 2 * SECOND));
    let begun = Instant::now();
    many(&cache, 10, "/").await;
    assert_eq!((log.count(), begun.elapsed()), (20, SECOND));
    // An answer that can be stored ends it.
    many(&cache, 1, "/").await;
    pass(61).await;
    many(&cache, 10, "/").await;
    assert_eq!(log.count(), 22);
}

#[tokio::test(start_paused = true)]
async fn the_spared_queue_comes_back_after_its_time() {
    let (cache, log, _) = stack(Config::default(), |_, n| {
        after(SECOND, ok(&[("cache-control", "private")], n.to_string()))
    });
    many(&cache, 2, "/").await;
    pass(120).await;
    let begun = Instant::now();
    many(&cache, 10, "/").await;
    assert_eq!((log.count(), begun.elapsed()), (12, 2 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn too_large_a_body_is_known_to_be_unshareable_when_it_passes_the_limit() {
    let config = Config { max_object_size: 3, ..Config::default() };
    let (cache, log, _) =
        stack(config, |_, _| after(SECOND, ok(&[FRESH], chunks(&[Ok("ab"), Ok("cd")]))));
    let begun = Instant::now();
    // Whoever reads from the beginning gets the whole, and the next ones need not wait.
    for count in [1, 4] {
        let replies = many(&cache, 3, "/").await;
        assert!(replies.iter().all(|reply| reply.body() == "abcd"));
        assert_eq!(
            (log.count(), begun.elapsed()),
            (count, SECOND * if count == 1 { 1 } else { 2 })
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_leaves_takes_nothing_away() {
    let (cache, log, _) =
        stack(Config::default(), |_, n| after(2 * SECOND, ok(&[FRESH], n.to_string())));
    let leader = start(&cache, get("/", &[]));
    sleep(SECOND).await;
    let followers: Vec<_> = (0..5).map(|_| start(&cache, get("/", &[]))).collect();
    sleep(SECOND / 2).await;
    leader.abort();
    for follower in followers {
        assert_eq!(follower.await.unwrap().unwrap().body(), "1");
    }
    assert_eq!(log.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_fill_that_everybody_left_goes_on_if_there_is_a_place_and_for_a_bounded_time() {
    for (places, limit, count) in [(1, 10, 1), (0, 10, 2), (1, 1, 2)] {
        let config =
            Config { max_refreshes: places, refresh_timeout: limit * SECOND, ..Config::default() };
        let (cache, log, handle) =
            stack(config, |_, n| after(3 * SECOND, ok(&[FRESH], n.to_string())));
        let leader = start(&cache, get("/", &[]));
        sleep(SECOND / 2).await;
        leader.abort();
        sleep(SECOND / 4).await;
        assert_eq!(handle.stats().refreshes, usize::try_from(places).unwrap());
        sleep(5 * SECOND).await;
        assert_eq!(handle.stats().refreshes, 0);
        fetch(&cache, "/").await;
        assert_eq!(log.count(), count, "{places} places, {limit} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_stops_reading_strands_nobody() {
    let (cache, log, _) =
        stack(Config::default(), |_, _| after(SECOND, ok(&[FRESH], chunks(&[Ok("a"), Ok("b")]))));
    let leader = tower::ServiceExt::oneshot(cache.clone(), get("/", &[])).await.unwrap();
    let follower = start(&cache, get("/", &[]));
    sleep(SECOND).await;
    drop(leader);
    assert_eq!(follower.await.unwrap().unwrap().body(), "ab");
    assert_eq!(log.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn waiting_has_an_end() {
    let config = Config { collapse_timeout: SECOND, ..Config::default() };
    let (cache, log, _) = stack(config, |_, n| {
        let wait = if n == 1 { 60 * SECOND } else { SECOND };
        after(wait, ok(&[FRESH], n.to_string()))
    });
    let leader = start(&cache, get("/", &[]));
    tokio::task::yield_now().await;
    let begun = Instant::now();
    assert_eq!(fetch(&cache, "/").await.body(), "2");
    assert_eq!((log.count(), begun.elapsed()), (2, 2 * SECOND));
    // The slow leader still gets its own answer.
    assert_eq!(leader.await.unwrap().unwrap().body(), "1");
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_fails_fails_alone() {
    let (cache, log, _) = stack(Config::default(), |_, n| match n {
        1 => Box::pin(async {
            sleep(SECOND).await;
            down().await
        }),
        n => after(SECOND, ok(&[FRESH], n.to_string())),
    });
    let asked: Vec<_> = (0..5).map(|_| start(&cache, get("/", &[]))).collect();
    let mut failed = 0;
    for asked in asked {
        match asked.await.unwrap() {
            Ok(reply) => assert_eq!(reply.body(), "2"),
            Err(Down) => failed += 1,
        }
    }
    assert_eq!((failed, log.count()), (1, 2));
}

/// What a gateway says when the origin closed the connection.
fn closed() -> http::Response<Body> {
    vhttp::Reject::new(http::StatusCode::BAD_GATEWAY, "upstream-closed").into_response()
}

/// What an origin says in an outage.
fn unwell() -> http::Response<Body> {
    response(503, &[], "later")
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_tells_of_an_outage_promotes_one() {
    for outage in [closed, unwell] {
        let (cache, log, _) = stack(Config::default(), move |_, n| match n {
            1 => after(SECOND, outage()),
            n => after(SECOND, ok(&[FRESH], n.to_string())),
        });
        let replies = many(&cache, 5, "/").await;
        let failed = |reply: &&Reply| reply.status.is_server_error();
        assert_eq!((replies.iter().filter(failed).count(), log.count()), (1, 2));
        assert!(replies.iter().filter(|reply| !failed(reply)).all(|reply| reply.body() == "2"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_goes_on_is_met_by_one_after_the_other_until_all_know() {
    for (outage, status) in [(closed as fn() -> _, 502), (unwell, 503)] {
        let (cache, log, handle) =
            stack(Config::default(), move |_, _| after(SECOND * 3 / 10, outage()));
        let begun = Instant::now();
        let replies = many(&cache, 100, "/").await;
        assert!(replies.iter().all(|reply| reply.status == status));
        // The 17th asks within five seconds, and is the last.
        assert_eq!((log.count(), begun.elapsed()), (17, SECOND * 51 / 10));
        let told = |reply: &&Reply| reply.cache_status() == "Verve; fwd=uri-miss; collapsed";
        assert_eq!(replies.iter().filter(told).count(), 83);
        assert_eq!(handle.stats().collapsed, 83);
        // It says nothing of the next time.
        many(&cache, 1, "/").await;
        assert_eq!(log.count(), 18);
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_origin_is_asked_once_more_each_time_the_bound_passes() {
    let slow = SECOND * 13 / 2;
    let (cache, log, _) =
        stack(Config::default(), move |_, n| after(slow, ok(&[FRESH], n.to_string())));
    let begun = Instant::now();
    let asked: Vec<_> = (0..30).map(|_| start(&cache, get("/", &[]))).collect();
    sleep(slow + SECOND / 10).await;
    // The first answer is for all but the one who asks by itself.
    assert_eq!((log.count(), asked.iter().filter(|asked| asked.is_finished()).count()), (2, 29));
    for asked in asked {
        assert_eq!(asked.await.unwrap().unwrap().status, 200);
    }
    assert_eq!(begun.elapsed(), slow + 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn who_waits_behind_one_that_hangs_gets_the_answer_of_the_next() {
    let (cache, log, _) = stack(Config::default(), |_, n| match n {
        1 => Box::pin(std::future::pending()),
        n => after(SECOND, ok(&[FRESH], n.to_string())),
    });
    let begun = Instant::now();
    let hangs = start(&cache, get("/", &[]));
    tokio::task::yield_now().await;
    let replies = many(&cache, 30, "/").await;
    assert!(replies.iter().all(|reply| reply.body() == "2"));
    assert_eq!((log.count(), begun.elapsed()), (2, 6 * SECOND));
    hangs.abort();
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_hangs_for_all_is_not_asked_by_all() {
    let (cache, log, _) = stack(Config::default(), |_, _| after(30 * SECOND, closed()));
    let replies = many(&cache, 100, "/").await;
    assert!(replies.iter().all(|reply| reply.status == 502));
    // One each five seconds, until the second of them has failed.
    assert!(log.count() <= 8, "{}", log.count());
}

#[tokio::test(start_paused = true)]
async fn clients_with_preconditions_share_a_fetch_of_the_whole() {
    // Cold; and stale with nothing to validate by.
    for control in ["max-age=60", "max-age=1, stale-if-error=60"] {
        let (cache, log, _) = stack(Config::default(), move |_, n| {
            let control = if n == 1 { control } else { "max-age=60" };
            after(
                SECOND,
                ok(
                    &[("cache-control", control), ("etag", "\"1\"")][..if n == 1 { 1 } else { 2 }],
                    "x",
                ),
            )
        });
        if control != "max-age=60" {
            fetch(&cache, "/").await;
        } else {
            many(&cache, 1, "/other").await;
        }
        let before = log.count();
        let fields = [("if-none-match", "\"1\"")];
        let asked: Vec<_> = (0..20).map(|_| start(&cache, get("/", &fields))).collect();
        for asked in asked {
            let reply = asked.await.unwrap().unwrap();
            assert_eq!((reply.status.as_u16(), reply.body()), (304, ""));
            assert_eq!(reply.field("etag"), Some("\"1\""));
        }
        assert_eq!(log.count(), before + 1, "{control}");
        assert!(!log.last().headers.contains_key("if-none-match"));
        assert_eq!(fetch(&cache, "/").await.body(), "x");
        let reply = send(&cache, get("/", &[("if-none-match", "\"2\"")])).await.unwrap();
        assert_eq!((reply.status.as_u16(), log.count()), (200, before + 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_precondition_is_the_origins_where_the_answer_is_hardly_for_others() {
    // The second time nobody hopes for an answer that can be shared.
    let (cache, log, _) = stack(Config::default(), |request, _| {
        let fields = [("cache-control", "private"), ("etag", "\"1\"")];
        now(match request.headers.contains_key("if-none-match") {
            true => response(304, &fields, ""),
            false => ok(&fields, "x"),
        })
    });
    let fields = [("if-none-match", "\"1\"")];
    for (status, is_told) in [(200, false), (304, true), (304, true)] {
        let reply = send(&cache, get("/", &fields)).await.unwrap();
        assert_eq!(reply.status.as_u16(), status);
        assert_eq!(log.last().headers.contains_key("if-none-match"), is_told);
    }
    let own = [("if-none-match", "\"1\""), ("authorization", "x")];
    let reply = send(&cache, get("/own", &own)).await.unwrap();
    assert_eq!(reply.status.as_u16(), 304);
}

#[tokio::test(start_paused = true)]
async fn each_variant_is_fetched_once() {
    let (cache, log, _) = stack(Config::default(), |request, _| {
        let language = request.headers["accept-language"].to_str().unwrap();
        let fields = [FRESH, ("vary", "accept-language")];
        after(SECOND, ok(&fields, language.to_owned()))
    });
    let languages = ["en", "de", "fr", "en", "de", "fr"];
    let begun = Instant::now();
    let asked = languages.map(|l| (l, start(&cache, get("/", &[("accept-language", l)]))));
    for (language, asked) in asked {
        assert_eq!(asked.await.unwrap().unwrap().body(), language);
    }
    // One second for the first, whose answer tells of Vary; one for the others side by side.
    assert_eq!((log.count(), begun.elapsed()), (3, 2 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn requests_that_want_an_answer_of_their_own_do_not_wait() {
    let (cache, log, _) = stack(Config::default(), |_, _| {
        after(SECOND, ok(&[("cache-control", "no-cache"), ("etag", "\"1\"")], "x"))
    });
    let begun = Instant::now();
    many(&cache, 1, "/").await;
    many(&cache, 10, "/").await;
    assert_eq!((log.count(), begun.elapsed()), (11, 2 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn collapsing_can_be_turned_off() {
    let config = Config { collapse: false, ..Config::default() };
    let (cache, log, _) = stack(config, |_, _| after(SECOND, ok(&[FRESH], "x")));
    many(&cache, 10, "/").await;
    assert_eq!(log.count(), 10);
}

#[tokio::test(start_paused = true)]
async fn what_is_over_or_too_heavy_when_it_is_complete_makes_nobody_queue() {
    // Over: the body takes longer than the lifetime.
    let slow = || {
        let frames = futures_util::stream::once(async {
            sleep(3 * SECOND).await;
            let frame = http_body::Frame::data(bytes::Bytes::from_static(b"x"));
            Ok::<_, std::io::Error>(frame)
        });
        Body::new(http_body_util::StreamBody::new(Box::pin(frames)))
    };
    let config = Config { stale_if_unreachable: Duration::ZERO, ..Config::default() };
    let (cache, log, _) =
        stack(config, move |_, _| now(ok(&[("cache-control", "max-age=2")], slow())));
    let begun = Instant::now();
    many(&cache, 5, "/").await;
    assert_eq!((log.count(), begun.elapsed()), (1, 3 * SECOND));
    assert!(fetch(&cache, "/").await.cache_status().contains("fwd=uri-miss"));
    // Too heavy: the head alone is more than the cache holds.
    let config = Config { max_size: 2048, max_object_size: 2048, ..Config::default() };
    let (cache, log, _) = stack(config, |_, _| {
        let long = "x".repeat(4096);
        after(SECOND, ok(&[FRESH, ("x-long", &long)], "x"))
    });
    let begun = Instant::now();
    many(&cache, 5, "/").await;
    assert_eq!((log.count(), begun.elapsed()), (5, 2 * SECOND));
}
