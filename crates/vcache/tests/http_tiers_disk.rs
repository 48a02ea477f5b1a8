//! Responses on disk: found again after a restart, and never after a purge.
#![cfg(all(feature = "disk", feature = "http"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod http_origin;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_origin::{
    Answering, Log, Origin, Reply, ask, behind, fetch, get, now, ok, response, send,
};
use tempfile::TempDir;
use tokio::sync::Notify;
use vcache::http::{Cache, CacheLayer, Config, HttpCache, Purge, TierState};
use vcache::{DiskConfig, DiskStore, Store};

const LONG: Duration = Duration::from_secs(60);

fn config(folder: &Path) -> Config {
    let disk = DiskConfig { path: folder.join("pages.sqlite"), ..DiskConfig::default() };
    // Generous, because other tests may hold the machine.
    Config { disk: Some(disk), disk_timeout: LONG, ..Config::default() }
}

/// Pages with tags and validators, of which each has a number that counts the requests.
fn pages(parts: &http::request::Parts, n: usize) -> Answering {
    let fields = [
        ("cache-control", "max-age=600, stale-if-error=600"),
        ("etag", "\"1\""),
        ("cache-tag", "all, some"),
        ("vary", if parts.uri.path().starts_with("/v") { "x-side" } else { "" }),
    ];
    let fields = if fields[3].1.is_empty() { &fields[..3] } else { &fields };
    if parts.headers.contains_key("if-none-match") {
        return now(response(304, fields, ""));
    }
    now(ok(fields, format!("page {n}")))
}

fn start(config: Config) -> (Cache<Origin>, Log, HttpCache) {
    let cache = HttpCache::new(config).unwrap();
    let (service, log) = behind(&CacheLayer::new(cache.clone()), pages);
    (service, log, cache)
}

fn disk(cache: &HttpCache) -> TierState {
    cache.tiers().unwrap().tiers[0].clone()
}

/// Asks with nothing in memory.
async fn below(cache: &HttpCache, service: &Cache<Origin>, path: &str) -> Reply {
    assert!(cache.flush(LONG).await);
    cache.empty_memory();
    fetch(service, path).await
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let (service, log, cache) = start(config(folder.path()));
    for path in ["/a", "/v"] {
        fetch(&service, path).await;
    }
    send(&service, get("/v", &[("x-side", "b")])).await.unwrap();
    assert_eq!(log.count(), 3);
    assert!(cache.close(LONG).await);
    drop((service, cache));

    let (service, log, cache) = start(config(folder.path()));
    for (path, side, body) in [("/a", "", "page 1"), ("/v", "", "page 2"), ("/v", "b", "page 3")] {
        let fields = [("x-side", side)];
        let fields = if side.is_empty() { &[][..] } else { &fields };
        let reply = send(&service, get(path, fields)).await.unwrap();
        assert_eq!(reply.body(), body);
        assert!(reply.cache_status().contains("; hit"), "{}", reply.cache_status());
    }
    let reply = send(&service, get("/a", &[("if-none-match", "\"1\"")])).await.unwrap();
    assert_eq!(reply.status, 304);
    let reply = send(&service, get("/a", &[("range", "bytes=0-3")])).await.unwrap();
    assert_eq!((reply.status.as_u16(), reply.body()), (206, "page"));
    let only = send(&service, get("/v", &[("cache-control", "only-if-cached")])).await.unwrap();
    assert_eq!(only.status, 200);
    let side = [("x-side", "c"), ("cache-control", "only-if-cached")];
    assert_eq!(send(&service, get("/v", &side)).await.unwrap().status, 504);
    assert_eq!(log.count(), 0);
    assert_eq!((disk(&cache).hits, cache.stats().hits), (3, 6));
}

#[tokio::test]
async fn what_was_purged_is_found_on_no_tier_and_not_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let purges = [
        Purge::url("http://a.test/v"),
        Purge::tag("some"),
        Purge::prefix("http://a.test/v"),
        Purge::host("a.test"),
        Purge::everything(),
    ];
    for (round, purge) in purges.into_iter().enumerate() {
        for (hard, restart) in [(false, false), (true, false), (false, true), (true, true)] {
            let (mut service, mut log, mut cache) = start(config(folder.path()));
            let first = fetch(&service, "/v").await;
            assert!(cache.flush(LONG).await);
            cache.purge(&if hard { purge.clone().hard() } else { purge.clone() }).await.unwrap();
            if restart {
                cache.close(LONG).await;
                (service, log, cache) = start(config(folder.path()));
            }
            let before = log.count();
            let reply = below(&cache, &service, "/v").await;
            let status = reply.cache_status();
            let expected = if hard { "fwd=uri-miss; fwd-status=200" } else { "fwd-status=304" };
            assert!(status.contains(expected), "{round} {hard} {restart}: {status}");
            if !hard {
                assert_eq!(reply.body(), first.body(), "{round} {restart}");
            }
            assert_eq!(log.count() - before, 1);
            // What was confirmed or came anew counts again.
            let again = below(&cache, &service, "/v").await;
            assert!(again.cache_status().contains("; hit"), "{}", again.cache_status());
            cache.purge(&Purge::everything().hard()).await.unwrap();
            cache.close(LONG).await;
        }
    }
}

#[tokio::test]
async fn what_is_purged_softly_stands_in_for_an_error_from_disk() {
    let folder = TempDir::new().unwrap();
    let cache = HttpCache::new(config(folder.path())).unwrap();
    let (service, _) = behind(&CacheLayer::new(cache.clone()), |parts, n| match n {
        1 => pages(parts, n),
        _ => now(response(503, &[], "down")),
    });
    fetch(&service, "/a").await;
    cache.flush(LONG).await;
    cache.purge(&Purge::tag("all")).await.unwrap();
    assert_eq!(below(&cache, &service, "/a").await.body(), "page 1");
    cache.purge(&Purge::tag("all").hard()).await.unwrap();
    assert_eq!(below(&cache, &service, "/a").await.status, 503);
}

#[tokio::test]
async fn what_was_asked_for_before_a_purge_is_on_no_tier_after_it() {
    let folder = TempDir::new().unwrap();
    let cache = HttpCache::new(config(folder.path())).unwrap();
    let (asked, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, wait) = (Arc::clone(&asked), Arc::clone(&go));
    let (service, log) = behind(&CacheLayer::new(cache.clone()), move |parts, n| {
        let (told, wait, answer) = (Arc::clone(&told), Arc::clone(&wait), pages(parts, n));
        Box::pin(async move {
            told.notify_one();
            wait.notified().await;
            answer.await
        })
    });
    for purge in [Purge::tag("all").hard(), Purge::url("http://a.test/a").hard()] {
        let asking = tokio::spawn({
            let service = service.clone();
            async move { fetch(&service, "/a").await }
        });
        asked.notified().await;
        cache.purge(&purge).await.unwrap();
        go.notify_one();
        assert_eq!(asking.await.unwrap().status, 200);
        let before = log.count();
        go.notify_one();
        below(&cache, &service, "/a").await;
        asked.notified().await;
        assert_eq!(log.count(), before + 1);
        cache.purge(&Purge::everything().hard()).await.unwrap();
    }
}

#[tokio::test]
async fn an_unsafe_request_drops_what_is_on_disk() {
    let folder = TempDir::new().unwrap();
    let (service, log, cache) = start(config(folder.path()));
    for path in ["/a", "/v"] {
        fetch(&service, path).await;
        assert!(below(&cache, &service, path).await.cache_status().contains("; hit"));
        cache.empty_memory();
        send(&service, ask(http::Method::POST, path, &[])).await.unwrap();
        let before = log.count();
        let reply = below(&cache, &service, path).await;
        assert!(!reply.cache_status().contains("; hit"), "{}", reply.cache_status());
        assert_eq!(log.count(), before + 1);
    }
}

#[tokio::test]
async fn what_is_no_response_is_a_miss_and_counted() {
    let folder = TempDir::new().unwrap();
    let (service, log, cache) = start(config(folder.path()));
    fetch(&service, "/a").await;
    cache.close(LONG).await;
    let file = DiskConfig { path: folder.path().join("pages.sqlite"), ..DiskConfig::default() };
    let store = DiskStore::open(&file).unwrap();
    let mut bytes = store.get("uhttp://a.test/a").await.unwrap().unwrap().value.to_vec();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    store.set("uhttp://a.test/a", bytes.into(), None).await.unwrap();
    store.set("uhttp://a.test/b", "no record".into(), None).await.unwrap();
    store.close().await;

    let (service, log2, cache) = start(config(folder.path()));
    for path in ["/a", "/b"] {
        assert_eq!(fetch(&service, path).await.status, 200);
    }
    assert_eq!((log.count(), log2.count(), disk(&cache).damaged), (1, 2, 2));
    // What came instead takes its place.
    assert!(below(&cache, &service, "/a").await.cache_status().contains("; hit"));
}

#[tokio::test]
async fn bounds_are_kept_and_counted() {
    let folder = TempDir::new().unwrap();
    let small = Config { disk_max_object_size: 3, ..config(folder.path()) };
    let (service, _, cache) = start(small);
    fetch(&service, "/a").await;
    cache.flush(LONG).await;
    assert_eq!((disk(&cache).too_large, disk(&cache).written), (1, 0));
    cache.close(LONG).await;
    let none = Config { max_pending_writes: 0, ..config(folder.path()) };
    let (service, log, cache) = start(none);
    fetch(&service, "/b").await;
    assert_eq!((disk(&cache).dropped, disk(&cache).written), (1, 0));
    assert!(!below(&cache, &service, "/b").await.cache_status().contains("; hit"));
    assert_eq!(log.count(), 2);
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_leaves_a_cache_in_memory() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("none").join("pages.sqlite");
    let disk_at = DiskConfig { path, ..DiskConfig::default() };
    let (service, log, cache) = start(Config { disk: Some(disk_at), ..config(folder.path()) });
    for _ in 0..2 {
        fetch(&service, "/a").await;
    }
    assert_eq!(log.count(), 1);
    assert!(disk(&cache).absent.unwrap().contains("none"));
    cache.purge(&Purge::everything().hard()).await.unwrap();
    fetch(&service, "/a").await;
    assert_eq!(log.count(), 2);

    let wrong = DiskConfig { readers: 0, ..DiskConfig::default() };
    let wrong = Config { disk: Some(wrong), ..Config::default() };
    assert!(HttpCache::new(wrong).unwrap_err().to_string().contains("readers"));
}

#[tokio::test]
async fn many_who_ask_for_what_is_on_disk_read_it_once() {
    let folder = TempDir::new().unwrap();
    let (service, log, cache) = start(config(folder.path()));
    fetch(&service, "/a").await;
    cache.flush(LONG).await;
    cache.empty_memory();
    let answered = Arc::new(AtomicUsize::new(0));
    let asking: Vec<_> = (0..50)
        .map(|_| {
            let (service, answered) = (service.clone(), Arc::clone(&answered));
            tokio::spawn(async move {
                assert_eq!(fetch(&service, "/a").await.body(), "page 1");
                answered.fetch_add(1, Ordering::SeqCst);
            })
        })
        .collect();
    for task in asking {
        task.await.unwrap();
    }
    assert_eq!((answered.load(Ordering::SeqCst), log.count()), (50, 1));
    assert_eq!(disk(&cache).hits, 1);
}
