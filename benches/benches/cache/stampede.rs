//! Many tasks, one missing key, a slow loader; and what a hit costs through the same call.

use std::error::Error;
use std::future::Future;
use std::hint::black_box;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use benches::asked::Asked;
use benches::figures::{least, median, percentile};
use benches::report::Report;
use benches::table::{Table, figure, text};
use bytes::Bytes;
use tokio::runtime::Runtime;
use tokio::sync::Barrier;
use tokio::time::{Instant, sleep};

const LOAD: Duration = Duration::from_millis(10);
/// Calls of one round of hits.
const HITS: u32 = 200_000;

static LOADS: AtomicUsize = AtomicUsize::new(0);

/// A source that is slow, and may fail.
#[derive(Debug, Clone, Copy)]
struct Source {
    fails: bool,
}

impl Source {
    async fn load(self) -> Result<Bytes, io::Error> {
        LOADS.fetch_add(1, Ordering::Relaxed);
        sleep(LOAD).await;
        if self.fails { Err(io::Error::other("down")) } else { Ok(Bytes::from_static(b"value")) }
    }
}

/// A cache that loads what is missing.
trait Loading: Send + Sync + 'static {
    const NAME: &'static str;
    fn new() -> Self;
    fn get(&self, key: u64) -> Option<Bytes>;
    fn load(&self, key: u64, source: Source) -> impl Future<Output = Option<Bytes>> + Send;
}

impl Loading for vcache::Cache<u64, Bytes> {
    const NAME: &'static str = "verve";
    fn new() -> Self {
        Self::builder().build().expect("the default settings are right")
    }
    fn get(&self, key: u64) -> Option<Bytes> {
        Self::get(self, &key)
    }
    async fn load(&self, key: u64, source: Source) -> Option<Bytes> {
        self.get_or_load(key, move || source.load()).await.ok()
    }
}

impl Loading for quick_cache::sync::Cache<u64, Bytes> {
    const NAME: &'static str = "quick_cache";
    fn new() -> Self {
        Self::new(10_000)
    }
    fn get(&self, key: u64) -> Option<Bytes> {
        Self::get(self, &key)
    }
    async fn load(&self, key: u64, source: Source) -> Option<Bytes> {
        self.get_or_insert_async(&key, source.load()).await.ok()
    }
}

/// moka's read is async, but has nothing to wait for: its sync one is what to compare with.
struct Moka(moka::future::Cache<u64, Bytes>, moka::sync::Cache<u64, Bytes>);

impl Loading for Moka {
    const NAME: &'static str = "moka";
    fn new() -> Self {
        let sync = moka::sync::Cache::new(10_000);
        sync.insert(1, Bytes::from_static(b"value"));
        Self(moka::future::Cache::new(10_000), sync)
    }
    fn get(&self, key: u64) -> Option<Bytes> {
        self.1.get(&key)
    }
    async fn load(&self, key: u64, source: Source) -> Option<Bytes> {
        self.0.try_get_with(key, source.load()).await.ok()
    }
}

impl Loading for foyer::Cache<u64, Bytes> {
    const NAME: &'static str = "foyer";
    fn new() -> Self {
        foyer::CacheBuilder::new(10_000).build()
    }
    fn get(&self, key: u64) -> Option<Bytes> {
        Self::get(self, &key).map(|entry| entry.value().clone())
    }
    async fn load(&self, key: u64, source: Source) -> Option<Bytes> {
        let entry = self.get_or_fetch(&key, || source.load()).await.ok()?;
        Some(entry.value().clone())
    }
}

/// Who asks, and what goes wrong.
struct Case {
    name: &'static str,
    tasks: usize,
    source: Source,
    /// The first task is aborted in the middle of its load.
    abort: bool,
}

const CASES: [Case; 3] = [
    Case { name: "ok", tasks: 1000, source: Source { fails: false }, abort: false },
    Case { name: "loader fails", tasks: 100, source: Source { fails: true }, abort: false },
    Case { name: "leader aborted", tasks: 1000, source: Source { fails: false }, abort: true },
];

/// What one run of a case gave.
#[derive(Default)]
struct Outcome {
    loads: usize,
    answered: usize,
    p50: f64,
    p99: f64,
}

pub(crate) fn run(asked: &Asked, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    let mut table = Table::new(
        "Stampede",
        "Tasks that ask for one missing key at once; the loader takes 10 ms. Median of the rounds, times \
         in ms from the common start to the answer. An aborted leader is itself one that gets no answer.",
        &["case", "tasks", "contender", "loads", "answered", "p50", "p99"],
    );
    for case in &CASES {
        measure::<vcache::Cache<u64, Bytes>>(asked, &runtime, &mut table, case);
        measure::<quick_cache::sync::Cache<u64, Bytes>>(asked, &runtime, &mut table, case);
        measure::<Moka>(asked, &runtime, &mut table, case);
        measure::<foyer::Cache<u64, Bytes>>(asked, &runtime, &mut table, case);
    }
    report.add(table);
    report.add(hits(asked)?);
    Ok(())
}

fn measure<C: Loading>(asked: &Asked, runtime: &Runtime, table: &mut Table, case: &Case) {
    if !asked.contender(C::NAME) {
        return;
    }
    let rounds = asked.rounds(7);
    let outcomes: Vec<Outcome> =
        (0..rounds).map(|_| runtime.block_on(stampede::<C>(case))).collect();
    let middle = |of: fn(&Outcome) -> f64| median(&outcomes.iter().map(of).collect::<Vec<_>>());
    let names = [case.name, &case.tasks.to_string(), C::NAME].map(text);
    let counts = [middle(|o| o.loads as f64), middle(|o| o.answered as f64)];
    let counts = counts.map(|count| figure(count, 0));
    let times = [middle(|o| o.p50), middle(|o| o.p99)].map(|time| figure(time, 1));
    table.row(names.into_iter().chain(counts).chain(times));
}

async fn stampede<C: Loading>(case: &Case) -> Outcome {
    let cache = Arc::new(C::new());
    LOADS.store(0, Ordering::Relaxed);
    let source = case.source;
    // The others, and who lets them start.
    let others = case.tasks - usize::from(case.abort);
    let barrier = Arc::new(Barrier::new(others + 1));
    let others: Vec<_> = (0..others)
        .map(|_| {
            let (cache, barrier) = (Arc::clone(&cache), Arc::clone(&barrier));
            tokio::spawn(async move {
                barrier.wait().await;
                let answer = cache.load(7, source).await;
                (answer.is_some(), Instant::now())
            })
        })
        .collect();
    let leader = case.abort.then(|| {
        let cache = Arc::clone(&cache);
        tokio::spawn(async move { cache.load(7, source).await })
    });
    if leader.is_some() {
        sleep(LOAD / 4).await;
    }
    barrier.wait().await;
    let started = Instant::now();
    if let Some(leader) = leader {
        sleep(LOAD / 4).await;
        leader.abort();
    }
    let mut outcome = Outcome::default();
    let mut times = Vec::with_capacity(others.len());
    for task in others {
        let (answered, ended) = task.await.expect("no task panics");
        outcome.answered += usize::from(answered);
        times.push(ended.saturating_duration_since(started).as_secs_f64() * 1e3);
    }
    outcome.loads = LOADS.load(Ordering::Relaxed);
    outcome.p50 = percentile(&times, 50);
    outcome.p99 = percentile(&times, 99);
    outcome
}

/// The call that would load, of a key that is there, beside the plain one.
fn hits(asked: &Asked) -> Result<Table, Box<dyn Error>> {
    let mut table = Table::new(
        "A hit through the loading call",
        "Nanoseconds, one task, one key, best of the rounds; the loader is never run.",
        &["contender", "sync get", "async loading call", "ratio"],
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    hit::<vcache::Cache<u64, Bytes>>(asked, &runtime, &mut table);
    hit::<quick_cache::sync::Cache<u64, Bytes>>(asked, &runtime, &mut table);
    hit::<Moka>(asked, &runtime, &mut table);
    hit::<foyer::Cache<u64, Bytes>>(asked, &runtime, &mut table);
    Ok(table)
}

fn hit<C: Loading>(asked: &Asked, runtime: &Runtime, table: &mut Table) {
    if !asked.contender(C::NAME) {
        return;
    }
    let cache = C::new();
    let source = Source { fails: false };
    runtime.block_on(async {
        assert!(cache.load(1, source).await.is_some(), "{}", C::NAME);
        let (mut sync, mut through) = (Vec::new(), Vec::new());
        for _ in 0..asked.rounds(15) {
            let began = Instant::now();
            for _ in 0..HITS {
                black_box(cache.get(black_box(1)));
            }
            sync.push(began.elapsed().as_nanos() as f64 / f64::from(HITS));
            let began = Instant::now();
            for _ in 0..HITS {
                black_box(cache.load(black_box(1), source).await);
            }
            through.push(began.elapsed().as_nanos() as f64 / f64::from(HITS));
        }
        let (sync, through) = (least(&sync), least(&through));
        table.row([text(C::NAME), figure(sync, 1), figure(through, 1), figure(through / sync, 2)]);
    });
}
