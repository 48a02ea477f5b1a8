//! All of a cache at once on one clock: loads of both kinds, tags, writes, expiry, idling, pins,
//! another bound, every kind of invalidation and a listener that calls back. The bound is watched
//! throughout, nothing is older than its last invalidation, and at the end the sums are right.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "tests")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use vcache::{Cache, Cause, Config, Loaded, Loading, ManualClock};

const KEYS: u64 = 32;
const THREADS: u64 = 4;
const ROUNDS: u64 = 3_000;
/// The bound, and how far it is lowered: some thirty and some ten entries.
const BOUND: u64 = 8192;
const LOW: u64 = 2048;

/// A cheap, seeded sequence of numbers (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }
}

/// The version of the source that it is, and a number that no other value has.
#[derive(Debug, Clone, Copy)]
struct Value {
    version: u64,
    number: u64,
}

/// The source, and what was heard of the cache.
struct World {
    clock: ManualClock,
    /// Each key has a version that only grows.
    versions: Vec<AtomicU64>,
    /// The version that a finished invalidation or write has made the oldest that may be seen.
    floors: Vec<AtomicU64>,
    next: AtomicU64,
    left: Mutex<HashMap<u64, Cause>>,
    /// For the listener.
    cache: OnceLock<Cache<String, Value>>,
}

impl World {
    fn value(&self, version: u64) -> Value {
        Value { version, number: self.next.fetch_add(1, Ordering::Relaxed) }
    }

    fn left(&self, key: &String, value: Value, cause: Cause) {
        let before = self.left.lock().unwrap().insert(value.number, cause);
        assert_eq!(before, None, "{key} left twice");
        let Some(cache) = self.cache.get().filter(|_| value.number.is_multiple_of(5)) else {
            return;
        };
        assert!(cache.get(key).is_none_or(|now| now.number != value.number));
        if value.number.is_multiple_of(25) {
            cache.remove(key);
        }
    }
}

fn name(key: usize) -> String {
    format!("{}:{key:02}", if key.is_multiple_of(2) { "even" } else { "odd" })
}

fn place(key: u64) -> usize {
    usize::try_from(key).unwrap()
}

/// How long what is loaded lives: some for ever, some until the clock has gone on a little.
fn terms(value: Value, key: usize, numbers: &mut Numbers) -> Loaded<Value> {
    let (nanos, loaded) = (Duration::from_nanos(1 + numbers.below(2_000)), Loaded::new(value));
    let loaded = match numbers.below(6) {
        0 => loaded.ttl(nanos),
        1 => loaded.tti(nanos),
        // Refreshes run on a runtime that stands still between calls: not where threads wait.
        2 if key % 4 < 2 => loaded.ttl(nanos).stale_while_revalidate(nanos),
        3 if numbers.below(8) == 0 => loaded.ttl(nanos).pinned(),
        _ => loaded,
    };
    if key % 4 < 2 { loaded.tags([name(key)]) } else { loaded }
}

/// Changes one of the thread's own keys at the source, and tells the cache in one of six ways.
fn change(cache: &Cache<String, Value>, world: &World, seed: u64, numbers: &mut Numbers) {
    let key = place(numbers.below(KEYS / THREADS) * THREADS + seed);
    let version = world.versions[key].fetch_add(1, Ordering::SeqCst) + 1;
    let name = name(key);
    match numbers.below(12) {
        0 | 1 if key % 4 < 2 => cache.invalidate_tag(&name),
        0..3 => drop(cache.remove(&name)),
        3 | 4 => cache.remove_prefix(&name),
        5 => cache.retain(|other, _| *other != name),
        6 => cache.clear(),
        7..9 => {
            let here = Builder::new_current_thread().enable_time().build().unwrap();
            here.block_on(cache.write_around(&[name.as_str()], async { thread::yield_now() }));
        }
        _ => {
            let loaded = terms(world.value(version), key, numbers);
            cache.insert_loaded(name, loaded);
        }
    }
    world.floors[key].fetch_max(version, Ordering::SeqCst);
}

/// Reads any key in one of four ways: nothing older than its floor may come.
fn read(cache: &Cache<String, Value>, world: &Arc<World>, here: &Runtime, numbers: &mut Numbers) {
    let key = place(numbers.below(KEYS));
    let (name, floor) = (name(key), world.floors[key].load(Ordering::SeqCst));
    let own = Arc::clone(world);
    let load = move || {
        let version = own.versions[key].load(Ordering::SeqCst);
        thread::yield_now();
        own.value(version)
    };
    let seen = match numbers.below(5) {
        0 => cache.get(&name),
        1 => cache.peek(&name),
        // Values without tags: an insertion of this kind has none.
        2 if key % 4 >= 2 => {
            Some(cache.get_or_load_sync(&name, || Ok::<_, Infallible>(load())).unwrap())
        }
        _ => {
            let mut own = Numbers(numbers.below(u64::MAX));
            let load = move || async move { Ok::<_, Infallible>(terms(load(), key, &mut own)) };
            let loading = Loading::default();
            Some(here.block_on(cache.get_or_load_with(name.clone(), &loading, load)).unwrap())
        }
    };
    if let Some(value) = seen {
        let version = value.version;
        assert!(version >= floor, "{version} of {name}, which was invalidated up to {floor}");
    }
}

/// Moves the clock and the bound, walks and sweeps.
fn disturb(cache: &Cache<String, Value>, world: &World, round: u64, numbers: &mut Numbers) {
    world.clock.advance(Duration::from_nanos(numbers.below(300)));
    match round % 6 {
        0 => drop(cache.sweep()),
        1 => drop(cache.resize(LOW)),
        2 => drop(cache.unpin(&name(place(numbers.below(KEYS))))),
        3 => assert!(cache.iter().all(|(key, _)| key.contains(':'))),
        4 => drop(cache.resize(LOW + numbers.below(BOUND - LOW))),
        _ => drop(cache.pin(&name(place(numbers.below(KEYS))))),
    }
}

fn cache(world: &Arc<World>) -> Cache<String, Value> {
    let told = Arc::clone(world);
    Cache::builder()
        .config(Config { max_size: BOUND, curve_keys: 64, ..Config::default() })
        .shards(4)
        .clock(world.clock.clone())
        .index_prefixes()
        .listener(move |key, value: &Value, cause| told.left(key, *value, cause))
        .build()
        .unwrap()
}

#[test]
fn everything_holds_while_everything_happens() {
    let counters = || (0..KEYS).map(|_| AtomicU64::new(0)).collect();
    let world = Arc::new(World {
        clock: ManualClock::new(),
        versions: counters(),
        floors: counters(),
        next: AtomicU64::new(0),
        left: Mutex::default(),
        cache: OnceLock::new(),
    });
    let (cache, done) = (cache(&world), AtomicBool::new(false));
    assert!(world.cache.set(cache.clone()).is_ok());
    thread::scope(|scope| {
        let (cache, world) = (&cache, &world);
        let workers: Vec<_> = (0..THREADS)
            .map(|seed| {
                scope.spawn(move || {
                    let here = Builder::new_current_thread().enable_time().build().unwrap();
                    let mut numbers = Numbers(seed);
                    for round in 0..ROUNDS {
                        read(cache, world, &here, &mut numbers);
                        if round % 3 == 0 {
                            change(cache, world, seed, &mut numbers);
                        }
                        if round % 16 == seed {
                            disturb(cache, world, round / 16 + seed, &mut numbers);
                        }
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                assert!(cache.weight() <= BOUND);
            }
        });
        let ended: Vec<_> = workers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        done.store(true, Ordering::Relaxed);
        assert!(ended.iter().all(Result::is_ok));
    });
    sums_are_right(&cache, &world);
}

fn sums_are_right(cache: &Cache<String, Value>, world: &World) {
    cache.sweep();
    let (stats, left) = (cache.stats(), world.left.lock().unwrap());
    let here: Vec<Value> = cache.iter().map(|(_, value)| value).collect();
    assert!(here.iter().all(|value| !left.contains_key(&value.number)));
    assert!(stats.entries >= here.len() as u64 && stats.weight <= BOUND);
    assert_eq!(stats.inserts, stats.entries + stats.evictions + stats.expirations + stats.removals);
    assert_eq!((stats.listener_panics, stats.listener_unheard), (0, 0));
    let gone = left.values().filter(|cause| **cause != Cause::Refused).count() as u64;
    assert_eq!(gone, stats.inserts - stats.entries);
    for cause in [Cause::Room, Cause::Resized, Cause::Expired, Cause::Idle, Cause::Tag] {
        assert!(left.values().any(|one| *one == cause), "{cause:?} never came");
    }
    for cause in [Cause::Prefix, Cause::Predicate, Cause::Cleared, Cause::Removed] {
        assert!(left.values().any(|one| *one == cause), "{cause:?} never came");
    }
    assert_eq!(cache.loads(), 0);
}
