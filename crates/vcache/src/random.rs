//! Random numbers for spreading work: cheap, shared by threads, and nothing for secrets.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

/// The step of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): 2⁶⁴ divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A SplitMix64 generator.
#[derive(Debug)]
pub(crate) struct Random {
    state: AtomicU64,
}

impl Random {
    /// Starts where no other generator of this process or another is likely to.
    pub(crate) fn new() -> Self {
        Self::seeded(foldhash::fast::RandomState::default().hash_one(STEP))
    }

    pub(crate) const fn seeded(seed: u64) -> Self {
        Self { state: AtomicU64::new(seed) }
    }

    /// A number in (0, 1], each a multiple of 2⁻⁵³.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub(crate) fn unit(&self) -> f64 {
        let bits = (self.next() >> 11) + 1;
        bits as f64 * 2_f64.powi(-53)
    }

    /// Any 64 bits.
    pub(crate) fn next(&self) -> u64 {
        let state = self.state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fill_the_unit_interval_evenly() {
        let random = Random::seeded(7);
        let drawn: Vec<f64> = (0..10_000).map(|_| random.unit()).collect();
        assert!(drawn.iter().all(|unit| *unit > 0.0 && *unit <= 1.0));
        for tenth in 0..10 {
            let from = f64::from(tenth) / 10.0;
            let within = drawn.iter().filter(|unit| **unit > from && **unit <= from + 0.1).count();
            assert!((900..1100).contains(&within), "{within} of 10,000 above {from}");
        }
    }
}
