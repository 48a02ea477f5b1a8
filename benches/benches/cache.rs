//! The memory cache beside quick_cache and moka: speed, hit ratio, memory.
//!
//! `cargo bench -p benches --bench cache -- [speed] [hits] [memory]`; without a word, all.
//! Contenders take turns in every round; the tables show medians.
#![expect(
    unsafe_code,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a harness for people, with an allocator that counts"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::env;
use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

use benches::caches::{Cache, Contender, contender, hit_ratio};
use benches::report::median;
use benches::trace;
use benches::zipf::{Zipf, synthetic};
use bytes::Bytes;

const SPEED: [&str; 5] = ["verve", "quick_cache", "moka", "verve, TTL", "moka, TTL"];
const RATIO: [&str; 3] = ["verve", "quick_cache", "moka"];

fn main() {
    let words: Vec<String> = env::args().skip(1).filter(|word| !word.starts_with("--b")).collect();
    // `cargo test` runs benches too; there is nothing to test here.
    if words.iter().any(|word| word == "--test") {
        return;
    }
    let asked = |area: &str| words.is_empty() || words.iter().any(|word| word == area);
    if asked("memory") {
        memory();
    }
    if asked("speed") {
        speed();
    }
    if asked("hits") {
        hits();
    }
}

/// Counts live bytes while it is asked to.
struct Counting;

static COUNTS: AtomicBool = AtomicBool::new(false);
static LIVE: AtomicI64 = AtomicI64::new(0);

impl Counting {
    fn count(bytes: usize, sign: i64) {
        if COUNTS.load(Ordering::Relaxed) {
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
            LIVE.fetch_add(sign * bytes, Ordering::Relaxed);
        }
    }
}

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size(), 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        Self::count(layout.size(), -1);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size(), 1);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::count(size, 1);
        Self::count(layout.size(), -1);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Live bytes for each entry of a cache that is full, and whose entries have been replaced once.
fn memory() {
    println!(
        "\n| u64→u64 entries | contender | bytes an entry, filled | after as many again |\n|--:|---|--:|--:|"
    );
    for entries in [100_000_usize, 1_000_000, 1_100_000] {
        for name in ["verve", "verve, TTL", "quick_cache", "moka"] {
            LIVE.store(0, Ordering::Relaxed);
            COUNTS.store(true, Ordering::Relaxed);
            let cache: Contender<u64, u64> = contender(name, entries).expect("a known name");
            let per_entry = |cache: &Contender<u64, u64>| {
                let len = cache.len();
                LIVE.load(Ordering::Relaxed) as f64 / len as f64
            };
            let last = entries as u64;
            (0..last).for_each(|key| cache.insert(key, key));
            let filled = per_entry(&cache);
            (last..2 * last).for_each(|key| cache.insert(key, key));
            println!("| {entries} | {name} | {filled:.1} | {:.1} |", per_entry(&cache));
            COUNTS.store(false, Ordering::Relaxed);
        }
    }
}

/// What a thread does with each key.
#[derive(Clone, Copy)]
enum Work {
    /// Reads, in a hundred; the others store.
    Mix(u32),
    /// Reads, and stores what is missing.
    ReadThrough,
}

struct Scenario {
    name: &'static str,
    work: Work,
    keys: u32,
    room: usize,
}

const SCENARIOS: [Scenario; 4] = [
    Scenario { name: "hit", work: Work::Mix(100), keys: 50_000, room: 60_000 },
    Scenario { name: "90/10", work: Work::Mix(90), keys: 500_000, room: 50_000 },
    Scenario { name: "50/50", work: Work::Mix(50), keys: 500_000, room: 50_000 },
    Scenario { name: "read-through", work: Work::ReadThrough, keys: 500_000, room: 50_000 },
];

fn setting(name: &str, default: usize) -> usize {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn speed() {
    let rounds = setting("VERVE_BENCH_ROUNDS", 7);
    let most = setting("VERVE_BENCH_THREADS", 8);
    println!(
        "\n| scenario | threads | contender | ns an operation | times as fast as quick_cache |\n|---|--:|---|--:|--:|"
    );
    let only = env::var("VERVE_BENCH_SCENARIO").unwrap_or_default();
    for scenario in SCENARIOS.iter().filter(|scenario| scenario.name.contains(&*only)) {
        let zipf = Zipf::new(scenario.keys, 0.99);
        let values: Vec<Bytes> =
            (0..1024_u32).map(|n| Bytes::from(vec![n.to_le_bytes()[0]; 100])).collect();
        let caches: Vec<Contender<u64, Bytes>> =
            SPEED.map(|name| contender(name, scenario.room).expect("a known name")).into();
        let sequences: Vec<Vec<u32>> = (0..8).map(|seed| zipf.draws(seed, 1 << 19)).collect();
        for cache in &caches {
            // Full and warm before the first round.
            (0..scenario.keys).for_each(|key| store(&**cache, key, &values));
            run(&**cache, scenario.work, &sequences[..1], &values);
        }
        for threads in [1, 2, 4, 8].into_iter().filter(|threads| *threads <= most) {
            let mut figures = vec![Vec::new(); caches.len()];
            for _ in 0..rounds {
                for (cache, figures) in caches.iter().zip(&mut figures) {
                    figures.push(run(&**cache, scenario.work, &sequences[..threads], &values));
                }
            }
            let medians: Vec<f64> = figures.iter().map(|figures| median(figures)).collect();
            for (name, ns) in SPEED.iter().zip(&medians) {
                println!(
                    "| {} | {threads} | {name} | {ns:.1} | {:.2} |",
                    scenario.name,
                    medians[1] / ns
                );
            }
        }
    }
}

fn store(cache: &dyn Cache<u64, Bytes>, key: u32, values: &[Bytes]) {
    cache.insert(u64::from(key), values[key as usize % values.len()].clone());
}

/// Wall time for each operation of all threads, in nanoseconds.
fn run(cache: &dyn Cache<u64, Bytes>, work: Work, sequences: &[Vec<u32>], values: &[Bytes]) -> f64 {
    let barrier = Barrier::new(sequences.len() + 1);
    let (started, ended) = thread::scope(|scope| {
        let threads: Vec<_> = sequences
            .iter()
            .map(|keys| {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    work_through(cache, work, keys, values);
                })
            })
            .collect();
        barrier.wait();
        let started = tokio::time::Instant::now();
        threads.into_iter().for_each(|thread| thread.join().expect("no thread panics"));
        (started, tokio::time::Instant::now())
    });
    let operations: usize = sequences.iter().map(Vec::len).sum();
    (ended - started).max(Duration::from_nanos(1)).as_nanos() as f64 / operations as f64
}

fn work_through(cache: &dyn Cache<u64, Bytes>, work: Work, keys: &[u32], values: &[Bytes]) {
    let mut turn = 0_u32;
    for key in keys {
        match work {
            Work::Mix(reads) => {
                // Spread evenly, and the same for all contenders.
                turn = (turn + 37) % 100;
                if turn < reads {
                    black_box(cache.get(&u64::from(*key)));
                } else {
                    store(cache, *key, values);
                }
            }
            Work::ReadThrough => {
                if black_box(cache.get(&u64::from(*key))).is_none() {
                    store(cache, *key, values);
                }
            }
        }
    }
}

/// Hit ratios in percent; the seeds of the hashers are random, so several runs and their mean.
fn hits() {
    let runs = setting("VERVE_BENCH_RUNS", 3);
    let mean = |name: &str, room: usize, keys: &[u32]| {
        let run = |_| hit_ratio(&*contender(name, room).expect("a known name"), keys);
        (0..runs).map(run).sum::<f64>() / runs as f64
    };
    println!(
        "\n| trace | room | best known peer | {} |\n|---|--:|--:|--:|--:|--:|",
        RATIO.join(" | ")
    );
    let mut sums = [0.0; RATIO.len()];
    for (name, room, best) in trace::CASES {
        let keys = trace::load(name).expect("the traces are there");
        let ratios = RATIO.map(|name| mean(name, room, &keys));
        sums.iter_mut().zip(ratios).for_each(|(sum, ratio)| *sum += ratio);
        println!("| {name} | {room} | {best:.2} |{}", row(&ratios));
    }
    let means = sums.map(|sum| sum / trace::CASES.len() as f64);
    println!("| mean | | |{}", row(&means));
    for (name, keys) in synthetic() {
        for room in [500, 2000, 8000] {
            println!("| {name} | {room} | |{}", row(&RATIO.map(|name| mean(name, room, &keys))));
        }
    }
}

fn row(ratios: &[f64]) -> String {
    ratios.iter().map(|ratio| format!(" {ratio:.2} |")).collect()
}
