//! How many reads and writes of 1 KiB a store on disk does in a second.
//!
//! `cargo run --release --example disk_speed --features disk [folder] [tasks]`
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program that tells")]

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use vcache::{Clock, DiskConfig, DiskStore, Store, SystemClock};

const ENTRIES: u64 = 50_000;
const ROUNDS: u64 = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let tasks = std::env::args().nth(2).map_or(Ok(256), |tasks| tasks.parse::<u64>())?;
    let path = std::path::Path::new(&folder).join("disk_speed.sqlite");
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let store = DiskStore::open(&DiskConfig { path, ..DiskConfig::default() })?;
        let clock = SystemClock::new();
        let value = Bytes::from(vec![7; 1024]);
        let start = clock.now();
        run(&store, tasks, ROUNDS, move |store, key| {
            let value = value.clone();
            async move { store.set(&key, value, None).await.unwrap() }
        })
        .await?;
        tell("writes", ROUNDS, clock.now() - start);
        let start = clock.now();
        run(&store, tasks, ROUNDS, |store, key| async move {
            assert!(store.get(&key).await.unwrap().is_some());
        })
        .await?;
        tell("reads", ROUNDS, clock.now() - start);
        println!("{:?}", store.stats());
        store.close().await;
        Ok(())
    })
}

async fn run<F, Fut>(
    store: &DiskStore,
    tasks: u64,
    rounds: u64,
    call: F,
) -> Result<(), Box<dyn Error>>
where
    F: Fn(DiskStore, String) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send,
{
    let each = ENTRIES * rounds / tasks;
    let tasks = (0..tasks).map(move |task| {
        let (store, call) = (store.clone(), call.clone());
        tokio::spawn(async move {
            for number in 0..each {
                // A walk over all keys in no order.
                let key = (task * each + number).wrapping_mul(2_654_435_761) % ENTRIES;
                call(store.clone(), format!("/pages/{key}")).await;
            }
        })
    });
    let tasks: Vec<_> = tasks.collect();
    for task in tasks {
        task.await?;
    }
    Ok(())
}

fn tell(what: &str, rounds: u64, took: Duration) {
    #[expect(clippy::cast_precision_loss, reason = "a figure to read")]
    let rate = (ENTRIES * rounds) as f64 / took.as_secs_f64();
    println!("{what:8} {rate:10.0}/s");
}
