//! A purge that returned is never undone: not by fills under way, and not by readers in between.
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
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http_origin::{chunks, fetch, ok, stack};
use tokio::task::yield_now;
use vcache::http::{Config, Purge};

const VERSIONS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
const ROUNDS: usize = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_a_purge_nobody_gets_what_was_there_before() {
    let version = Arc::new(AtomicUsize::new(0));
    let current = Arc::clone(&version);
    let (cache, log, handle) = stack(Config::default(), move |request, n| {
        // What an origin read when it was asked is what it sends, however long that takes.
        let body = VERSIONS[current.load(Ordering::SeqCst) % VERSIONS.len()];
        let path = request.uri.path().to_owned();
        Box::pin(async move {
            for _ in 0..n % 7 {
                yield_now().await;
            }
            let fields = [("cache-control", "max-age=60"), ("cache-tag", "all"), ("x-path", &path)];
            Ok(ok(&fields, chunks(&[Ok(""), Ok(body)])))
        })
    });
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..6)
        .map(|reader| {
            let (cache, stop) = (cache.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    assert!(!fetch(&cache, &format!("/{}", reader % 2)).await.body().is_empty());
                    yield_now().await;
                }
            })
        })
        .collect();
    let purges = [
        Purge::tag("all").hard(),
        Purge::url("http://a.test/0").hard(),
        Purge::prefix("http://a.test/").hard(),
        Purge::tag("all"),
        Purge::host("a.test").hard(),
        Purge::url("http://a.test/0"),
        Purge::everything(),
    ];
    for round in 1..=ROUNDS {
        version.store(round, Ordering::SeqCst);
        handle.purge(&purges[round % purges.len()]).await.unwrap();
        for _ in 0..3 {
            let reply = fetch(&cache, "/0").await;
            assert_eq!(reply.body(), VERSIONS[round % VERSIONS.len()], "round {round}");
        }
    }
    stop.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(log.count() >= ROUNDS && handle.stats().hits > 0);
}
