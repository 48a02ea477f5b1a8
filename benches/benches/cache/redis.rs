//! The Redis tier beside the bare client, on a Redis of our own.

use std::error::Error;
use std::time::Duration;

use benches::asked::Asked;
use benches::figures::{least, median};
use benches::redis_server::RedisServer;
use benches::report::Report;
use benches::rounds::Rounds;
use benches::table::{Table, figure, text};
use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{ConnectionInfo, IntoConnectionInfo};
use tokio::time::Instant;
use vcache::{RedisConfig, RedisStore, Store};

const KEYS: usize = 1000;
/// Reads of one round, and at one at a time.
const READS: usize = 40_000;
const SLOW_READS: usize = 8_000;

#[derive(Clone)]
enum Contender {
    Tier(RedisStore),
    Bare(MultiplexedConnection),
}

impl Contender {
    const fn name(&self) -> &'static str {
        match self {
            Self::Tier(_) => "verve",
            Self::Bare(_) => "redis-rs",
        }
    }

    async fn read(&mut self, key: &str) -> bool {
        match self {
            Self::Tier(store) => store.get(key).await.is_ok_and(|stored| stored.is_some()),
            Self::Bare(connection) => {
                let value: Result<Option<Bytes>, _> =
                    redis::cmd("GET").arg(key).query_async(connection).await;
                value.is_ok_and(|value| value.is_some())
            }
        }
    }
}

pub(crate) fn run(asked: &Asked, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let server = RedisServer::start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let contenders = runtime.block_on(connect(&server.url()))?;
    let mut table = Table::new(
        "Redis tier",
        "Reads of 1 KiB a second over one connection, one thread for all tasks, best and median of the \
         rounds; the bare client is a multiplexed connection without delay. The tier's values carry \
         their times, and its calls a timeout.",
        &["tasks", "contender", "best, reads/s", "median", "× redis-rs"],
    );
    for tasks in [1, 64, 512] {
        let reads = if tasks == 1 { SLOW_READS } else { READS };
        let rounds = Rounds { most: asked.rounds(9), within: Duration::from_secs(15) };
        let figures = rounds.alternate(&contenders, |contender| {
            runtime.block_on(timed(contender, tasks, reads / tasks))
        });
        let of_bare = figures.last().map_or(f64::NAN, |figures| least(figures));
        for (contender, figures) in contenders.iter().zip(&figures) {
            let best = least(figures);
            let rates = [best, median(figures)].map(|seconds| figure(1.0 / seconds, 0));
            let names = [text(tasks.to_string()), text(contender.name())];
            table.row(names.into_iter().chain(rates).chain([figure(of_bare / best, 2)]));
        }
    }
    report.add(table);
    Ok(())
}

async fn connect(url: &str) -> Result<Vec<Contender>, Box<dyn Error>> {
    let value = Bytes::from(vec![7; 1024]);
    let config = RedisConfig {
        url: url.to_owned(),
        timeout: Duration::from_secs(5),
        ..RedisConfig::default()
    };
    let store = RedisStore::new(&config)?;
    let info: ConnectionInfo = url.into_connection_info()?;
    let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
    let mut bare = redis::Client::open(info)?.get_multiplexed_async_connection().await?;
    for key in (0..KEYS).map(|key| format!("page:{key}")) {
        store.set(&key, value.clone(), None).await?;
        redis::cmd("SET").arg(&key).arg(value.as_ref()).exec_async(&mut bare).await?;
    }
    Ok(vec![Contender::Tier(store), Contender::Bare(bare)])
}

/// Seconds a read.
async fn timed(contender: &Contender, tasks: usize, reads: usize) -> f64 {
    let began = Instant::now();
    let tasks: Vec<_> = (0..tasks)
        .map(|task| {
            let mut contender = contender.clone();
            tokio::spawn(async move {
                for read in 0..reads {
                    let key = format!("page:{}", (task * 31 + read) % KEYS);
                    assert!(contender.read(&key).await, "{}: {key} is not there", contender.name());
                }
            })
        })
        .collect();
    let count = tasks.len() * reads;
    for task in tasks {
        task.await.expect("every read finds its key");
    }
    began.elapsed().as_secs_f64() / count as f64
}
