//! The engine against a plain map: any run of calls, every promise checked after each.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "tests")]

use std::collections::HashMap;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use vcache::{ManualClock, Memory};

const BOUND: u64 = 4096;

#[derive(Debug, Clone)]
enum Call {
    Get(u8),
    Insert(u8, u16),
    InsertFor(u8, u16, u64),
    Remove(u8),
    Update(u8, Option<u16>),
    Retain(u8),
    Clear,
    Sweep,
    Wait(u64),
}

fn calls() -> impl Strategy<Value = Call> {
    let key = 0u8..40;
    let weight = prop_oneof![20 => 0u16..200, 1 => 4000u16..6000];
    prop_oneof![
        20 => key.clone().prop_map(Call::Get),
        20 => (key.clone(), weight.clone()).prop_map(|(k, w)| Call::Insert(k, w)),
        10 => (key.clone(), weight.clone(), 0u64..50).prop_map(|(k, w, t)| Call::InsertFor(k, w, t)),
        5 => key.clone().prop_map(Call::Remove),
        5 => (key, proptest::option::of(weight)).prop_map(|(k, w)| Call::Update(k, w)),
        1 => (1u8..5).prop_map(Call::Retain),
        1 => Just(Call::Clear),
        1 => Just(Call::Sweep),
        5 => (0u64..30).prop_map(Call::Wait),
    ]
}

/// A value is its weight and the number of the call that stored it.
type Value = (u16, usize);

type Cache = Memory<u8, Value>;

/// What would be there if nothing were ever evicted: the value and when it expires.
#[derive(Default)]
struct Model {
    entries: HashMap<u8, (Value, Option<u64>)>,
    now: u64,
}

impl Model {
    fn live(&self, key: u8) -> Option<Value> {
        let (value, expires) = self.entries.get(&key)?;
        expires.is_none_or(|at| self.now < at).then_some(*value)
    }
}

fn run(calls: Vec<Call>, shards: usize) -> Result<(), TestCaseError> {
    let clock = ManualClock::new();
    let cache = Memory::builder()
        .max_weight(BOUND)
        .shards(shards)
        .clock(clock.clone())
        .weigher(|_: &u8, value: &Value| u64::from(value.0))
        .build()
        .unwrap();
    let mut model = Model::default();
    for (number, call) in calls.into_iter().enumerate() {
        if let Call::Wait(nanos) = call {
            clock.advance(Duration::from_nanos(nanos));
            model.now += nanos;
        }
        on_one_key(&cache, &mut model, &call, number)?;
        on_all(&cache, &mut model, &call)?;
        prop_assert!(cache.weight() <= BOUND);
    }
    account(&cache)
}

/// The calls for one key.
fn on_one_key(
    cache: &Cache,
    model: &mut Model,
    call: &Call,
    number: usize,
) -> Result<(), TestCaseError> {
    match *call {
        Call::Get(key) => {
            let (found, live) = (cache.get(&key), model.live(key));
            prop_assert!(found.is_none() || found == live, "{found:?} for {live:?}");
            prop_assert_eq!(found.is_some(), cache.contains(&key));
        }
        Call::Insert(key, weight) => {
            let stored = cache.insert(key, (weight, number));
            prop_assert_eq!(stored, fits(weight));
            prop_assert_eq!(cache.get(&key).is_some(), stored);
            model.entries.insert(key, ((weight, number), None));
        }
        Call::InsertFor(key, weight, ttl) => {
            let stored = cache.insert_with_ttl(key, (weight, number), Duration::from_nanos(ttl));
            prop_assert_eq!(stored, fits(weight) && ttl > 0);
            let left = cache.get_with_ttl(&key).map(|(_, left)| left.unwrap());
            prop_assert_eq!(left, stored.then_some(Duration::from_nanos(ttl)));
            let expires = Some(model.now + ttl);
            model.entries.insert(key, ((weight, number), expires));
        }
        Call::Remove(key) => {
            let removed = cache.remove(&key);
            prop_assert!(removed.is_none() || removed == model.live(key));
            prop_assert!(cache.get(&key).is_none());
            model.entries.remove(&key);
        }
        Call::Update(key, weight) => {
            let (present, mut seen) = (cache.get(&key), None);
            let made = cache.update(key, |value| {
                seen = value.copied();
                weight.map(|weight| (weight, number))
            });
            prop_assert_eq!(seen, present);
            prop_assert_eq!(made, weight.map(|weight| (weight, number)));
            match made {
                Some(value) => model.entries.insert(key, (value, None)),
                None => model.entries.remove(&key),
            };
        }
        _ => {}
    }
    Ok(())
}

/// The calls for the whole cache.
fn on_all(cache: &Cache, model: &mut Model, call: &Call) -> Result<(), TestCaseError> {
    match *call {
        Call::Retain(part) => {
            cache.retain(|key, _| key % part == 0);
            model.entries.retain(|key, _| key % part == 0);
        }
        Call::Clear => {
            cache.clear();
            prop_assert!(cache.is_empty());
            prop_assert_eq!(cache.weight(), 0);
            model.entries.clear();
        }
        Call::Sweep => {
            cache.sweep();
            let now = model.now;
            model.entries.retain(|_, (_, at)| at.is_none_or(|at| now < at));
            prop_assert!(cache.len() <= model.entries.len());
        }
        _ => {}
    }
    Ok(())
}

fn fits(weight: u16) -> bool {
    u64::from(weight) + Cache::overhead() <= BOUND
}

/// The account of weight is the sum of what is there, and the counters add up.
fn account(cache: &Cache) -> Result<(), TestCaseError> {
    let (mut weight, mut entries) = (0, 0);
    let stats = cache.stats();
    prop_assert_eq!(
        stats.inserts,
        stats.entries + stats.removals + stats.evictions + stats.expirations
    );
    cache.sweep();
    cache.retain(|_, value| {
        weight += u64::from(value.0) + Cache::overhead();
        entries += 1;
        true
    });
    prop_assert_eq!((cache.weight(), cache.len()), (weight, entries));
    Ok(())
}

proptest! {
    #[test]
    fn any_run_of_calls_keeps_the_promises(calls in vec(calls(), 1..400)) {
        run(calls, 1)?;
    }

    #[test]
    fn shards_change_nothing(calls in vec(calls(), 1..400)) {
        run(calls, 8)?;
    }
}
