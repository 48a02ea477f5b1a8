//! The store on disk beside foyer's disk engine and bare SQLite.

use std::error::Error;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use benches::asked::Asked;
use benches::contender::own_cpu_seconds;
use benches::figures::{least, median};
use benches::report::{Report, target};
use benches::rounds::Rounds;
use benches::table::{Table, figure, text};
use benches::zipf::Numbers;
use bytes::Bytes;
use foyer::{
    BlockEngineConfig, DeviceBuilder, FsDeviceBuilder, HybridCache, HybridCacheBuilder,
    HybridCachePolicy,
};
use rusqlite::{Connection, OptionalExtension};
use tokio::runtime::Runtime;
use tokio::time::Instant;
use vcache::{DiskConfig, DiskStore, Store};

/// Keys in the file, and calls of one round.
const KEYS: u64 = 50_000;
/// Tasks that call at once.
const TASKS: usize = 256;
/// Rows that bare SQLite writes in one transaction, where it does not write each by itself.
const BATCH: usize = 256;

#[derive(Clone)]
enum Contender {
    Verve(DiskStore),
    Foyer(HybridCache<u64, Bytes>),
    /// One connection, without a thread of its own; so many rows a transaction.
    Sqlite(Arc<Mutex<Connection>>, usize),
}

impl Contender {
    const fn name(&self) -> &'static str {
        match self {
            Self::Verve(_) => "verve",
            Self::Foyer(_) => "foyer",
            Self::Sqlite(_, 1) => "SQLite, each by itself",
            Self::Sqlite(..) => "SQLite, 256 a transaction",
        }
    }
}

/// What is timed.
#[derive(Clone, Copy)]
enum Work {
    Write,
    Read,
}

pub(crate) fn run(asked: &Asked, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::Builder::new().prefix("disk").tempdir_in(target())?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let contenders: Vec<Contender> = runtime.block_on(open(asked, folder.path()))?;
    let mut table = Table::new(
        "Disk tier",
        "50,000 keys of 1 KiB, 256 tasks at once, keys in random order, files in the system's cache; a \
         write ends when the process may be killed (verve, SQLite with WAL and synchronous = normal) or \
         when it is queued (foyer, which is given until its queue is empty). CPU is the whole process', \
         kernel included; `a core` is what one processor could do. `found`: what was written and was there.",
        &[
            "work",
            "contender",
            "best, calls/s",
            "median",
            "CPU µs a call",
            "a core, calls/s",
            "found %",
        ],
    );
    for (name, work) in [("write", Work::Write), ("read", Work::Read)] {
        let mut spent = vec![Vec::new(); contenders.len()];
        let mut found = vec![0; contenders.len()];
        let rounds = Rounds { most: asked.rounds(3), within: Duration::from_secs(40) };
        let indexed: Vec<_> = contenders.iter().enumerate().collect();
        let figures = rounds.alternate(&indexed, |(at, contender)| {
            eprintln!("disk: {name}, {}", contender.name());
            let before = own_cpu_seconds();
            let began = Instant::now();
            found[*at] = work_through(&runtime, contender, work);
            let took = began.elapsed().as_secs_f64() / KEYS as f64;
            spent[*at].push((own_cpu_seconds() - before) * 1e6 / KEYS as f64);
            took
        });
        for (at, contender) in contenders.iter().enumerate() {
            let rates = [least(&figures[at]), median(&figures[at])].map(|s| figure(1.0 / s, 0));
            let cpu = least(&spent[at]);
            let rest = [
                figure(cpu, 1),
                figure(1e6 / cpu, 0),
                figure(found[at] as f64 * 100.0 / KEYS as f64, 1),
            ];
            table.row([text(name), text(contender.name())].into_iter().chain(rates).chain(rest));
        }
    }
    report.add(table);
    Ok(())
}

async fn open(asked: &Asked, folder: &Path) -> Result<Vec<Contender>, Box<dyn Error>> {
    let config = DiskConfig { path: folder.join("verve.sqlite"), ..DiskConfig::default() };
    let mut contenders = vec![Contender::Verve(DiskStore::open(&config)?)];
    if asked.contender("foyer") {
        let place = folder.join("foyer");
        std::fs::create_dir(&place)?;
        let device = FsDeviceBuilder::new(place).with_capacity(1 << 30).build()?;
        // Room for all that a round writes, because what finds none is dropped.
        let engine = BlockEngineConfig::new(device)
            .with_buffer_pool_size(128 << 20)
            .with_submit_queue_size_threshold(256 << 20);
        // A read has to come from disk, so next to nothing stays in memory.
        let memory =
            HybridCacheBuilder::new().with_policy(HybridCachePolicy::WriteOnInsertion).memory(64);
        let cache = memory.with_shards(1).storage().with_engine_config(engine).build().await?;
        contenders.push(Contender::Foyer(cache));
    }
    for batch in [1, BATCH] {
        if asked.contender("SQLite") {
            let connection = Connection::open(folder.join(format!("bare-{batch}.sqlite")))?;
            connection.execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA mmap_size = 268435456;
                 CREATE TABLE entries (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;",
            )?;
            contenders.push(Contender::Sqlite(Arc::new(Mutex::new(connection)), batch));
        }
    }
    Ok(contenders)
}

/// The keys in an order of their own, the same for everyone.
fn order() -> Vec<u64> {
    let mut keys: Vec<u64> = (0..KEYS).collect();
    let mut numbers = Numbers::new(7);
    for at in (1..keys.len()).rev() {
        let other = usize::try_from(numbers.below(at as u64 + 1)).unwrap_or(0);
        keys.swap(at, other);
    }
    keys
}

fn name(key: u64) -> String {
    format!("/pages/{key}")
}

fn value() -> Bytes {
    // Random, so that nobody gains by compression.
    let mut numbers = Numbers::new(11);
    (0..128).flat_map(|_| numbers.bits().to_le_bytes()).collect()
}

/// Does the work for all keys; for how many it was done.
fn work_through(runtime: &Runtime, contender: &Contender, work: Work) -> u64 {
    let order = order();
    let value = value();
    if let Contender::Sqlite(connection, batch) = contender {
        let mut connection = connection.lock().expect("no thread panics");
        return match work {
            Work::Write => sqlite_write(&mut connection, &order, &value, *batch),
            Work::Read => sqlite_read(&connection, &order),
        }
        .expect("SQLite works");
    }
    runtime.block_on(async {
        let tasks = order.chunks(order.len().div_ceil(TASKS)).map(|keys| {
            let (contender, value, keys) = (contender.clone(), value.clone(), keys.to_vec());
            tokio::spawn(async move {
                let mut done = 0;
                for key in keys {
                    done += u64::from(call(&contender, work, key, &value).await);
                }
                done
            })
        });
        let tasks: Vec<_> = tasks.collect();
        let mut done = 0;
        for task in tasks {
            done += task.await.expect("no task panics");
        }
        if let Contender::Foyer(cache) = contender {
            cache.storage().wait().await;
        }
        done
    })
}

async fn call(contender: &Contender, work: Work, key: u64, value: &Bytes) -> bool {
    match (contender, work) {
        (Contender::Verve(store), Work::Write) => {
            store.set(&name(key), value.clone(), None).await.is_ok()
        }
        (Contender::Verve(store), Work::Read) => {
            store.get(&name(key)).await.is_ok_and(|found| found.is_some_and(|s| s.value == *value))
        }
        (Contender::Foyer(cache), Work::Write) => {
            cache.insert(key, value.clone());
            true
        }
        (Contender::Foyer(cache), Work::Read) => {
            cache.get(&key).await.is_ok_and(|found| found.is_some_and(|e| *e.value() == *value))
        }
        (Contender::Sqlite(..), _) => false,
    }
}

fn sqlite_write(
    connection: &mut Connection,
    order: &[u64],
    value: &[u8],
    batch: usize,
) -> rusqlite::Result<u64> {
    for keys in order.chunks(batch) {
        let transaction = connection.transaction()?;
        for key in keys {
            let sql = "INSERT OR REPLACE INTO entries (key, value) VALUES (?1, ?2)";
            transaction.prepare_cached(sql)?.execute((name(*key), value))?;
        }
        transaction.commit()?;
    }
    Ok(order.len() as u64)
}

fn sqlite_read(connection: &Connection, order: &[u64]) -> rusqlite::Result<u64> {
    let mut found = 0;
    let mut read = connection.prepare_cached("SELECT value FROM entries WHERE key = ?1")?;
    for key in order {
        let value: Option<Vec<u8>> = read.query_row([name(*key)], |row| row.get(0)).optional()?;
        found += u64::from(value.is_some());
    }
    Ok(found)
}
