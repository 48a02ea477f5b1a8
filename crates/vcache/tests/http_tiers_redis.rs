//! Caches that share a Redis: what one fetches the others find, and what one purges they forget.
#![cfg(all(feature = "http", feature = "redis"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod http_origin;
mod support;

use std::time::Duration;

use http_origin::{Answering, Log, Origin, after, behind, fetch, get, now, ok, response, send};
use support::{Redis, command};
use vcache::http::{Cache, CacheLayer, Config, HttpCache, Purge, PurgeError, TierState};
use vcache::{Fleet, RedisConfig};

const LONG: Duration = Duration::from_secs(60);

struct Gateway {
    service: Cache<Origin>,
    log: Log,
    cache: HttpCache,
}

impl Gateway {
    fn with(config: Config, script: fn(&http::request::Parts, usize) -> Answering) -> Self {
        let cache = HttpCache::new(config).unwrap();
        let (service, log) = behind(&CacheLayer::new(cache.clone()), script);
        Self { service, log, cache }
    }

    async fn start(redis: &Redis) -> Self {
        let gateway = Self::with(config(redis), pages);
        gateway.in_touch(true).await;
        gateway
    }

    async fn in_touch(&self, is: bool) {
        let there = async || self.cache.tiers().unwrap().in_touch == is;
        support::until(if is { "in touch" } else { "out of touch" }, there).await;
    }

    /// The answer, and whether the origin was not asked.
    async fn get(&self, path: &str) -> (String, bool) {
        let before = self.log.count();
        let reply = fetch(&self.service, path).await;
        (reply.body().to_owned(), self.log.count() == before)
    }

    async fn flush(&self) {
        assert!(self.cache.flush(LONG).await);
    }

    fn redis(&self) -> TierState {
        self.cache.tiers().unwrap().tiers[0].clone()
    }
}

fn config(redis: &Redis) -> Config {
    let redis = RedisConfig { timeout: Duration::from_secs(5), ..redis.config() };
    Config {
        redis: Some(redis),
        ping: Duration::from_millis(100),
        offline_ttl: Duration::ZERO,
        ..Config::default()
    }
}

/// Short waits, so that a server that is away is noticed soon.
fn hasty(redis: &Redis) -> Config {
    let redis = RedisConfig { timeout: Duration::from_millis(500), ..redis.config() };
    Config { redis: Some(redis), ..config_of_pings() }
}

fn config_of_pings() -> Config {
    Config { ping: Duration::from_millis(100), offline_ttl: Duration::ZERO, ..Config::default() }
}

fn pages(parts: &http::request::Parts, n: usize) -> Answering {
    let varies = parts.uri.path().starts_with("/v");
    let fields = [
        ("cache-control", "max-age=600, stale-if-error=600"),
        ("etag", "\"1\""),
        ("cache-tag", "all, some"),
        ("vary", "x-side"),
    ];
    let fields = if varies { &fields[..] } else { &fields[..3] };
    if parts.headers.contains_key("if-none-match") {
        return now(response(304, fields, ""));
    }
    now(ok(
        fields,
        format!("{} {n}", parts.headers.get("x-side").map_or("", |v| v.to_str().unwrap())),
    ))
}

#[tokio::test]
async fn what_one_has_fetched_the_other_finds() {
    let redis = Redis::start().await;
    let (one, other) = (Gateway::start(&redis).await, Gateway::start(&redis).await);
    for path in ["/a", "/v"] {
        assert!(!one.get(path).await.1);
        one.flush().await;
        assert!(other.get(path).await.1);
        // And then has it in memory.
        let before = other.redis().hits;
        assert!(other.get(path).await.1);
        assert_eq!(other.redis().hits, before);
    }
    let left = send(&one.service, get("/v", &[("x-side", "left")])).await.unwrap();
    one.flush().await;
    let found = send(&other.service, get("/v", &[("x-side", "left")])).await.unwrap();
    assert_eq!((left.body(), found.body()), ("left 3", "left 3"));
    let age = found.field("age").unwrap().parse::<u64>().unwrap();
    assert!(found.cache_status().contains("; hit") && age < 60);
    let right = send(&other.service, get("/v", &[("x-side", "right")])).await.unwrap();
    assert_eq!(right.body(), "right 1");
    let same = send(&other.service, get("/v", &[("if-none-match", "\"1\"")])).await.unwrap();
    assert_eq!((same.status.as_u16(), other.log.count()), (304, 1));
}

#[tokio::test]
async fn what_one_purges_no_other_serves() {
    let redis = Redis::start().await;
    let (one, other) = (Gateway::start(&redis).await, Gateway::start(&redis).await);
    let purges = [
        Purge::url("http://a.test/v"),
        Purge::tag("some"),
        Purge::prefix("http://a.test/v"),
        Purge::host("a.test"),
        Purge::everything(),
    ];
    for purge in purges {
        for hard in [false, true] {
            one.get("/v").await;
            one.flush().await;
            assert!(other.get("/v").await.1);
            let purge = if hard { purge.clone().hard() } else { purge.clone() };
            assert_eq!(one.cache.purge(&purge).await.unwrap().responses, 1, "{purge:?}");
            // From Redis it is gone at once, also for those who have not heard yet.
            let third = Gateway::start(&redis).await;
            assert!(!third.get("/v").await.1, "{purge:?}");
            let sent = third.log.last();
            assert_eq!(sent.headers.contains_key("if-none-match"), !hard, "{purge:?}");
            // What the third has fetched since is not what was purged.
            third.cache.purge(&Purge::everything().hard()).await.unwrap();
            let forgets = async || !other.get("/v").await.1;
            support::until("the other forgets", forgets).await;
            one.cache.purge(&Purge::everything().hard()).await.unwrap();
            other.cache.purge(&Purge::everything().hard()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_purge_reaches_the_memory_of_the_others() {
    let redis = Redis::start().await;
    let (one, other) = (Gateway::start(&redis).await, Gateway::start(&redis).await);
    for purge in [Purge::tag("all").hard(), Purge::url("http://a.test/a"), Purge::host("a.test")] {
        other.get("/a").await;
        assert!(other.get("/a").await.1);
        other.flush().await;
        one.cache.purge(&purge).await.unwrap();
        support::until("the other asks", async || !other.get("/a").await.1).await;
        // Once only.
        assert!(other.get("/a").await.1);
    }
}

#[tokio::test]
async fn an_unsafe_request_to_one_drops_it_from_all() {
    let redis = Redis::start().await;
    let (one, other) = (Gateway::start(&redis).await, Gateway::start(&redis).await);
    one.get("/v").await;
    one.flush().await;
    assert!(other.get("/v").await.1);
    let post = http_origin::ask(http::Method::POST, "/v", &[]);
    send(&one.service, post).await.unwrap();
    support::until("the other asks", async || !other.get("/v").await.1).await;
    let third = Gateway::start(&redis).await;
    other.flush().await;
    assert!(third.get("/v").await.1, "what came after it counts");
}

fn slow(parts: &http::request::Parts, n: usize) -> Answering {
    let page = ok(&[("cache-control", "max-age=600"), ("vary", "x-side")], format!("slow {n}"));
    let private = ok(&[("cache-control", "private")], "own");
    let page = if parts.uri.path() == "/private" { private } else { page };
    after(Duration::from_millis(300), page)
}

fn fleet(redis: &Redis) -> Config {
    Config { fleet: Some(Fleet { wait: LONG, ..Fleet::default() }), ..config(redis) }
}

#[tokio::test]
async fn of_all_who_miss_one_asks_the_origin() {
    let redis = Redis::start().await;
    let gateways: Vec<_> = (0..3).map(|_| Gateway::with(fleet(&redis), slow)).collect();
    for gateway in &gateways {
        gateway.in_touch(true).await;
    }
    // The second time it is known what they vary with.
    for (path, side) in [("/a", "l"), ("/a", "r"), ("/b", "l")] {
        let before: usize = gateways.iter().map(|gateway| gateway.log.count()).sum();
        let asking = (0..30).map(|n| {
            let service = gateways[n % 3].service.clone();
            tokio::spawn(async move {
                send(&service, get(path, &[("x-side", side)])).await.unwrap().body().to_owned()
            })
        });
        let bodies = futures_util::future::join_all(asking).await;
        assert!(bodies.iter().all(|body| body.as_ref().unwrap().starts_with("slow")));
        let asked: usize = gateways.iter().map(|gateway| gateway.log.count()).sum();
        assert_eq!(asked - before, 1, "{path} {side}");
    }
    let stats = |of: fn(&vcache::http::TiersStats) -> u64| -> u64 {
        gateways.iter().map(|gateway| of(&gateway.cache.tiers().unwrap())).sum()
    };
    assert_eq!((stats(|s| s.led), stats(|s| s.shared), stats(|s| s.alone)), (3, 6, 0));
}

#[tokio::test]
async fn what_cannot_be_shared_is_asked_for_by_each() {
    let redis = Redis::start().await;
    let gateways: Vec<_> = (0..2).map(|_| Gateway::with(fleet(&redis), slow)).collect();
    for gateway in &gateways {
        gateway.in_touch(true).await;
    }
    let asking = gateways.iter().map(|gateway| gateway.get("/private"));
    for (body, from_store) in futures_util::future::join_all(asking).await {
        assert_eq!((body.as_str(), from_store), ("own", false));
    }
    // And then at once: nobody waits for the lease of another.
    let led = |gateway: &Gateway| gateway.cache.tiers().unwrap().led;
    let before = led(&gateways[0]);
    gateways[0].get("/private").await;
    assert_eq!(led(&gateways[0]), before);
}

#[tokio::test]
async fn without_redis_the_origin_answers_and_all_recovers() {
    let mut redis = Redis::start().await;
    let one = Gateway::with(hasty(&redis), pages);
    let other = Gateway::with(hasty(&redis), pages);
    one.in_touch(true).await;
    other.in_touch(true).await;
    one.get("/a").await;
    assert!(one.get("/a").await.1);
    redis.kill();
    one.in_touch(false).await;
    other.in_touch(false).await;
    // Nobody can tell whether it was purged: the origin is asked, with its validators.
    assert!(!one.get("/a").await.1);
    assert!(one.log.last().headers.contains_key("if-none-match"));
    assert!(!other.get("/b").await.1);
    let purged = one.cache.purge(&Purge::url("http://a.test/a").hard()).await;
    assert!(matches!(purged, Err(PurgeError::Elsewhere(_))), "{purged:?}");
    assert!(!one.get("/a").await.1);
    assert!(!one.log.last().headers.contains_key("if-none-match"), "it was purged here");

    redis.restart().await;
    one.in_touch(true).await;
    other.in_touch(true).await;
    // Once in touch it is stored again, and found by the other.
    let stored = async || {
        one.get("/c").await;
        one.flush().await;
        one.redis().written > 0 && one.get("/c").await.1
    };
    support::until("it is stored again", stored).await;
    assert!(other.get("/c").await.1 || other.get("/c").await.1);
    one.cache.purge(&Purge::url("http://a.test/c").hard()).await.unwrap();
    support::until("the other hears again", async || !other.get("/c").await.1).await;
}

#[tokio::test]
async fn a_purge_that_could_not_be_told_is_told_later() {
    let mut redis = Redis::with(&["--appendonly", "yes", "--appendfsync", "always"]).await;
    let (one, other) = (Gateway::with(hasty(&redis), pages), Gateway::with(hasty(&redis), pages));
    one.in_touch(true).await;
    other.in_touch(true).await;
    other.get("/a").await;
    other.flush().await;
    redis.kill();
    one.in_touch(false).await;
    assert!(one.cache.purge(&Purge::tag("all").hard()).await.is_err());
    redis.restart().await;
    one.in_touch(true).await;
    other.in_touch(true).await;
    let third = Gateway::start(&redis).await;
    let asks = async || {
        third.cache.empty_memory();
        let asked = !third.get("/a").await.1;
        asked && !third.log.last().headers.contains_key("if-none-match")
    };
    support::until("it is gone from Redis", asks).await;
}

#[tokio::test]
async fn a_journal_that_was_lost_makes_everything_doubtful() {
    let redis = Redis::start().await;
    let one = Gateway::start(&redis).await;
    one.get("/a").await;
    assert!(one.get("/a").await.1);
    let mut raw = redis.raw().await;
    command("FLUSHALL").exec_async(&mut raw).await.unwrap();
    support::until("it asks", async || !one.get("/a").await.1).await;
    assert!(one.log.last().headers.contains_key("if-none-match"));
    assert!(one.get("/a").await.1, "what was confirmed counts");
}

#[tokio::test]
async fn a_server_that_hangs_costs_no_more_than_its_time_limit_and_no_request() {
    let redis = Redis::start().await;
    let one = Gateway::with(hasty(&redis), pages);
    one.in_touch(true).await;
    redis.signal("STOP");
    for n in 0..20 {
        assert!(!one.get(&format!("/{n}")).await.1);
    }
    let redis_tier = one.redis();
    assert!(redis_tier.errors + redis_tier.skipped >= 20, "{redis_tier:?}");
    redis.signal("CONT");
    let tells = async || one.cache.purge(&Purge::everything().hard()).await.is_ok();
    support::until("it can be told again", tells).await;
}
