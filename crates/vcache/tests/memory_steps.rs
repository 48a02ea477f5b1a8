//! Steps on one key, pins, another bound, and walks.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "tests")]

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use vcache::{Cache, Equivalent, Keep, Memory, Op, Outcome};

type Numbers = Memory<u32, u32>;

fn numbers(entries: u64, shards: usize) -> Numbers {
    let overhead = Numbers::overhead();
    Memory::builder().max_weight(entries * overhead).shards(shards).build().unwrap()
}

#[test]
fn compute_does_what_is_said_and_says_what_it_did() {
    let cache = numbers(10, 1);
    assert_eq!(
        cache.compute(1, |old| {
            assert_eq!(old, None);
            Op::Nop
        }),
        Outcome::Absent
    );
    assert_eq!(cache.compute(1, |_| Op::Remove), Outcome::Absent);
    assert_eq!(cache.compute(1, |_| Op::Put(5)), Outcome::Inserted(5));
    assert_eq!(cache.compute(1, |_| Op::Nop), Outcome::Unchanged(5));
    let doubled = cache.compute(1, |old| Op::Put(old.unwrap() * 2));
    assert_eq!(doubled, Outcome::Replaced { old: 5, new: 10 });
    let zero = Keep::new().ttl(std::time::Duration::ZERO);
    let refused = cache.compute(1, |_| Op::PutWith(7, zero));
    assert_eq!(refused, Outcome::Refused { value: 7, old: Some(10) });
    assert_eq!(cache.compute(1, |_| Op::Put(1)), Outcome::Inserted(1));
    assert_eq!(cache.compute(1, |_| Op::Remove), Outcome::Removed(1));
    assert!(cache.is_empty());
}

#[test]
fn conditions_decide_on_the_live_value() {
    let cache = numbers(10, 1);
    assert_eq!(cache.replace_if(1, 9, |_| true), Err(9));
    cache.insert(1, 5);
    assert_eq!(cache.replace_if(1, 9, |old| *old == 4), Err(9));
    assert_eq!(cache.replace_if(1, 9, |old| *old == 5), Ok(5));
    assert_eq!(cache.remove_if(&1, |value| *value == 5), None);
    assert_eq!(cache.remove_if(&1, |value| *value == 9), Some(9));
    assert_eq!(cache.upsert(1, |old| old.map_or(1, |old| old + 1)), 1);
    assert_eq!(cache.upsert(1, |old| old.map_or(1, |old| old + 1)), 2);
    assert_eq!(cache.get_or_insert_with(&1, || 77), 2);
    assert_eq!(cache.get_or_insert_with(&2, || 77), 77);
    assert_eq!(cache.entry(2).or_insert(1), 77);
    assert_eq!(cache.entry(3).or_insert(1), 1);
    assert_eq!(cache.entry(3).remove_if(|value| *value == 1), Some(1));
}

#[test]
fn threads_that_make_one_value_make_it_once() {
    let (cache, mades) = (numbers(100, 4), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let value = cache.get_or_insert_with(&7, || {
                    assert!(!mades.swap(true, Ordering::Relaxed));
                    42
                });
                assert_eq!(value, 42);
            });
        }
    });
}

#[test]
fn a_cache_keeps_tags_through_steps() {
    let cache = Cache::<&str, u32>::builder().build().unwrap();
    cache.insert_loaded("a", vcache::Loaded::new(1).tags(["t"]));
    assert_eq!(cache.upsert("a", |old| old.unwrap() + 1), 2);
    assert_eq!(cache.compute("a", |_| Op::Nop), Outcome::Unchanged(2));
    assert_eq!(cache.iter().collect::<Vec<_>>(), [("a", 2)]);
    cache.invalidate_tag("t");
    assert_eq!(cache.compute("a", |_| Op::Nop), Outcome::Absent);
    assert_eq!(cache.remove_if("a", |_| true), None);
    assert_eq!(cache.entry("a").or_insert_with(|| 9), 9);
    assert_eq!(cache.replace_if("a", 10, |old| *old == 9), Ok(9));
    assert_eq!(cache.iter().count(), 1);
}

/// A pair that is looked up by borrowed parts, which no `Borrow` can give.
#[derive(Hash)]
struct Parts<'a>(&'a str, u32);

impl Equivalent<(String, u32)> for Parts<'_> {
    fn equivalent(&self, key: &(String, u32)) -> bool {
        key.0 == self.0 && key.1 == self.1
    }
}

#[test]
fn keys_are_looked_up_by_what_is_equivalent() {
    let key = || ("ada".to_owned(), 7);
    let memory = Memory::<(String, u32), u32>::builder().build().unwrap();
    memory.insert(key(), 1);
    assert_eq!(memory.get(&Parts("ada", 7)), Some(1));
    assert!(memory.pin(&Parts("ada", 7)));
    assert_eq!(memory.remove(&Parts("ada", 7)), Some(1));
    let cache = Cache::<(String, u32), u32>::builder().build().unwrap();
    cache.insert(key(), 1);
    assert_eq!(cache.get(&Parts("ada", 7)), Some(1));
    assert!(cache.contains(&Parts("ada", 7)) && !cache.contains(&Parts("ada", 8)));
    assert_eq!(cache.remove(&Parts("ada", 7)), Some(1));
}

#[test]
fn pinned_entries_stay_while_others_come_and_go() {
    let cache = numbers(100, 2);
    for key in 0..50 {
        assert!(cache.insert_with(key, key, Keep::new().pinned()));
    }
    for key in 1000..3000 {
        assert!(cache.insert(key, key));
        assert!(cache.get(&key).is_none_or(|value| value == key));
    }
    assert!((0..50).all(|key| cache.get(&key) == Some(key)));
    for key in 0..50 {
        assert!(cache.unpin(&key));
    }
    for key in 3000..9000 {
        cache.insert(key, key);
        assert!(cache.get(&key).is_none_or(|value| value == key));
    }
    assert!((0..50).filter(|key| cache.contains(key)).count() < 50);
    assert!(!cache.pin(&999_999) && !cache.unpin(&999_999));
}

#[test]
fn what_is_pinned_may_fill_the_bound() {
    let cache = numbers(10, 2);
    for key in 0..10 {
        assert!(cache.insert_with(key, key, Keep::new().pinned()));
    }
    assert!(!cache.insert(10, 10));
    assert!(!cache.insert_with(11, 11, Keep::new().pinned()));
    assert_eq!((cache.len(), cache.stats().refusals), (10, 2));
    // A step keeps the pin, an insertion decides anew.
    cache.upsert(0, |_| 7);
    assert!(!cache.insert(10, 10));
    cache.insert(0, 8);
    assert!(cache.insert(10, 10));
    assert_eq!((cache.get(&0), cache.len()), (None, 10));
    assert_eq!(cache.resize(0), 1);
    assert_eq!(cache.len(), 9);
    assert_eq!(cache.remove(&1), Some(1));
    assert!(!cache.insert(1, 1));
}

#[test]
fn a_bound_may_be_zero() {
    let cache = numbers(0, 1);
    assert!(!cache.insert(1, 1) && cache.is_empty());
    assert_eq!(cache.upsert(1, |_| 5), 5);
    assert_eq!(cache.get_or_insert_with(&1, || 6), 6);
    cache.resize(10 * Numbers::overhead());
    assert!(cache.insert(1, 1));
    assert_eq!(cache.resize(0), 1);
    assert_eq!((cache.weight(), cache.stats().max_weight), (0, 0));
}

#[test]
fn weights_that_overflow_or_are_too_heavy_are_refused() {
    let cache = Memory::<u32, u64>::builder().weigher(|_, value| *value).build().unwrap();
    cache.insert(1, 0);
    assert_eq!(cache.weight(), Memory::<u32, u64>::overhead());
    for heavy in [u64::MAX, u64::MAX - 1, 64 << 20] {
        assert!(!cache.insert(1, heavy));
        // It was the latest value, so that no older one may be returned.
        assert_eq!((cache.get(&1), cache.weight()), (None, 0));
        cache.insert(1, 0);
    }
}

#[test]
fn the_bound_moves_under_load() {
    let (cache, done) = (numbers(1000, 8), AtomicBool::new(false));
    thread::scope(|scope| {
        for seed in 0..3_u32 {
            let (cache, done) = (&cache, &done);
            scope.spawn(move || {
                let mut key = seed;
                while !done.load(Ordering::Relaxed) {
                    key = key.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
                    cache.insert(key >> 18, seed);
                }
            });
        }
        let mut over = Vec::new();
        for round in 0..200_u64 {
            let bound = Numbers::overhead() * (1 + round * 37 % 1000);
            cache.resize(bound);
            over.extend((0..20).map(|_| cache.weight()).filter(|weight| *weight > bound));
        }
        // First of all: the others end when this says so.
        done.store(true, Ordering::Relaxed);
        assert_eq!(over, [0; 0]);
    });
    let stats = cache.stats();
    assert_eq!(stats.inserts, stats.entries + stats.evictions + stats.removals);
}

#[test]
fn a_walk_meets_what_stays_once() {
    let cache = numbers(100_000, 4);
    for key in 0..10_000 {
        cache.insert(key, key);
    }
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut key = 1_000_000;
            while !done.load(Ordering::Relaxed) {
                cache.insert(key, key);
                cache.remove(&(key - 50));
                key += 1;
            }
        });
        for _ in 0..5 {
            let mut met: HashMap<u32, u32> = HashMap::new();
            for (key, value) in cache.iter() {
                assert_eq!(key, value);
                *met.entry(key).or_default() += 1;
            }
            assert!((0..10_000).all(|key| met.get(&key) == Some(&1)));
        }
        done.store(true, Ordering::Relaxed);
    });
    let mut some = HashSet::new();
    cache.visit(|key, _| {
        some.insert(*key);
        some.len() < 10
    });
    assert_eq!(some.len(), 10);
}
