//! Many threads at one cache: the bound holds at every moment, and nothing is lost or invented.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "tests")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use vcache::Memory;

/// A cheap, seeded sequence of numbers (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

type Blobs = Memory<u64, Arc<Vec<u8>>>;

/// Removes, stores and reads at random; a value begins with its key.
fn write_much(cache: &Blobs, mut numbers: Numbers) {
    for _ in 0..20_000 {
        let key = numbers.next() % 500;
        match numbers.next() % 10 {
            0 => drop(cache.remove(&key)),
            1..5 => {
                // Mostly small, now and then most of the cache.
                let large = numbers.next().is_multiple_of(50);
                let len = numbers.next() % if large { 90_000 } else { 500 };
                let mut value = vec![0; usize::try_from(len).unwrap().max(8)];
                value[..8].copy_from_slice(&key.to_le_bytes());
                cache.insert(key, Arc::new(value));
            }
            _ => {
                if let Some(value) = cache.get(&key) {
                    assert_eq!(value[..8], key.to_le_bytes());
                }
            }
        }
    }
}

#[test]
fn the_bound_holds_while_eight_threads_write() {
    const BOUND: u64 = 100_000;
    let cache = Memory::builder()
        .max_weight(BOUND)
        .shards(16)
        .weigher(|_: &u64, value: &Arc<Vec<u8>>| value.len() as u64)
        .build()
        .unwrap();
    let done = AtomicBool::new(false);
    let start = Barrier::new(9);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|seed| {
                let (cache, start) = (&cache, &start);
                scope.spawn(move || {
                    start.wait();
                    write_much(cache, Numbers(seed));
                })
            })
            .collect();
        scope.spawn(|| {
            start.wait();
            while !done.load(Ordering::Relaxed) {
                assert!(cache.weight() <= BOUND);
            }
        });
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    let stats = cache.stats();
    assert!(stats.evictions > 0);
    assert_eq!(stats.inserts, stats.entries + stats.removals + stats.evictions);
    let mut weight = 0;
    cache.retain(|_, value| {
        weight += value.len() as u64 + Blobs::overhead();
        true
    });
    assert_eq!(cache.weight(), weight);
    cache.clear();
    assert_eq!(cache.weight(), 0);
}

#[test]
fn updates_of_one_key_are_never_lost() {
    let cache = Memory::<&str, u64>::builder().build().unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10_000 {
                    cache.update("n", |n| Some(n.copied().unwrap_or(0) + 1));
                }
            });
        }
    });
    assert_eq!(cache.get("n"), Some(40_000));
}

/// A value whose destructor calls back into its cache.
#[derive(Clone)]
struct Nosy {
    _inside: Arc<Inside>,
}

struct Inside {
    cache: Memory<u64, Nosy>,
    dropped: Arc<AtomicU64>,
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.cache.remove(&1);
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn destructors_may_call_the_cache() {
    let cache = Memory::<u64, Nosy>::builder()
        .max_weight(10 * Memory::<u64, Nosy>::overhead())
        .shards(1)
        .build()
        .unwrap();
    let dropped = Arc::new(AtomicU64::new(0));
    let value = || {
        let inside = Inside { cache: cache.clone(), dropped: Arc::clone(&dropped) };
        Nosy { _inside: Arc::new(inside) }
    };
    for key in 10..40 {
        cache.insert(key, value());
    }
    cache.update(39, |_| Some(value()));
    cache.retain(|key, _| key % 2 == 0);
    cache.remove(&38);
    cache.clear();
    assert_eq!(dropped.load(Ordering::Relaxed), 31);
}

#[test]
fn a_panic_in_a_callers_closure_changes_nothing() {
    let cache = Memory::<&str, u64>::builder().shards(1).build().unwrap();
    cache.insert("a", 1);
    let panicked = thread::scope(|scope| {
        scope.spawn(|| cache.update("a", |_| panic!("the caller's own"))).join()
    });
    assert!(panicked.is_err());
    assert_eq!(cache.get("a"), Some(1));
    cache.insert("b", 2);
    assert_eq!(cache.len(), 2);
}
