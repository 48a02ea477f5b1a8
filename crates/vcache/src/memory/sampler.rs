//! Watches a sample of the keys to know how often caches of other sizes would hit.
//!
//! SHARDS (Waldspurger et al., FAST 2015): keys whose hash is below a threshold are the sample;
//! when they are too many, the threshold falls and the highest leave. Distances among them, divided
//! by their part of all keys, are those among all.

use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::buckets::bucket;
use super::curve::{Curve, empty};
use super::distance::Distances;
use super::index::Hash;

/// Sampled look-ups for each key of the sample after which all that was counted is halved.
const FADING: usize = 32;

/// A fixed number of keys at most.
#[derive(Debug)]
pub(super) struct Sampler {
    /// The key whose part of its hash is not above this is in the sample.
    threshold: AtomicU32,
    /// The key that was looked up last: again it hits in whatever has room for it, and need not
    /// take the lock, as what is not counted is taken to hit.
    recent: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    distances: Distances,
    /// All keys of the sample with the part of their hash that decides, the highest first.
    parts: BinaryHeap<(u32, u64)>,
    most: usize,
    counts: Vec<f64>,
    /// Look-ups that those counted stand for, those of new keys included.
    counted: f64,
    /// Look-ups since the last halving, in the sample.
    since: usize,
    /// All look-ups until the last halving, faded, and how many there had ever been by then.
    faded: f64,
    mark: u64,
}

impl Sampler {
    pub(super) fn new(most: usize) -> Self {
        let state = State {
            distances: Distances::new(most),
            parts: BinaryHeap::new(),
            most: most.max(1),
            counts: empty(),
            counted: 0.0,
            since: 0,
            faded: 0.0,
            mark: 0,
        };
        let (threshold, recent) = (AtomicU32::new(u32::MAX), AtomicU64::new(u64::MAX));
        Self { threshold, recent, state: Mutex::new(state) }
    }

    #[inline]
    pub(super) fn samples(&self, hash: Hash) -> bool {
        part(hash) <= self.threshold.load(Ordering::Relaxed)
    }

    /// Takes a look-up of a sampled key into account, unless another thread is at it. A key that
    /// was never stored is taken to weigh `least`. `total` tells of all look-ups ever.
    pub(super) fn looked_up(&self, hash: Hash, least: u64, total: impl FnOnce() -> u64) {
        if self.recent.load(Ordering::Relaxed) == key(hash) {
            return;
        }
        let Ok(mut state) = self.state.try_lock() else {
            return;
        };
        self.recent.store(key(hash), Ordering::Relaxed);
        let threshold = self.threshold.load(Ordering::Relaxed);
        if part(hash) > threshold {
            return;
        }
        let fallen = state.access(part(hash), key(hash), least, threshold);
        self.threshold.store(fallen, Ordering::Relaxed);
        if state.since >= FADING * state.most {
            state.fade(total());
        }
    }

    /// Tells what a sampled key weighs.
    pub(super) fn weigh(&self, hash: Hash, weight: u64) {
        if let Ok(mut state) = self.state.try_lock() {
            state.distances.weigh(key(hash), weight);
        }
    }

    /// The curve, from `total` look-ups ever; `None` before the first.
    pub(super) fn curve(&self, total: u64) -> Option<Curve> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let lookups = state.lookups(total);
        (lookups >= 1.0).then(|| Curve {
            counts: state.counts.clone(),
            lookups,
            keys: state.distances.len(),
            rate: rate(self.threshold.load(Ordering::Relaxed)),
            missed: lookups - state.counted,
        })
    }
}

impl State {
    /// Counts a look-up; the threshold from now on.
    fn access(&mut self, part: u32, key: u64, least: u64, threshold: u32) -> u32 {
        let stands_for = 1.0 / rate(threshold);
        self.since += 1;
        self.counted += stands_for;
        if let Some((others, own)) = self.distances.access(key, least) {
            let distance = scaled(others, stands_for).saturating_add(own);
            if let Some(count) = self.counts.get_mut(bucket(distance)) {
                *count += stands_for;
            }
            return threshold;
        }
        self.parts.push((part, key));
        if self.parts.len() <= self.most {
            return threshold;
        }
        let highest = self.parts.peek().map_or(0, |(part, _)| *part);
        while let Some((_, key)) = self.parts.peek().filter(|(part, _)| *part == highest) {
            self.distances.remove(*key);
            self.parts.pop();
        }
        // Nothing would be left to sample at all.
        highest.saturating_sub(1)
    }

    fn lookups(&self, total: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a ratio needs no more")]
        let since = total.saturating_sub(self.mark) as f64;
        self.faded + since
    }

    fn fade(&mut self, total: u64) {
        self.faded = self.lookups(total) / 2.0;
        self.mark = total;
        self.since = 0;
        self.counted /= 2.0;
        for count in &mut self.counts {
            *count /= 2.0;
        }
    }
}

/// The part of a hash that decides: of what chooses neither shard nor bucket.
#[inline]
fn part(hash: Hash) -> u32 {
    u32::from(hash.part()) << 16 | (hash.upper() & 0xFFFF)
}

/// 56 bits of a hash stand for the key.
fn key(hash: Hash) -> u64 {
    u64::from(hash.upper()) << 24 | u64::from(hash.part()) << 8 | u64::from(hash.shard())
}

/// The part of all keys that is sampled.
fn rate(threshold: u32) -> f64 {
    (f64::from(threshold) + 1.0) / 4_294_967_296.0
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a positive estimate, and saturating"
)]
fn scaled(weight: u64, by: f64) -> u64 {
    (weight as f64 * by) as u64
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "small numbers"
)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::buckets::bounds;
    use super::*;

    /// SplitMix64's finisher: a hash without a seed.
    fn hash(key: u64) -> Hash {
        let mixed = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Hash::new(mixed ^ (mixed >> 31))
    }

    /// Hits of an LRU cache that holds so many keys of weight one, for each of `sizes`.
    fn exact(keys: &[u64], sizes: &[u64]) -> Vec<f64> {
        let mut hits = vec![0.0; sizes.len()];
        // Which is tested against a stack.
        let mut distances = Distances::new(keys.len());
        for key in keys {
            if let Some((others, own)) = distances.access(*key, 1) {
                for (hits, size) in hits.iter_mut().zip(sizes) {
                    *hits += f64::from(u8::from(others + own <= *size));
                }
            }
        }
        hits.into_iter().map(|hits| hits / keys.len() as f64).collect()
    }

    fn estimate(keys: &[u64], most: usize) -> Curve {
        let sampler = Sampler::new(most);
        for (number, key) in (1..).zip(keys) {
            if sampler.samples(hash(*key)) {
                sampler.looked_up(hash(*key), 1, || number);
            }
        }
        sampler.curve(keys.len() as u64).unwrap()
    }

    proptest! {
        #[test]
        fn with_room_for_all_keys_it_is_exact(keys in vec(0_u64..120, 1..600)) {
            let sizes: Vec<u64> = (0..60).map(|at| bounds(at).1).filter(|size| *size > 0).collect();
            let curve = estimate(&keys, 200);
            prop_assert_eq!((curve.keys() <= 120, curve.rate()), (true, 1.0));
            for (size, exact) in sizes.iter().zip(exact(&keys, &sizes)) {
                prop_assert!((curve.hit_ratio(*size) - exact).abs() < 1e-9, "{} {}", size, exact);
            }
        }

        #[test]
        fn more_room_never_hits_less(keys in vec(0_u64..5000, 1..2000), most in 4_usize..100) {
            let curve = estimate(&keys, most);
            prop_assert!(curve.keys() <= most);
            let points = curve.points();
            prop_assert!(points.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1));
            prop_assert_eq!(curve.hit_ratio(0), 0.0);
        }
    }

    #[test]
    fn a_sample_is_close_to_the_truth() {
        // Zipf-like over 20,000 keys, and a loop over 4,000.
        let mut state = 7_u64;
        let keys: Vec<u64> = (0..200_000_u64)
            .map(|at| {
                if at % 3 == 0 {
                    return 1_000_000 + at / 3 % 4000;
                }
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let unit = ((state >> 11) as f64 + 1.0) / 2_f64.powi(53);
                (20_000_f64.powf(unit)) as u64
            })
            .collect();
        let sizes = [1024, 2048, 3000, 6000, 8192, 16_384];
        let curve = estimate(&keys, 2000);
        assert!(curve.rate() < 0.2, "{}", curve.rate());
        for (size, exact) in sizes.iter().zip(exact(&keys, &sizes)) {
            let estimated = curve.hit_ratio(*size);
            assert!((estimated - exact).abs() < 0.03, "{size}: {estimated} for {exact}");
        }
    }

    #[test]
    fn what_is_long_ago_fades() {
        let old = (0..5000).map(|at| at % 10);
        let new = (0..100_000).map(|at| 1000 + at % 100);
        let curve = estimate(&old.chain(new).collect::<Vec<_>>(), 128);
        assert!(curve.hit_ratio(95) < 0.05 && curve.hit_ratio(127) > 0.95);
    }
}
