//! Time to idle: exact, per entry, beside the time to live.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::collections::HashMap;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use vcache::{Cache, Config, Keep, Loaded, ManualClock, Memory};

const SECOND: Duration = Duration::from_secs(1);
const NANO: Duration = Duration::from_nanos(1);

fn cache(tti: Option<Duration>) -> (Memory<u32, u32>, ManualClock) {
    let clock = ManualClock::new();
    let cache =
        Memory::builder().max_weight(1 << 20).tti(tti).clock(clock.clone()).build().unwrap();
    (cache, clock)
}

#[test]
fn a_use_begins_the_time_anew_and_a_peek_does_not() {
    let (cache, clock) = cache(Some(SECOND));
    cache.insert(1, 1);
    clock.advance(SECOND - NANO);
    assert_eq!(cache.get(&1), Some(1));
    clock.advance(SECOND - NANO);
    assert_eq!(cache.peek(&1), Some(1));
    assert!(cache.contains(&1));
    clock.advance(NANO);
    assert_eq!((cache.peek(&1), cache.get(&1)), (None, None));
}

#[test]
fn the_time_to_live_ends_however_much_it_is_used() {
    let (cache, clock) = cache(None);
    cache.insert_with(1, 1, Keep::new().tti(SECOND).ttl(3 * SECOND));
    for _ in 0..5 {
        clock.advance(SECOND / 2);
        let left = cache.get_with_ttl(&1).unwrap().1.unwrap();
        assert!(left > Duration::ZERO && left <= 5 * SECOND / 2);
    }
    clock.advance(SECOND / 2);
    assert_eq!(cache.get(&1), None);
}

#[test]
fn centuries_are_for_ever_and_zero_stores_nothing() {
    let (cache, clock) = cache(Some(Duration::ZERO));
    assert!(!cache.insert(1, 1));
    let century = Duration::from_secs(100 * 366 * 24 * 3600);
    assert!(cache.insert_with(2, 2, Keep::new().tti(century)));
    assert!(cache.insert_with(3, 3, Keep::new().tti(Duration::MAX)));
    clock.advance(century - NANO);
    assert_eq!((cache.get(&2), cache.get(&3)), (Some(2), Some(3)));
    clock.advance(century);
    assert_eq!((cache.get(&2), cache.get(&3)), (None, Some(3)));
}

#[test]
fn writers_reclaim_the_idle_and_leave_the_used() {
    let (cache, clock) = cache(Some(SECOND));
    for key in 0..100 {
        cache.insert(key, key);
    }
    for _ in 0..4 {
        clock.advance(SECOND / 2);
        for key in 0..10 {
            assert_eq!(cache.get(&key), Some(key));
        }
    }
    for key in 1000..1100 {
        cache.insert_with(key, key, Keep::new().tti(Duration::MAX));
    }
    let stats = cache.stats();
    assert_eq!((stats.expirations, stats.entries), (90, 110));
    assert_eq!(cache.weight(), 110 * Memory::<u32, u32>::overhead() + 10 * 24);
}

#[test]
fn a_loaded_value_may_idle() {
    let clock = ManualClock::new();
    let config = Config { tti: Some(9 * SECOND), ..Config::default() };
    let cache = Cache::<u32, u32>::builder().config(config).clock(clock.clone()).build().unwrap();
    cache.insert_loaded(1, Loaded::new(1).tti(SECOND).tags(["t"]));
    cache.insert(2, 2);
    clock.advance(SECOND);
    assert_eq!((cache.get(&1), cache.get(&2)), (None, Some(2)));
    clock.advance(9 * SECOND);
    assert_eq!(cache.get(&2), None);
}

#[test]
fn jitter_shortens_a_ttl_and_never_to_nothing() {
    let clock = ManualClock::new();
    let cache = Memory::<u32, u32>::builder()
        .ttl(Some(1000 * SECOND))
        .ttl_jitter_percent(20)
        .clock(clock.clone())
        .build()
        .unwrap();
    let lefts: Vec<_> = (0..200)
        .map(|key| {
            cache.insert(key, key);
            cache.get_with_ttl(&key).unwrap().1.unwrap()
        })
        .collect();
    assert!(lefts.iter().all(|left| *left <= 1000 * SECOND && *left >= 800 * SECOND));
    assert!(lefts.iter().max().unwrap().abs_diff(*lefts.iter().min().unwrap()) > 100 * SECOND);
    assert!(cache.insert_with_ttl(1, 1, NANO));
    assert_eq!(cache.get(&1), Some(1));
}

proptest! {
    /// Against a map that knows when each entry was last used.
    #[test]
    fn idles_as_a_map_would(
        calls in vec((0u32..8, 0u32..16, 0u64..40, 0u64..40), 1..300),
    ) {
        let (cache, clock) = cache(None);
        let (mut now, mut model) = (0, HashMap::<u32, (u64, u64, u64)>::new());
        for (call, key, time, other) in calls {
            match call {
                0 | 1 => {
                    let (tti, ttl) = (time + 1, if other == 0 { u64::MAX } else { 2 * other });
                    let keep = Keep::new().tti(Duration::from_nanos(tti));
                    cache.insert_with(key, key, keep.ttl(Duration::from_nanos(ttl)));
                    let end = if ttl == u64::MAX { ttl } else { now + ttl };
                    model.insert(key, (now, tti, end));
                }
                2 => {
                    cache.insert(key, key);
                    model.insert(key, (now, u64::MAX, u64::MAX));
                }
                3 => {
                    clock.advance(Duration::from_nanos(time));
                    now += time;
                }
                _ => {
                    let live = model
                        .get(&key)
                        .is_some_and(|(used, tti, end)| now < used.saturating_add(*tti) && now < *end);
                    prop_assert_eq!(cache.get(&key).is_some(), live);
                    if live {
                        model.get_mut(&key).unwrap().0 = now;
                    } else {
                        model.remove(&key);
                    }
                }
            }
        }
    }
}
