//! What tiers cost a hit in the first of them.

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use benches::asked::Asked;
use benches::figures::{least, median};
use benches::report::Report;
use benches::rounds::Rounds;
use benches::table::{Table, figure, text};
use benches::zipf::Zipf;
use bytes::Bytes;
use tokio::time::Instant;
use vcache::{Cache, Config, Memory, MemoryStore, Raw, Tiered};

const KEYS: u32 = 50_000;
const ROOM: u64 = 256 << 20;

enum Contender {
    Engine(Memory<Arc<str>, Bytes>),
    Loading(Cache<Arc<str>, Bytes>),
    Tiers(Box<Tiered<Bytes, MemoryStore, Raw>>),
}

impl Contender {
    const fn name(&self) -> &'static str {
        match self {
            Self::Engine(_) => "engine",
            Self::Loading(_) => "cache that loads",
            Self::Tiers(_) => "tiers, hit in the first",
        }
    }
}

pub(crate) fn run(asked: &Asked, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let names: Vec<String> = (0..KEYS).map(|key| format!("user:{key:08}:profile")).collect();
    let draws = Zipf::new(KEYS, 0.99).draws(0x71E5, 1 << 18);
    let contenders = runtime.block_on(filled(&names))?;
    let rounds = Rounds { most: asked.rounds(9), within: Duration::from_secs(20) };
    let figures = rounds.alternate(&contenders, |contender| {
        let began = Instant::now();
        runtime.block_on(read(contender, &names, &draws));
        began.elapsed().as_nanos() as f64 / draws.len() as f64
    });
    let mut table = Table::new(
        "Tiers",
        "Nanoseconds of a hit, String keys, Zipf 0.99, one thread; the last column is the distance from \
         the engine (best against best).",
        &["contender", "best", "median", "more than the engine"],
    );
    let engine = figures.first().map_or(f64::NAN, |figures| least(figures));
    for (contender, figures) in contenders.iter().zip(&figures) {
        let best = least(figures);
        let figures = [figure(best, 1), figure(median(figures), 1), figure(best - engine, 1)];
        table.row([text(contender.name())].into_iter().chain(figures));
    }
    report.add(table);
    Ok(())
}

async fn filled(names: &[String]) -> Result<Vec<Contender>, Box<dyn Error>> {
    let value = Bytes::from_static(&[7; 100]);
    let engine = Memory::builder().max_weight(ROOM).build()?;
    let config = Config { max_size: ROOM, ..Config::default() };
    let loading = Cache::builder().config(config.clone()).build()?;
    let store = MemoryStore::new(MemoryStore::sized(ROOM).build()?);
    let tiers = Tiered::builder(store, Raw).config(config).build()?;
    for name in names {
        engine.insert(Arc::from(name.as_str()), value.clone());
        loading.insert(Arc::from(name.as_str()), value.clone());
        tiers.insert(name, value.clone(), None).await?;
    }
    Ok(vec![
        Contender::Engine(engine),
        Contender::Loading(loading),
        Contender::Tiers(Box::new(tiers)),
    ])
}

async fn read(contender: &Contender, names: &[String], draws: &[u32]) {
    let names = draws.iter().map(|rank| names[*rank as usize].as_str());
    match contender {
        Contender::Engine(engine) => names.for_each(|name| {
            black_box(engine.get(name));
        }),
        Contender::Loading(cache) => names.for_each(|name| {
            black_box(cache.get(name));
        }),
        Contender::Tiers(tiers) => {
            for name in names {
                black_box(tiers.get(name).await);
            }
        }
    }
}
