//! Redis connections out of a pool, against a real server.

#![cfg(feature = "redis")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod redis_server;

use std::time::Duration;

use redis_server::Server;
use vpool::Pool;
use vpool::redis::{Config, Redis};

fn pool(url: String) -> Pool<Redis> {
    pool_of(Config { url, ..Config::default() })
}

fn pool_of(config: Config) -> Pool<Redis> {
    let one = vpool::Config { max_size: 1, ..vpool::Config::default() };
    let redis = Redis::new(config).unwrap();
    Pool::builder(redis).config(one).build().unwrap()
}

async fn set(pool: &Pool<Redis>, value: &str) -> redis::RedisResult<()> {
    let mut conn = pool.get().await.unwrap();
    redis::cmd("SET").arg("key").arg(value).query_async(&mut *conn).await
}

#[tokio::test]
async fn one_connection_serves_command_after_command() {
    let server = Server::start().await;
    let pool = pool(server.url());
    for _ in 0..20 {
        set(&pool, "a").await.unwrap();
    }
    assert_eq!(pool.stats().created, 1);
}

#[tokio::test]
async fn an_idle_connection_that_died_is_replaced_unseen() {
    let server = Server::start().await;
    let pool =
        pool_of(Config { url: server.url(), check_after: Duration::ZERO, ..Config::default() });
    set(&pool, "a").await.unwrap();
    let server = server.restart().await;
    set(&pool, "b").await.unwrap();
    assert_eq!(pool.stats().created, 2);
    assert_eq!(pool.stats().retired_check, 1);
    drop(server);
}

#[tokio::test]
async fn a_connection_whose_state_was_changed_is_not_used_again() {
    let server = Server::start().await;
    let pool = pool(server.url());
    for command in ["SELECT", "MULTI"] {
        let created = pool.stats().created;
        let mut conn = pool.get().await.unwrap();
        let mut command = redis::cmd(command);
        if created == 0 {
            command.arg(1);
        }
        let _: redis::Value = command.query_async(&mut *conn).await.unwrap();
        drop(conn);
        set(&pool, "a").await.unwrap();
        assert_eq!(pool.stats().created, created.max(1) + 1);
    }
}

#[tokio::test]
async fn an_open_watch_is_undone() {
    let server = Server::start().await;
    let (pool, other) = (pool(server.url()), pool(server.url()));
    let mut conn = pool.get().await.unwrap();
    let watch = redis::cmd("WATCH").arg("key").to_owned();
    watch.query_async::<()>(&mut *conn).await.unwrap();
    drop(conn);
    set(&other, "changed").await.unwrap();
    let mut conn = pool.get().await.unwrap();
    let done: Option<(String,)> =
        redis::pipe().atomic().cmd("GET").arg("key").query_async(&mut *conn).await.unwrap();
    assert_eq!(done, Some(("changed".to_owned(),)));
    assert_eq!(pool.stats().created, 1);
}

#[tokio::test]
async fn a_server_that_hangs_costs_the_timeout_and_the_connection() {
    let server = Server::start().await;
    let pool = pool_of(Config {
        url: server.url(),
        response_timeout: Duration::from_millis(100),
        ..Config::default()
    });
    set(&pool, "a").await.unwrap();
    server.pause();
    assert!(set(&pool, "b").await.unwrap_err().is_timeout());
    server.resume();
    set(&pool, "c").await.unwrap();
    assert_eq!((pool.stats().created, pool.stats().retired_check), (2, 1));
}

#[tokio::test]
async fn a_command_cut_short_costs_the_connection() {
    let server = Server::start().await;
    let pool = pool(server.url());
    let mut conn = pool.get().await.unwrap();
    let mut command = redis::cmd("BLPOP");
    command.arg("nothing").arg(0);
    let blocked = command.query_async::<redis::Value>(&mut *conn);
    let short = Duration::from_millis(50);
    assert!(tokio::time::timeout(short, blocked).await.is_err());
    drop(conn);
    set(&pool, "a").await.unwrap();
    assert_eq!(pool.stats().created, 2);
}

#[tokio::test]
async fn where_no_server_is_the_error_says_so() {
    let server = Server::start().await;
    let url = server.url();
    server.stop().await;
    let error = pool(url).get().await.unwrap_err();
    assert!(matches!(error, vpool::GetError::Create(vpool::redis::ConnectError::Failed(_))));
}

#[test]
fn what_is_no_url_of_redis_is_refused() {
    let config = Config { url: "http://host".to_owned(), ..Config::default() };
    assert!(Redis::new(config).is_err());
}
