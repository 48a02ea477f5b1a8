//! Wall time of an operation: two kinds of keys, two skews, four mixes, one to eight threads.

use std::env;
use std::error::Error;
use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use benches::asked::Asked;
use benches::caches::{Cache, Contender, Key, contenders};
use benches::chart::{Chart, Columns};
use benches::figures::{least, median};
use benches::report::Report;
use benches::rounds::Rounds;
use benches::table::{Cell, Table, figure, text};
use benches::zipf::Zipf;
use bytes::Bytes;
use tokio::time::Instant;

const NAMES: [&str; 6] =
    ["verve", "verve, TTL", "quick_cache", "moka", "moka, TTL", "foyer S3-FIFO"];
const PEER: &str = "quick_cache";

/// Operations of all threads together in one run: some ten milliseconds of the fastest.
const OPERATIONS: usize = 1 << 18;

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

/// Contenders with their names.
type Named<K> = (&'static str, Contender<K, Bytes>);

pub(crate) fn run(asked: &Asked, report: &mut Report) -> Result<(), Box<dyn Error>> {
    for skew in [0.99, 0.7] {
        let table = table(asked, "u64", skew, u64::from);
        if skew > 0.9 {
            let columns = Columns { groups: &[0, 1], name: 2, value: 3 };
            let title = "Speed, u64 keys, Zipf 0.99, threads: ns an operation, less is better";
            let few = |row: &[Cell]| matches!(row.get(1), Some(Cell::Text(threads)) if threads == "1" || threads == "2");
            report.chart(Chart::of(title, &table, columns, few));
        }
        report.add(table);
        report.add(self::table(asked, "String", skew, |rank| format!("user:{rank:08}:profile")));
    }
    Ok(())
}

/// All mixes with one kind of keys and one skew.
fn table<K: Key>(asked: &Asked, kind: &str, skew: f64, key: impl Fn(u32) -> K) -> Table {
    let mut table = Table::new(
        &format!("Speed, {kind} keys, Zipf {skew}"),
        "Nanoseconds an operation: wall time of all threads by the operations of all threads; 100-byte \
         `Bytes` values, cloned by a read. `best` and `median` are of the rounds; the last column says \
         how many times as fast as quick_cache (best against best). Hit: 50,000 keys, all there. The \
         others: 500,000 keys, room for a tenth. More threads than processors show collapse, not speed.",
        &["scenario", "threads", "contender", "best", "median", "× quick_cache"],
    );
    for scenario in &SCENARIOS {
        let draws = Zipf::new(scenario.keys, skew).draws(0x5EED, OPERATIONS);
        eprintln!("speed: {kind} keys, Zipf {skew}, {}", scenario.name);
        measure(asked, &mut table, scenario, &draws, &key);
    }
    table
}

fn measure<K: Key>(
    asked: &Asked,
    table: &mut Table,
    scenario: &Scenario,
    draws: &[u32],
    key: impl Fn(u32) -> K,
) {
    let bytes = |n: u32| Bytes::from(vec![n.to_le_bytes()[0]; 100]);
    let values: Vec<Bytes> = (0..1024).map(bytes).collect();
    let keys: Vec<K> = (0..scenario.keys).map(key).collect();
    let data = &Data { keys: &keys, values: &values };
    let caches: Vec<Named<K>> = contenders(asked, &NAMES, scenario.room);
    for (_, cache) in &caches {
        // Full and warm before the first round.
        (0..scenario.keys).for_each(|key| data.store(&**cache, key));
        work_through(&**cache, scenario.work, data, draws);
    }
    let most = env::var("VERVE_BENCH_THREADS").ok().and_then(|text| text.parse().ok()).unwrap_or(8);
    for threads in [1, 2, 4, 8].into_iter().filter(|threads| *threads <= most) {
        let rounds = Rounds { most: asked.rounds(5), within: Duration::from_secs(4) };
        let run = |(_, cache): &Named<K>| timed(&**cache, scenario.work, data, draws, threads);
        let figures = rounds.alternate(&caches, run);
        let of_peer = caches.iter().zip(&figures).find(|((name, _), _)| *name == PEER);
        let of_peer = of_peer.map_or(f64::NAN, |(_, figures)| least(figures));
        for ((name, _), figures) in caches.iter().zip(&figures) {
            let names = [scenario.name, &threads.to_string(), name].map(text);
            let best = least(figures);
            let figures = [figure(best, 1), figure(median(figures), 1), figure(of_peer / best, 2)];
            table.row(names.into_iter().chain(figures));
        }
    }
}

/// Keys by rank, and values that are shared by them.
struct Data<'a, K> {
    keys: &'a [K],
    values: &'a [Bytes],
}

impl<K: Key> Data<'_, K> {
    fn store(&self, cache: &dyn Cache<K, Bytes>, rank: u32) {
        let rank = rank as usize;
        cache.insert(self.keys[rank].clone(), self.values[rank % self.values.len()].clone());
    }
}

/// Wall time for each operation of all threads, in nanoseconds; each thread has its share of the
/// draws.
fn timed<K: Key>(
    cache: &dyn Cache<K, Bytes>,
    work: Work,
    data: &Data<'_, K>,
    draws: &[u32],
    threads: usize,
) -> f64 {
    let barrier = Barrier::new(threads);
    let spans = thread::scope(|scope| {
        let share = |draws| {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                let began = Instant::now();
                work_through(cache, work, data, draws);
                (began, Instant::now())
            })
        };
        let threads: Vec<_> = draws.chunks(draws.len().div_ceil(threads)).map(share).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no thread panics"))
            .collect::<Vec<_>>()
    });
    let began = spans.iter().map(|(began, _)| *began).min();
    let ended = spans.iter().map(|(_, ended)| *ended).max();
    let took = ended.zip(began).map_or(Duration::ZERO, |(ended, began)| ended - began);
    took.as_nanos() as f64 / draws.len() as f64
}

fn work_through<K: Key>(
    cache: &dyn Cache<K, Bytes>,
    work: Work,
    data: &Data<'_, K>,
    draws: &[u32],
) {
    let mut turn = 0_u32;
    for rank in draws {
        match work {
            Work::Mix(reads) => {
                // Spread evenly, and the same for all contenders.
                turn = (turn + 37) % 100;
                if turn < reads {
                    let value = cache.get(&data.keys[*rank as usize]);
                    // Looked at where it is: moving it would measure the harness.
                    black_box(&value);
                } else {
                    data.store(cache, *rank);
                }
            }
            Work::ReadThrough => {
                let value = cache.get(&data.keys[*rank as usize]);
                black_box(&value);
                if value.is_none() {
                    data.store(cache, *rank);
                }
            }
        }
    }
}
