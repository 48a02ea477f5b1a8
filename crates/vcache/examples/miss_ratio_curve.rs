//! The miss-ratio curve of a trace, estimated from a sample, beside the exact one of an LRU cache:
//! `cargo run --release --example miss_ratio_curve -- trace.u32 [KEYS]`.
//!
//! The trace is a file of keys, four bytes each, the lowest first.
#![allow(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "an example that prints ratios of small numbers"
)]

use std::collections::HashMap;
use std::error::Error;

use vcache::Memory;

type Numbers = Memory<u32, u32>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("which file?")?;
    let sample = arguments.next().map_or(Ok(4096), |keys| keys.parse())?;
    let bytes = std::fs::read(file)?;
    let (words, _) = bytes.as_chunks::<4>();
    let keys: Vec<u32> = words.iter().copied().map(u32::from_le_bytes).collect();
    let distances = distances(&keys);
    let distinct = distances.iter().filter(|distance| distance.is_none()).count();
    println!("{} look-ups of {distinct} keys, {sample} of them watched", keys.len());
    println!("{:>10} {:>8} {:>10} {:>8}", "entries", "LRU", "estimated", "vcache");
    for percent in [1, 2, 5, 10, 20, 40] {
        let entries = (distinct * percent / 100).max(64);
        let exact = distances.iter().flatten().filter(|distance| **distance <= entries).count();
        let exact = 100.0 * exact as f64 / keys.len() as f64;
        let (estimated, real) = estimate(&keys, entries, distinct, sample)?;
        println!("{entries:>10} {exact:>8.2} {estimated:>10.2} {real:>8.2}");
    }
    Ok(())
}

/// Hits in percent as estimated for so many entries by a cache of the middle size, and as they
/// are in a cache of that size.
fn estimate(
    keys: &[u32],
    entries: usize,
    distinct: usize,
    sample: usize,
) -> Result<(f64, f64), Box<dyn Error>> {
    let overhead = Numbers::overhead();
    let bound = |entries: usize| u64::try_from(entries).map(|entries| entries * overhead);
    let build = |entries, sample| -> Result<Numbers, Box<dyn Error>> {
        Ok(Numbers::builder().max_weight(bound(entries)?).curve_keys(sample).build()?)
    };
    let (watching, real) = (build((distinct / 20).max(64), sample)?, build(entries, 0)?);
    for key in keys {
        for cache in [&watching, &real] {
            if cache.get(key).is_none() {
                cache.insert(*key, *key);
            }
        }
    }
    let size = bound(entries)?;
    let estimated = watching.curve().map_or(0.0, |curve| 100.0 * curve.hit_ratio(size));
    Ok((estimated, 100.0 * real.stats().hit_ratio().unwrap_or(0.0)))
}

/// For each look-up, how many keys were looked up since the last one of its key, itself included.
fn distances(keys: &[u32]) -> Vec<Option<usize>> {
    let mut last: HashMap<u32, usize> = HashMap::new();
    let mut tree = vec![0_usize; keys.len() + 1];
    let add = |tree: &mut Vec<usize>, time: usize, by: isize| {
        let mut at = time + 1;
        while let Some(place) = tree.get_mut(at) {
            *place = place.wrapping_add_signed(by);
            at += at & at.wrapping_neg();
        }
    };
    let sum = |tree: &[usize], time: usize| {
        let (mut at, mut sum) = (time, 0_usize);
        while at > 0 {
            sum += tree.get(at).copied().unwrap_or(0);
            at &= at - 1;
        }
        sum
    };
    let mut distances = Vec::with_capacity(keys.len());
    for (now, key) in keys.iter().enumerate() {
        distances.push(last.insert(*key, now).map(|before| {
            add(&mut tree, before, -1);
            sum(&tree, now) - sum(&tree, before) + 1
        }));
        add(&mut tree, now, 1);
    }
    distances
}
