//! Time to live, to the nanosecond and to the century.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::time::Duration;

use vcache::{ManualClock, Memory};

fn cache(ttl: Option<Duration>) -> (Memory<u32, u32>, ManualClock) {
    let clock = ManualClock::new();
    let cache = Memory::builder()
        .max_weight(100 * Memory::<u32, u32>::overhead())
        .ttl(ttl)
        .clock(clock.clone())
        .build()
        .unwrap();
    (cache, clock)
}

#[test]
fn a_value_is_gone_at_its_time_and_not_before() {
    let (cache, clock) = cache(Some(Duration::from_secs(1)));
    cache.insert(1, 1);
    clock.advance(Duration::from_secs(1) - Duration::from_nanos(1));
    assert_eq!(cache.get_with_ttl(&1), Some((1, Some(Duration::from_nanos(1)))));
    clock.advance(Duration::from_nanos(1));
    assert_eq!(cache.get(&1), None);
    assert_eq!(cache.remove(&1), None);
    assert_eq!(cache.stats().expirations, 1);
}

#[test]
fn a_ttl_of_centuries_is_for_ever() {
    let (cache, clock) = cache(None);
    clock.advance(Duration::from_secs(1));
    cache.insert_with_ttl(1, 1, Duration::MAX);
    assert_eq!(cache.get_with_ttl(&1), Some((1, None)));
    clock.advance(Duration::MAX / 2);
    assert_eq!(cache.get(&1), Some(1));
}

#[test]
fn a_ttl_of_zero_stores_nothing_and_removes_the_old() {
    let (cache, _clock) = cache(None);
    cache.insert(1, 1);
    assert!(!cache.insert_with_ttl(1, 2, Duration::ZERO));
    assert_eq!(cache.get(&1), None);
    assert!(cache.is_empty());
}

#[test]
fn writers_reclaim_what_has_expired() {
    let (cache, clock) = cache(Some(Duration::from_secs(1)));
    for key in 0..50 {
        cache.insert(key, key);
    }
    clock.advance(Duration::from_secs(1));
    assert_eq!(cache.len(), 50);
    for key in 100..150 {
        cache.insert(key, key);
    }
    assert_eq!((cache.len(), cache.stats().expirations), (50, 50));
    clock.advance(Duration::from_secs(1));
    assert_eq!(cache.sweep(), 50);
    assert_eq!(cache.weight(), 0);
}

#[test]
fn an_expired_entry_leaves_before_a_live_one() {
    let (cache, clock) = cache(None);
    for key in 0..99 {
        cache.insert(key, key);
    }
    // The most used of all, but its time is over.
    cache.insert_with_ttl(99, 99, Duration::from_secs(1));
    for _ in 0..3 {
        assert_eq!(cache.get(&99), Some(99));
    }
    clock.advance(Duration::from_secs(2));
    // Each insertion looks at a few slots before it makes room.
    for key in 200..225 {
        cache.insert(key, key);
    }
    let stats = cache.stats();
    assert_eq!((stats.expirations, stats.entries), (1, 100));
}
