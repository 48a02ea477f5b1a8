//! Codings of stored responses: made once, kept beside the body, marked in the head.
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

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderMap, response};
use http_origin::{Log, Origin, behind, fetch, get, now, ok, pass, response as answer, send};
use vcache::http::{Cache, CacheLayer, Config, Encode, HttpCache};

const FRESH: (&str, &str) = ("cache-control", "max-age=60");
const TAG: (&str, &str) = ("etag", "\"1\"");

/// Turns bodies round, for those who accept that; words of one letter are not worth it.
#[derive(Default)]
struct Reverse {
    made: AtomicUsize,
}

impl Encode for Reverse {
    fn choose(&self, request: &HeaderMap, _: &response::Parts) -> Option<&'static str> {
        let accepted = request.get("accept-encoding")?;
        (accepted == "reverse").then_some("reverse")
    }

    fn encode(&self, _: &'static str, identity: &Bytes) -> Option<Bytes> {
        self.made.fetch_add(1, Ordering::Relaxed);
        let reversed: Vec<u8> = identity.iter().rev().copied().collect();
        (identity.len() > 1).then(|| reversed.into())
    }
}

fn reversing(
    fields: &'static [(&'static str, &'static str)],
    body: &'static str,
) -> (Cache<Origin>, Log, HttpCache, Arc<Reverse>) {
    let cache = HttpCache::new(Config::default()).unwrap();
    let hook = Arc::new(Reverse::default());
    let layer = CacheLayer::new(cache.clone()).encode(hook.clone());
    let (service, log) = behind(&layer, move |request, _| {
        now(match request.headers.contains_key("if-none-match") {
            true => answer(304, &[FRESH], ""),
            false => ok(fields, body),
        })
    });
    (service, log, cache, hook)
}

#[tokio::test(start_paused = true)]
async fn a_coding_is_made_once_and_outlives_a_confirmation() {
    let (cache, log, handle, hook) = reversing(&[FRESH, TAG], "hello");
    fetch(&cache, "/").await;
    let weight = handle.stats().bytes;
    for _ in 0..3 {
        let reply = send(&cache, get("/", &[("accept-encoding", "reverse")])).await.unwrap();
        assert_eq!(reply.body(), "olleh");
        assert_eq!(reply.field("content-encoding"), Some("reverse"));
        assert_eq!(reply.field("content-length"), Some("5"));
        assert_eq!(reply.field("etag"), Some("W/\"1\""));
        assert_eq!(reply.field("vary"), Some("accept-encoding"));
    }
    assert_eq!(handle.stats().bytes, weight + 5);
    let plain = fetch(&cache, "/").await;
    assert_eq!((plain.body(), plain.field("etag")), ("hello", Some("\"1\"")));
    // The weak tag of the coded answer finds the stored one.
    let conditional = [("accept-encoding", "reverse"), ("if-none-match", "W/\"1\"")];
    let reply = send(&cache, get("/", &conditional)).await.unwrap();
    assert_eq!(reply.status.as_u16(), 304);
    assert_eq!(reply.field("etag"), Some("W/\"1\""));
    assert_eq!(reply.field("vary"), Some("accept-encoding"));
    pass(61).await;
    let reply = send(&cache, get("/", &[("accept-encoding", "reverse")])).await.unwrap();
    assert_eq!(reply.body(), "olleh");
    assert_eq!((log.count(), hook.made.load(Ordering::Relaxed)), (2, 1));
    assert_eq!(handle.purge_url("http://a.test/"), 1);
    assert_eq!(handle.stats().bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn what_must_stay_as_it_is_is_left_alone() {
    let rows: [&'static [(&str, &str)]; 4] = [
        &[("cache-control", "max-age=60, no-transform")],
        &[FRESH, ("content-encoding", "gzip")],
        &[FRESH, ("content-digest", "sha-256=:AAAA:")],
        &[FRESH, ("repr-digest", "sha-256=:AAAA:")],
    ];
    for fields in rows {
        let (cache, _, _, hook) = reversing(fields, "hello");
        fetch(&cache, "/").await;
        let reply = send(&cache, get("/", &[("accept-encoding", "reverse")])).await.unwrap();
        assert_eq!(reply.body(), "hello", "{fields:?}");
        assert_eq!(hook.made.load(Ordering::Relaxed), 0, "{fields:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_coding_that_is_not_worth_it_is_not_tried_again() {
    let (cache, _, _, hook) = reversing(&[FRESH], "x");
    for _ in 0..3 {
        let reply = send(&cache, get("/", &[("accept-encoding", "reverse")])).await.unwrap();
        assert_eq!((reply.body(), reply.field("content-encoding")), ("x", None));
    }
    assert_eq!(hook.made.load(Ordering::Relaxed), 1);
}
