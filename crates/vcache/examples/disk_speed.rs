//! How many reads and writes of 1 KiB a store on disk does in a second.
//!
//! `cargo run --release --example disk_speed --features disk [folder] [tasks]`
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program that tells")]

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use vcache::{Clock, DiskConfig, DiskStore, Store, SystemClock};

/// Keys in the file, all of them there before the clock starts.
const ENTRIES: u64 = 100_000;
/// Calls that are timed, each of a random key.
const CALLS: u64 = 300_000;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let tasks = std::env::args().nth(2).map_or(Ok(256), |tasks| tasks.parse::<u64>())?;
    let path = std::path::Path::new(&folder).join("disk_speed.sqlite");
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let store = DiskStore::open(&DiskConfig { path, ..DiskConfig::default() })?;
        let clock = SystemClock::new();
        let value = Bytes::from(vec![7; 1024]);
        let set = move |store: DiskStore, key: String| {
            let value = value.clone();
            async move { store.set(&key, value, None).await.unwrap() }
        };
        let start = clock.now();
        run(&store, tasks, ENTRIES, |number| number, set.clone()).await?;
        tell("new", ENTRIES, clock.now().saturating_sub(start));
        let start = clock.now();
        run(&store, tasks, CALLS, random, set).await?;
        tell("replaced", CALLS, clock.now().saturating_sub(start));
        let start = clock.now();
        run(&store, tasks, CALLS, random, |store, key| async move {
            assert!(store.get(&key).await.unwrap().is_some());
        })
        .await?;
        tell("read", CALLS, clock.now().saturating_sub(start));
        println!("{:?}", store.stats());
        store.close().await;
        Ok(())
    })
}

/// A number of no order in place of each (SplitMix64: Steele, Lea and Flood, OOPSLA 2014).
const fn random(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

async fn run<F, Fut>(
    store: &DiskStore,
    tasks: u64,
    calls: u64,
    order: fn(u64) -> u64,
    call: F,
) -> Result<(), Box<dyn Error>>
where
    F: Fn(DiskStore, String) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send,
{
    let tasks = (0..tasks).map(|task| {
        let (store, call) = (store.clone(), call.clone());
        let mine = (calls * task / tasks)..(calls * (task + 1) / tasks);
        tokio::spawn(async move {
            for number in mine {
                call(store.clone(), format!("/pages/{}", order(number) % ENTRIES)).await;
            }
        })
    });
    let tasks: Vec<_> = tasks.collect();
    for task in tasks {
        task.await?;
    }
    Ok(())
}

fn tell(what: &str, calls: u64, took: Duration) {
    #[expect(clippy::cast_precision_loss, reason = "a figure to read")]
    let rate = calls as f64 / took.as_secs_f64();
    println!("{what:8} {rate:10.0}/s");
}
