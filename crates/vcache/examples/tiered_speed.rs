//! What a hit costs: of the bare engine, of a cache, and of tiers in front of a store.
//!
//! `cargo run --release --example tiered_speed [--features redis,…]`
#![allow(clippy::print_stdout, reason = "a report")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::time::Instant;
use vcache::{Cache, Memory, MemoryStore, Raw, Tiered};

const KEYS: usize = 10_000;
const ROUNDS: usize = 200;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let keys: Vec<Arc<str>> = (0..KEYS).map(|key| Arc::from(format!("key:{key:08}"))).collect();
    let value = Bytes::from(vec![7; 100]);
    let bare = Memory::<Arc<str>, Bytes>::builder().max_weight(64 << 20).build()?;
    let cache = Cache::<Arc<str>, Bytes>::builder().build()?;
    let store = MemoryStore::new(MemoryStore::sized(64 << 20).build()?);
    let tiered = Tiered::<Bytes, _>::builder(store, Raw).build()?;
    for key in &keys {
        bare.insert(Arc::clone(key), value.clone());
        cache.insert(Arc::clone(key), value.clone());
        let stored = tiered.insert(key, value.clone(), None).now_or_never();
        stored.ok_or("the store waits")??;
    }
    let load = || std::future::ready(Ok::<_, std::convert::Infallible>(Bytes::new()));
    let mut times = [const { Vec::new() }; 5];
    for _ in 0..9 {
        let rounds = [
            timed(&keys, |key| drop(black_box(bare.get(key)))),
            timed(&keys, |key| drop(black_box(cache.get(key)))),
            timed(&keys, |key| drop(black_box(tiered.get_near(key)))),
            timed(&keys, |key| drop(black_box(tiered.get(key).now_or_never()))),
            timed(&keys, |key| drop(black_box(tiered.get_or_load(key, load).now_or_never()))),
        ];
        for (times, round) in times.iter_mut().zip(rounds) {
            times.push(round);
        }
    }
    let names = ["Memory::get", "Cache::get", "Tiered::get_near", "Tiered::get", "get_or_load"];
    for (name, times) in names.iter().zip(&mut times) {
        times.sort();
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        println!("{name:<18} {:>6.1} ns", median.as_secs_f64() * 1e9);
    }
    Ok(())
}

/// The time of one call.
fn timed(keys: &[Arc<str>], mut call: impl FnMut(&str)) -> Duration {
    let began = Instant::now();
    for _ in 0..ROUNDS {
        for key in keys {
            call(key);
        }
    }
    began.elapsed() / u32::try_from(ROUNDS * KEYS).unwrap_or(u32::MAX)
}
