//! Upkeep lets go of what is idle or old, and holds the least number ready.

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
use tokio::time::sleep;
use vpool::Config;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn idle_ones_go_after_their_time() {
    let objects = Objects::default();
    let pool = pool(objects.clone(), Config::default());
    let held = (pool.get().await.unwrap(), pool.get().await.unwrap());
    drop(held);
    sleep(MINUTE * 9).await;
    assert_eq!(objects.open(), 2);
    // One of them is used once more.
    drop(pool.get().await.unwrap());
    sleep(MINUTE * 2).await;
    assert_eq!(objects.open(), 1);
    sleep(MINUTE * 9).await;
    assert_eq!((objects.open(), pool.stats().retired_idle), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn the_least_number_is_held_ready() {
    let objects = Objects::default();
    let config = Config { min_idle: 3, ..Config::default() };
    let pool = pool(objects.clone(), config);
    sleep(MINUTE).await;
    assert_eq!(pool.stats().idle, 3);
    // It stays through the idle timeout, and is renewed past the lifetime.
    sleep(MINUTE * 15).await;
    assert_eq!((objects.open(), objects.made()), (3, 3));
    sleep(MINUTE * 20).await;
    assert_eq!((objects.open(), objects.made()), (3, 6));
    assert_eq!(pool.stats().retired_lifetime, 3);
    let held = pool.get().await.unwrap();
    sleep(MINUTE).await;
    assert_eq!((pool.stats().idle, pool.stats().in_use), (3, 1));
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn warming_fills_at_once_and_never_over_the_bound() {
    let objects = Objects::default();
    let config = Config { min_idle: 3, max_size: 4, ..Config::default() };
    let pool = pool(objects.clone(), config);
    let held = (pool.get().await.unwrap(), pool.get().await.unwrap());
    assert_eq!(pool.warm().await.unwrap(), 2);
    assert_eq!((pool.stats().size, objects.open()), (4, 4));
    assert_eq!(pool.warm().await.unwrap(), 0);
    drop(held);
    objects.set_failing(true);
    assert_eq!(pool.warm().await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn warming_says_what_failed() {
    let objects = Objects::default();
    objects.set_failing(true);
    let config = Config { min_idle: 1, ..Config::default() };
    let pool = pool(objects, config);
    let error = pool.warm().await.unwrap_err();
    assert!(matches!(error, vpool::GetError::Create(_)));
}

#[tokio::test(start_paused = true)]
async fn an_old_one_is_not_given_out() {
    let objects = Objects::default();
    let config =
        Config { lifetime_jitter: 0.0, upkeep_interval: MINUTE * 600, ..Config::default() };
    let lifetime = config.max_lifetime;
    let pool = pool(objects.clone(), config);
    let first = pool.get().await.unwrap().number;
    tokio::time::advance(lifetime - Duration::from_nanos(1)).await;
    assert_eq!(pool.get().await.unwrap().number, first);
    tokio::time::advance(Duration::from_nanos(1)).await;
    assert_ne!(pool.get().await.unwrap().number, first);
    assert_eq!(pool.stats().retired_lifetime, 1);
}

#[tokio::test(start_paused = true)]
async fn upkeep_ends_with_the_pool() {
    let objects = Objects::default();
    let config = Config { min_idle: 1, ..Config::default() };
    drop(pool(objects.clone(), config));
    sleep(MINUTE * 5).await;
    assert_eq!(objects.made(), 0);
}
