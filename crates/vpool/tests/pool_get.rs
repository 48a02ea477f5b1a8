//! Getting, giving back, waiting and closing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod objects;

use std::time::Duration;

use objects::{Objects, pool};
use vpool::{Config, GetError};

#[tokio::test(start_paused = true)]
async fn what_was_given_back_is_given_out_again() {
    let pool = pool(Objects::default(), Config::default());
    let number = pool.get().await.unwrap().number;
    assert_eq!(pool.get().await.unwrap().number, number);
    let stats = pool.stats();
    assert_eq!((stats.created, stats.gets), (1, 2));
    assert_eq!((stats.size, stats.idle, stats.in_use), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_exactly_with_its_timeout() {
    let config = Config { max_size: 1, ..Config::default() };
    let pool = pool(Objects::default(), config.clone());
    let held = pool.get().await.unwrap();
    let begun = tokio::time::Instant::now();
    let error = pool.get().await.unwrap_err();
    assert!(matches!(error, GetError::WaitTimeout(limit) if limit == config.wait_timeout));
    assert!(error.is_timeout() && error.is_exhausted());
    let waited = begun.elapsed();
    assert!(waited >= config.wait_timeout && waited < config.wait_timeout * 2);
    assert_eq!(pool.stats().timeouts, 1);
    drop(held);
    pool.get().await.unwrap();
    assert_eq!((pool.stats().waiting, pool.stats().created), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn creating_has_an_end() {
    let objects = Objects::default();
    objects.set_create_time(Duration::from_secs(60));
    let pool = pool(objects.clone(), Config::default());
    let error = pool.get().await.unwrap_err();
    assert!(matches!(error, GetError::CreateTimeout(_)), "{error:?}");
    objects.set_create_time(Duration::ZERO);
    pool.get().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_the_manager_says_is_the_source() {
    let objects = Objects::default();
    objects.set_failing(true);
    let pool = pool(objects, Config::default());
    let error = pool.get().await.unwrap_err();
    assert_eq!(error.to_string(), "could not create a connection");
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "the server is down");
    assert!(!error.is_timeout());
}

#[tokio::test(start_paused = true)]
async fn what_fails_its_check_is_replaced_unseen() {
    let objects = Objects::default();
    let pool = pool(objects.clone(), Config::default());
    let first = pool.get().await.unwrap().number;
    objects.set_unfit(true);
    let second = pool.get().await.unwrap().number;
    assert_ne!(first, second);
    assert_eq!(pool.stats().retired_check, 1);
    assert_eq!((pool.stats().size, objects.open()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn checks_that_hang_do_not_add_up() {
    let objects = Objects::default();
    let pool = pool(objects.clone(), Config::default());
    let held = futures_all(&pool, 16).await;
    drop(held);
    objects.set_check_time(Duration::from_secs(3600));
    objects.set_create_time(Duration::from_secs(3600));
    let begun = tokio::time::Instant::now();
    assert!(pool.get().await.unwrap_err().is_timeout());
    let most = Duration::from_secs(12);
    assert!(begun.elapsed() < most, "{:?}", begun.elapsed());
}

async fn futures_all(pool: &vpool::Pool<Objects>, count: usize) -> Vec<vpool::Pooled<Objects>> {
    let mut held = Vec::new();
    for _ in 0..count {
        held.push(pool.get().await.unwrap());
    }
    held
}

#[tokio::test(start_paused = true)]
async fn what_is_discarded_is_not_given_out_again() {
    let objects = Objects::default();
    let pool = pool(objects.clone(), Config::default());
    let conn = pool.get().await.unwrap();
    let number = conn.number;
    conn.discard();
    assert_ne!(pool.get().await.unwrap().number, number);
    assert_eq!(objects.open(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_closed_pool_gives_nothing_and_keeps_nothing() {
    let objects = Objects::default();
    let config = Config { max_size: 2, ..Config::default() };
    let pool = pool(objects.clone(), config);
    let (held, idle) = (pool.get().await.unwrap(), pool.get().await.unwrap());
    drop(idle);
    pool.close();
    assert!(pool.get().await.unwrap_err().is_closed());
    assert_eq!(objects.open(), 1);
    drop(held);
    assert_eq!(objects.open(), 0);
    let stats = pool.stats();
    assert!(pool.is_closed() && stats.size == 0 && stats.in_use == 0);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_get_leaves_nothing_behind() {
    let objects = Objects::default();
    objects.set_create_time(Duration::from_secs(1));
    let pool = pool(objects.clone(), Config::default());
    let cancelled = tokio::time::timeout(Duration::from_millis(500), pool.get()).await;
    assert!(cancelled.is_err());
    let stats = pool.stats();
    assert_eq!((stats.waiting, stats.size, objects.open()), (0, 0, 0));
}

#[test]
fn a_pool_is_built_on_a_runtime() {
    let built = vpool::Pool::builder(Objects::default()).build();
    assert!(matches!(built, Err(vpool::BuildError::NoRuntime)));
}
