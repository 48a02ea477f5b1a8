//! All at once: readers, writers, expiry, idling, pins, another bound, invalidation of every kind,
//! walks and a listener that calls back. What must hold does so at every moment.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "tests")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use vcache::{Cache, Cause, Config, Keep, Loaded, Loading, ManualClock, Memory, Op};

const KEYS: u64 = 256;
const CALLS: u64 = 8_000;

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

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// A value: its key, and a number that no other value has.
type Value = (u64, u64);

/// What was stored and what has left, by the values' numbers.
#[derive(Default)]
struct Ledger {
    stored: Mutex<HashMap<u64, bool>>,
    left: Mutex<HashMap<u64, Cause>>,
    next: AtomicU64,
}

impl Ledger {
    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn store(&self, number: u64, stored: bool) {
        assert_eq!(self.stored.lock().unwrap().insert(number, stored), None);
    }

    fn leave(&self, number: u64, cause: Cause) {
        assert_eq!(self.left.lock().unwrap().insert(number, cause), None);
    }
}

fn keep(numbers: &mut Numbers) -> Keep {
    let nanos = Duration::from_nanos(1 + numbers.below(2000));
    match numbers.below(6) {
        0 => Keep::new().ttl(nanos),
        1 => Keep::new().tti(nanos),
        2 => Keep::new().ttl(2 * nanos).tti(nanos),
        3 if numbers.below(20) == 0 => Keep::new().pinned().ttl(nanos),
        _ => Keep::new(),
    }
}

fn write(cache: &Memory<u64, Value>, ledger: &Ledger, clock: &ManualClock, seed: u64) {
    let mut numbers = Numbers(seed);
    for call in 0..CALLS {
        if call % 64 == 63 {
            disturb(cache, clock, call / 64 + seed, &mut numbers);
        }
        let key = numbers.below(KEYS);
        match numbers.below(12) {
            0 => drop(cache.remove(&key)),
            1 => drop(cache.remove_if(&key, |value| value.1 % 2 == 0)),
            2 => drop(cache.unpin(&key)),
            3 | 4 => {
                let (number, keep) = (ledger.number(), keep(&mut numbers));
                let made = cache.compute(key, |_| Op::PutWith((key, number), keep));
                let value = made.into_value();
                ledger.store(number, value.is_some_and(|value| value.1 == number));
            }
            5..8 => {
                let number = ledger.number();
                ledger.store(number, cache.insert_with(key, (key, number), keep(&mut numbers)));
            }
            _ => {
                if let Some(value) = cache.get(&key) {
                    assert_eq!(value.0, key);
                }
            }
        }
    }
}

/// Moves the clock and the bound, and removes many.
fn disturb(cache: &Memory<u64, Value>, clock: &ManualClock, round: u64, numbers: &mut Numbers) {
    let entry = Memory::<u64, Value>::overhead();
    clock.advance(Duration::from_nanos(numbers.below(300)));
    match round % 8 {
        0 => drop(cache.sweep()),
        1 => cache.retain(|key, _| key % 7 != round % 7),
        2 => drop(cache.resize(entry * 30)),
        3 => assert!(cache.iter().all(|(key, value)| key == value.0)),
        4 => drop(cache.resize(entry * (100 + numbers.below(200)))),
        5 if round % 64 == 5 => cache.clear(),
        _ => thread::yield_now(),
    }
}

#[test]
fn every_entry_is_accounted_for() {
    let (ledger, clock) = (Arc::new(Ledger::default()), ManualClock::new());
    let told = Arc::clone(&ledger);
    let cache = Memory::<u64, Value>::builder()
        .max_weight(300 * Memory::<u64, Value>::overhead())
        .shards(8)
        .clock(clock.clone())
        .curve_keys(64)
        .listener(move |_, value: &Value, cause| told.leave(value.1, cause))
        .build()
        .unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|seed| {
                let (cache, ledger) = (&cache, &ledger);
                let clock = &clock;
                scope.spawn(move || write(cache, ledger, clock, seed))
            })
            .collect();
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                assert!(cache.weight() <= 300 * Memory::<u64, Value>::overhead());
            }
        });
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    let (mut here, mut weight) = (0, 0);
    cache.sweep();
    let (stored, left) = (ledger.stored.lock().unwrap(), ledger.left.lock().unwrap());
    cache.visit(|_, value| {
        assert!(stored.get(&value.1) == Some(&true) && !left.contains_key(&value.1));
        here += 1;
        weight += Memory::<u64, Value>::overhead();
        true
    });
    assert_eq!(cache.len(), here);
    assert!(cache.weight() >= weight && cache.weight() <= weight + 24 * here as u64);
    for (number, stored) in stored.iter() {
        assert_eq!(*stored, left.get(number) != Some(&Cause::Refused), "{number}");
    }
    let gone = left.values().filter(|cause| **cause != Cause::Refused).count();
    let kept = stored.values().filter(|stored| **stored).count();
    assert_eq!(kept, gone + here);
    let stats = cache.stats();
    assert_eq!(stats.inserts, kept as u64);
    assert_eq!(stats.inserts, stats.entries + stats.evictions + stats.expirations + stats.removals);
    for cause in Cause::ALL.into_iter().filter(|cause| *cause != Cause::Refused) {
        let count = left.values().filter(|one| **one == cause).count();
        assert_eq!(stats.left(cause), count as u64, "{cause:?}");
    }
    assert!(stats.left(Cause::Resized) > 0 && stats.left(Cause::Expired) > 0);
    assert!(stats.left(Cause::Idle) > 0 && stats.left(Cause::Predicate) > 0);
}

/// The source of truth for one key: a version that only grows.
struct Source {
    versions: Vec<AtomicU64>,
    /// The version that a finished invalidation has made the oldest that may be seen.
    floors: Vec<AtomicU64>,
}

/// Changes a key at the source and invalidates it, in one of five ways.
fn change(cache: &Cache<String, u64>, source: &Source, numbers: &mut Numbers) {
    let key = usize::try_from(numbers.below(16)).unwrap();
    let version = source.versions[key].fetch_add(1, Ordering::SeqCst) + 1;
    let name = format!("k{key:02}");
    match numbers.below(5) {
        // Those that are loaded with a tag.
        0 if key % 2 == 0 => cache.invalidate_tag(&name),
        0 | 1 => drop(cache.remove(&name)),
        2 => cache.remove_prefix(&name),
        3 => cache.retain(|other, _| *other != name),
        _ => cache.clear(),
    }
    source.floors[key].fetch_max(version, Ordering::SeqCst);
}

/// Reads a key in one of two ways: what was invalidated before must not come.
fn read(cache: &Cache<String, u64>, source: &Arc<Source>, numbers: &mut Numbers, here: &Runtime) {
    let key = usize::try_from(numbers.below(16)).unwrap();
    let name = format!("k{key:02}");
    let floor = source.floors[key].load(Ordering::SeqCst);
    let own = Arc::clone(source);
    let load = move || {
        let version = own.versions[key].load(Ordering::SeqCst);
        thread::yield_now();
        Ok::<_, Infallible>(version)
    };
    let seen = match numbers.below(3) {
        0 => cache.get(&name),
        _ if key % 2 == 0 => {
            let tag = name.clone();
            let load = || async move { load().map(|version| Loaded::new(version).tags([tag])) };
            let loading = Loading::default();
            Some(here.block_on(cache.get_or_load_with(name.clone(), &loading, load)).unwrap())
        }
        _ => Some(cache.get_or_load_sync(&name, load).unwrap()),
    };
    if let Some(version) = seen {
        assert!(version >= floor, "{version} of {name}, which was invalidated up to {floor}");
    }
}

const BOUND: u64 = 4096;

#[test]
fn no_value_is_older_than_its_last_invalidation() {
    let heard = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&heard);
    let config = Config { max_size: BOUND, tti: Some(Duration::from_secs(5)), ..Config::default() };
    let cache = Cache::<String, u64>::builder()
        .config(config)
        .index_prefixes()
        .listener(move |_, _, _| {
            count.fetch_add(1, Ordering::Relaxed);
        })
        .build()
        .unwrap();
    let counters = || (0..16).map(|_| AtomicU64::new(0)).collect();
    let source = Arc::new(Source { versions: counters(), floors: counters() });
    thread::scope(|scope| {
        for seed in 0..4 {
            let (cache, source) = (&cache, &source);
            scope.spawn(move || {
                let (mut numbers, here) = (Numbers(seed), Builder::new_current_thread().build());
                let here = here.unwrap();
                for round in 0..4_000 {
                    read(cache, source, &mut numbers, &here);
                    if round % 3 == 0 {
                        change(cache, source, &mut numbers);
                    }
                    if round % 32 == 0 {
                        cache.resize(1024 + 64 * (round % 50));
                        cache.sweep();
                    }
                }
            });
        }
    });
    cache.resize(BOUND);
    assert!(heard.load(Ordering::Relaxed) > 0);
    assert!(cache.weight() <= BOUND, "{} of {BOUND}", cache.weight());
}
