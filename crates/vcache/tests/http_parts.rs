//! Concurrent requests for the same part, and parts whose clients leave.
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

use http_origin::{Answering, Origin, Reply, after, chunks, get, ok, response, send, stack};
use tokio::time::Instant;
use vcache::http::{Cache, Config};

const SECOND: Duration = Duration::from_secs(1);
const TEXT: &str = "0123456789";
const FRESH: (&str, &str) = ("cache-control", "max-age=60");
const TAG: (&str, &str) = ("etag", "\"1\"");

/// A part after a second, with a length that is known from its place alone.
fn part(control: &'static str, range: &str) -> Answering {
    let (first, last) = range.split_once('-').unwrap();
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
    let place = format!("bytes {range}/10");
    let fields = [("cache-control", control), TAG, ("content-range", &place)];
    after(SECOND, response(206, &fields, chunks(&[Ok(&TEXT[first..=last])])))
}

async fn all(cache: &Cache<Origin>, ranges: &[&'static str]) -> Vec<Reply> {
    let asked: Vec<_> = ranges
        .iter()
        .map(|&range| {
            let cache = cache.clone();
            tokio::spawn(async move { send(&cache, get("/", &[("range", range)])).await.unwrap() })
        })
        .collect();
    let mut replies = Vec::new();
    for asked in asked {
        replies.push(asked.await.unwrap());
    }
    replies
}

#[tokio::test(start_paused = true)]
async fn the_same_part_is_asked_for_once_and_another_on_its_own() {
    let (cache, log, handle) = stack(Config::default(), |asked, _| {
        let range = asked.headers["range"].to_str().unwrap().trim_start_matches("bytes=");
        part("max-age=60", range)
    });
    let begun = Instant::now();
    let ranges = ["bytes=2-4", "bytes=2-4", "bytes=6-7", "bytes=2-4", "bytes=6-7"];
    let replies = all(&cache, &ranges).await;
    assert_eq!((log.count(), begun.elapsed()), (2, SECOND));
    for (reply, range) in replies.iter().zip(ranges) {
        let body = if range == "bytes=2-4" { "234" } else { "67" };
        assert_eq!((reply.status.as_u16(), reply.body()), (206, body));
    }
    let collapsed = |r: &&Reply| r.cache_status() == "Verve; fwd=uri-miss; collapsed";
    assert_eq!(replies.iter().filter(collapsed).count(), 3);
    assert_eq!((handle.stats().collapsed, handle.stats().misses), (3, 2));
}

#[tokio::test(start_paused = true)]
async fn a_part_that_may_not_be_stored_releases_all_at_once() {
    let (cache, log, _) = stack(Config::default(), |_, _| part("private", "2-4"));
    let begun = Instant::now();
    all(&cache, &["bytes=2-4"; 5]).await;
    assert_eq!((log.count(), begun.elapsed()), (5, 2 * SECOND));
    // And the next ones need not wait to learn that.
    all(&cache, &["bytes=2-4"; 5]).await;
    assert_eq!((log.count(), begun.elapsed()), (10, 3 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn where_no_parts_are_stored_nobody_waits() {
    let config = Config { store_parts: false, ..Config::default() };
    let (cache, log, _) = stack(config, |_, _| part("max-age=60", "2-4"));
    let begun = Instant::now();
    all(&cache, &["bytes=2-4"; 5]).await;
    assert_eq!((log.count(), begun.elapsed()), (5, SECOND));
}

#[tokio::test(start_paused = true)]
async fn the_whole_in_answer_to_one_serves_all() {
    let (cache, log, _) =
        stack(Config::default(), |_, _| after(SECOND, ok(&[FRESH, TAG], chunks(&[Ok(TEXT)]))));
    let replies = all(&cache, &["bytes=2-4"; 3]).await;
    assert_eq!(log.count(), 1);
    assert_eq!((replies[0].status.as_u16(), replies[0].body()), (200, TEXT));
    for reply in &replies[1..] {
        assert_eq!((reply.status.as_u16(), reply.body()), (206, "234"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_range_beyond_the_end_says_nothing_about_the_whole() {
    let (cache, log, _) = stack(Config::default(), |asked, _| match asked.headers.get("range") {
        Some(_) => after(SECOND, response(416, &[("content-range", "bytes */10")], "")),
        None => after(SECOND, ok(&[FRESH, TAG], TEXT)),
    });
    let replies = all(&cache, &["bytes=20-30"; 3]).await;
    assert!(replies.iter().all(|reply| reply.status == 416));
    assert_eq!(log.count(), 3);
    let whole = || {
        let cache = cache.clone();
        tokio::spawn(async move { send(&cache, get("/", &[])).await.unwrap() })
    };
    for asked in [whole(), whole(), whole()] {
        assert_eq!(asked.await.unwrap().body(), TEXT);
    }
    assert_eq!(log.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_does_not_take_the_part_away() {
    let (cache, log, handle) = stack(Config::default(), |_, _| part("max-age=60", "2-4"));
    let leaving = {
        let cache = cache.clone();
        tokio::spawn(async move { send(&cache, get("/", &[("range", "bytes=2-4")])).await })
    };
    tokio::time::sleep(SECOND / 2).await;
    leaving.abort();
    assert!(leaving.await.unwrap_err().is_cancelled());
    tokio::time::sleep(SECOND).await;
    assert_eq!(handle.stats().fetches, 0);
    assert_eq!(all(&cache, &["bytes=3-3"]).await[0].body(), "3");
    assert_eq!(log.count(), 1);
}
