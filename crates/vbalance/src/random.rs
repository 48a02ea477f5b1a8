//! Cheap random numbers for picks and jitter; not for secrets.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

thread_local! {
    // `RandomState` is seeded by the operating system and differs from thread to thread.
    static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one("vbalance"));
}

/// The next number of this thread. Source: splitmix64 (Steele, Lea and Flood, OOPSLA 2014).
pub(crate) fn next() -> u64 {
    STATE.with(|state| {
        let seed = state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        state.set(seed);
        mix(seed)
    })
}

const fn mix(seed: u64) -> u64 {
    let z = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number below `end`; zero when `end` is zero.
///
/// Multiplies instead of dividing (Lemire 2019); its bias is below `end / 2^32`.
pub(crate) fn below(end: u32) -> u32 {
    let high = next() >> 32;
    // The product of two 32-bit numbers, shifted by 32, fits 32 bits.
    u32::try_from((high * u64::from(end)) >> 32).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_below_the_end_comes_up() {
        let mut seen = [0u32; 7];
        for _ in 0..7_000 {
            seen[below(7) as usize] += 1;
        }
        assert!(seen.iter().all(|&n| n > 700), "{seen:?}");
        assert_eq!(below(0), 0);
    }
}
