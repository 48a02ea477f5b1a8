//! Listeners: every cause, exactly once each, after the locks.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use vcache::{Cache, Cause, Keep, Loaded, ManualClock, Memory, Op};

type Left = Arc<Mutex<Vec<(u32, u32, Cause)>>>;

const SECOND: Duration = Duration::from_secs(1);

/// A cache for so many entries, what has left it, and its clock.
fn listened(entries: u64) -> (Memory<u32, u32>, Left, ManualClock) {
    let (left, clock) = (Left::default(), ManualClock::new());
    let told = Arc::clone(&left);
    let cache = Memory::builder()
        .max_weight(entries * Memory::<u32, u32>::overhead())
        .shards(1)
        .clock(clock.clone())
        .listener(move |key, value, cause| told.lock().unwrap().push((*key, *value, cause)))
        .build()
        .unwrap();
    (cache, left, clock)
}

fn take(left: &Left) -> Vec<(u32, u32, Cause)> {
    std::mem::take(&mut *left.lock().unwrap())
}

#[test]
fn each_way_out_has_its_cause() {
    let (cache, left, clock) = listened(4);
    cache.insert(1, 10);
    cache.insert(1, 11);
    assert_eq!(take(&left), [(1, 10, Cause::Replaced)]);
    cache.remove(&1);
    assert_eq!(take(&left), [(1, 11, Cause::Removed)]);
    cache.insert_with_ttl(2, 20, SECOND);
    clock.advance(SECOND);
    // Whoever comes across it, its time was over before.
    cache.insert(2, 21);
    assert_eq!(take(&left), [(2, 20, Cause::Expired)]);
    cache.insert_with(3, 30, Keep::new().tti(SECOND).ttl(9 * SECOND));
    clock.advance(SECOND);
    assert_eq!(cache.remove(&3), None);
    assert_eq!(take(&left), [(3, 30, Cause::Idle)]);
    cache.retain(|key, _| *key != 2);
    assert_eq!(take(&left), [(2, 21, Cause::Predicate)]);
    cache.insert(4, 40);
    cache.clear();
    assert_eq!(take(&left), [(4, 40, Cause::Cleared)]);
    cache.insert_with_ttl(5, 50, Duration::ZERO);
    assert_eq!(take(&left), [(5, 50, Cause::Refused)]);
    for key in 10..14 {
        cache.insert(key, key);
    }
    cache.insert(14, 14);
    let evicted = take(&left);
    assert!(matches!(evicted[..], [(_, _, Cause::Room)]), "{evicted:?}");
    cache.resize(Memory::<u32, u32>::overhead());
    let evicted = take(&left);
    assert!(evicted.len() == 3 && evicted.iter().all(|(_, _, cause)| *cause == Cause::Resized));
    let stats = cache.stats();
    assert_eq!((stats.left(Cause::Resized), stats.left(Cause::Idle), stats.evictions), (3, 1, 4));
}

#[test]
fn an_idle_entry_whose_ttl_ends_first_has_expired() {
    let (cache, left, clock) = listened(4);
    cache.insert_with(1, 1, Keep::new().tti(5 * SECOND).ttl(2 * SECOND));
    clock.advance(9 * SECOND);
    cache.sweep();
    assert_eq!(take(&left), [(1, 1, Cause::Expired)]);
}

#[test]
fn a_cache_tells_of_tags_and_prefixes() {
    let left: Left = Left::default();
    let told = Arc::clone(&left);
    let cache = Cache::<String, u32>::builder()
        .listener(move |key: &String, value, cause| {
            told.lock().unwrap().push((key.parse().unwrap_or(0), *value, cause));
        })
        .build()
        .unwrap();
    cache.insert_loaded("1".to_owned(), Loaded::new(1).tags(["t"]));
    cache.insert_loaded("2".to_owned(), Loaded::new(2).tags(["t"]));
    cache.insert("31".to_owned(), 3);
    cache.invalidate_tag("t");
    assert_eq!(take(&left), []);
    // Its value was no longer the key's when it was replaced.
    cache.insert("1".to_owned(), 11);
    assert_eq!(take(&left), [(1, 1, Cause::Tag)]);
    assert_eq!(cache.sweep(), 1);
    assert_eq!(take(&left), [(2, 2, Cause::Tag)]);
    cache.remove_prefix("3");
    assert_eq!(take(&left), [(31, 3, Cause::Prefix)]);
}

#[test]
fn a_panicking_listener_changes_nothing() {
    let cache = Memory::<u32, u32>::builder()
        .max_weight(2 * Memory::<u32, u32>::overhead())
        .listener(|_, _, _| panic!("the listener's own"))
        .build()
        .unwrap();
    for key in 0..5 {
        assert!(cache.insert(key, key));
    }
    assert_eq!(cache.remove(&4), Some(4));
    let stats = cache.stats();
    assert_eq!((stats.listener_panics, stats.entries), (4, 1));
}

#[test]
fn a_listener_may_call_its_cache_and_does_not_recurse_for_ever() {
    static CACHE: OnceLock<Memory<u32, u32>> = OnceLock::new();
    let calls = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&calls);
    let cache = Memory::builder()
        .max_weight(4 * Memory::<u32, u32>::overhead())
        .shards(1)
        .listener(move |key: &u32, value: &u32, _| {
            count.fetch_add(1, Ordering::Relaxed);
            if let Some(cache) = CACHE.get() {
                // Whatever leaves is put back, so that something else has to leave.
                cache.insert(*key, *value);
            }
        })
        .build()
        .unwrap();
    let cache = CACHE.get_or_init(|| cache);
    for key in 0..100 {
        cache.insert(key, key);
    }
    let stats = cache.stats();
    assert_eq!(stats.entries, 4);
    assert!(stats.listener_unheard > 0);
    assert_eq!(
        calls.load(Ordering::Relaxed) + stats.listener_unheard,
        stats.evictions + stats.removals
    );
}

#[derive(Debug, Clone)]
enum Call {
    Insert(u8, u64),
    InsertIdle(u8, u64),
    Get(u8),
    Remove(u8),
    Compute(u8, u8),
    Retain(u8),
    Resize(u64),
    Pin(u8),
    Unpin(u8),
    Wait(u64),
    Clear,
}

fn calls() -> impl Strategy<Value = Call> {
    let key = 0u8..24;
    prop_oneof![
        10 => (key.clone(), 0u64..40).prop_map(|(k, t)| Call::Insert(k, t)),
        5 => (key.clone(), 1u64..40).prop_map(|(k, t)| Call::InsertIdle(k, t)),
        5 => key.clone().prop_map(Call::Get),
        3 => key.clone().prop_map(Call::Remove),
        5 => (key.clone(), 0u8..4).prop_map(|(k, op)| Call::Compute(k, op)),
        1 => (1u8..4).prop_map(Call::Retain),
        2 => (0u64..20).prop_map(Call::Resize),
        2 => key.clone().prop_map(Call::Pin),
        2 => key.prop_map(Call::Unpin),
        4 => (0u64..30).prop_map(Call::Wait),
        1 => Just(Call::Clear),
    ]
}

fn apply(cache: &Memory<u8, u32>, clock: &ManualClock, call: &Call, number: u32) -> Option<u32> {
    let nanos = Duration::from_nanos;
    match *call {
        Call::Insert(key, 0) => return cache.insert(key, number).then_some(number),
        Call::Insert(key, ttl) => {
            return cache.insert_with_ttl(key, number, nanos(ttl)).then_some(number);
        }
        Call::InsertIdle(key, tti) => {
            let keep = Keep::new().tti(nanos(tti));
            return cache.insert_with(key, number, keep).then_some(number);
        }
        Call::Get(key) => drop(cache.get(&key)),
        Call::Remove(key) => drop(cache.remove(&key)),
        Call::Compute(key, op) => {
            let made = cache.compute(key, |_| match op {
                0 => Op::Nop,
                1 => Op::Remove,
                2 => Op::PutWith(number, Keep::new().pinned()),
                _ => Op::Put(number),
            });
            return made.into_value().filter(|value| *value == number);
        }
        Call::Retain(part) => cache.retain(|key, _| key % part == 0),
        Call::Resize(entries) => {
            cache.resize(entries * Memory::<u8, u32>::overhead());
        }
        Call::Pin(key) => drop(cache.pin(&key)),
        Call::Unpin(key) => drop(cache.unpin(&key)),
        Call::Wait(time) => clock.advance(nanos(time)),
        Call::Clear => cache.clear(),
    }
    None
}

proptest! {
    /// What was stored is there or has been told of, once; what was not stored was refused.
    #[test]
    fn every_entry_leaves_once(calls in vec(calls(), 1..300), shards in 0u32..4) {
        let told: Arc<Mutex<HashMap<u32, Vec<Cause>>>> = Arc::default();
        let (clock, tell) = (ManualClock::new(), Arc::clone(&told));
        let cache = Memory::<u8, u32>::builder()
            .max_weight(12 * Memory::<u8, u32>::overhead())
            .shards(1 << shards)
            .clock(clock.clone())
            .listener(move |_, value, cause| {
                tell.lock().unwrap().entry(*value).or_default().push(cause);
            })
            .build()
            .unwrap();
        let mut stored = Vec::new();
        for (number, call) in (0..).zip(&calls) {
            stored.extend(apply(&cache, &clock, call, number));
        }
        let mut here: Vec<u32> = Vec::new();
        let stats = cache.stats();
        cache.retain(|_, value| { here.push(*value); true });
        let told = told.lock().unwrap();
        for number in &stored {
            let causes = told.get(number).map_or(&[][..], |causes| causes);
            prop_assert_eq!(causes.len() + usize::from(here.contains(number)), 1, "{:?}", causes);
            prop_assert!(!causes.contains(&Cause::Refused));
        }
        for (number, causes) in told.iter().filter(|(number, _)| !stored.contains(number)) {
            prop_assert_eq!(&causes[..], &[Cause::Refused], "{}", number);
        }
        for cause in Cause::ALL.into_iter().filter(|cause| *cause != Cause::Refused) {
            let count = told.values().flatten().filter(|one| **one == cause).count() as u64;
            let expired_now = if cause.is_expiration() { stats.entries } else { 0 };
            prop_assert!(count <= stats.left(cause) + expired_now);
            prop_assert!(stats.left(cause) <= count);
        }
    }
}
