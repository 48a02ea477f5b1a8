//! The limiter over time: what was spent comes back, and handles share it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::num::NonZeroU32;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use tokio::time::{Instant, advance};
use vratelimit::{BuildError, Config, Limiter, Quota};

fn limiter(rate: &str, burst: u32) -> Limiter {
    Limiter::new(&Config {
        rate: rate.parse().unwrap(),
        burst: NonZeroU32::new(burst),
        ..Config::default()
    })
    .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_spent_key_passes_again_after_its_wait() {
    let limiter = limiter("3/s", 2);
    assert!(limiter.check("a").await.unwrap().allowed);
    assert!(limiter.check("a").await.unwrap().allowed);
    let denied = limiter.check("a").await.unwrap();
    assert!(!denied.allowed);
    // tokio's paused clock counts in whole milliseconds, so the edge is met by hand.
    let edge = Instant::now() + denied.retry_after;
    assert!(!limiter.check_at("a", edge - Duration::from_nanos(1)).allowed);
    assert!(limiter.check_at("a", edge).allowed);
}

#[tokio::test(start_paused = true)]
async fn units_come_back_one_by_one() {
    let limiter = limiter("10/s", 3);
    for remaining in [2, 1, 0] {
        assert_eq!(limiter.check_now("a").remaining, remaining);
    }
    assert!(!limiter.check_now("a").allowed);
    for _ in 0..3 {
        advance(Duration::from_millis(100)).await;
        assert!(limiter.check_now("a").allowed);
        assert!(!limiter.check_now("a").allowed);
    }
    advance(Duration::from_secs(3600)).await;
    assert_eq!(limiter.check_now("a").remaining, 2);
}

#[tokio::test(start_paused = true)]
async fn clones_share_what_is_spent_and_the_quota() {
    let one = limiter("1/m", 1);
    let other = one.clone();
    assert!(one.check_now("a").allowed);
    assert!(!other.check_now("a").allowed);
    let burst = NonZeroU32::new(3).unwrap();
    let quota = Quota::new("1/m".parse().unwrap(), burst).unwrap();
    other.set_quota(quota).unwrap();
    // One of three is spent already.
    assert_eq!(one.check_now("a").remaining, 1);
    assert_eq!(one.quota(), quota);
}

#[tokio::test(start_paused = true)]
async fn a_smaller_quota_does_not_forgive() {
    let limiter = limiter("1/s", 10);
    for _ in 0..10 {
        assert!(limiter.check_now("a").allowed);
    }
    let quota = Quota::new("1/s".parse().unwrap(), NonZeroU32::MIN).unwrap();
    limiter.set_quota(quota).unwrap();
    let denied = limiter.check_now("a");
    assert_eq!(denied.retry_after, Duration::from_secs(10));
    assert_eq!(denied.remaining, 0);
}

#[test]
fn a_new_quota_must_afford_a_request() {
    let cost = NonZeroU32::new(5).unwrap();
    let config = Config { cost, ..Config::default() };
    let limiter = Limiter::new(&config).unwrap();
    let burst = NonZeroU32::new(4).unwrap();
    let quota = Quota::new("1/s".parse().unwrap(), burst).unwrap();
    assert_eq!(limiter.set_quota(quota), Err(BuildError::BurstBelowCost { burst, cost }));
}

#[tokio::test(start_paused = true)]
async fn costs_differ_by_request() {
    let limiter = limiter("10/s", 10);
    let (now, cost) = (Instant::now(), |n| NonZeroU32::new(n).unwrap());
    assert_eq!(limiter.spend_at("a", cost(7), now).remaining, 3);
    assert!(!limiter.spend_at("a", cost(4), now).allowed);
    assert!(limiter.spend_at("a", cost(3), now).allowed);
    assert_eq!(limiter.spend_at("b", cost(11), now).retry_after, Duration::MAX);
}

#[tokio::test(start_paused = true)]
async fn what_happened_is_counted() {
    let limiter = limiter("1/s", 1);
    for key in ["a", "a", "b"] {
        let _ = limiter.check_now(key);
    }
    let stats = limiter.stats();
    assert_eq!((stats.allowed, stats.denied, stats.keys), (2, 1, 2));
    advance(Duration::from_secs(1)).await;
    assert_eq!(limiter.stats().keys, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Over any run of arrivals by several keys, each passes no more than its quota; a key that
    /// was forgotten for want of room is the only exception, and there is room here.
    #[test]
    fn no_key_passes_more_than_its_quota(
        rate in 1u32..500,
        burst in 1u32..20,
        arrivals in vec((0u8..5, 0u64..20_000_000), 1..300),
    ) {
        let limiter = limiter(&format!("{rate}/s"), burst);
        let start = Instant::now() + Duration::from_secs(1);
        let (mut now, mut passed) = (Duration::ZERO, [0u128; 5]);
        for (key, gap) in arrivals {
            now += Duration::from_nanos(gap);
            let decision = limiter.check_at(&[key][..], start + now);
            passed[usize::from(key)] += u128::from(decision.allowed);
        }
        let bound = u128::from(burst) + now.as_nanos() / limiter.quota().interval().as_nanos();
        for units in passed {
            prop_assert!(units <= bound);
        }
    }
}
