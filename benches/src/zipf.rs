//! Sequences of keys with fixed seeds: Zipf, moving and flat popularity, loops, scans.

/// A cheap, seeded sequence of numbers (splitmix64).
#[derive(Debug, Clone)]
pub struct Numbers(u64);

impl Numbers {
    /// Starts at `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The next number below `end`, which must not be zero.
    pub const fn below(&mut self, end: u64) -> u64 {
        self.bits() % end
    }

    /// The next number in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Draws ranks: the k-th of `n` keys with a probability proportional to k^-s.
#[derive(Debug, Clone)]
pub struct Zipf {
    /// Sums of the weights up to each rank.
    sums: Vec<f64>,
}

impl Zipf {
    /// A distribution over `n` keys with exponent `s`.
    #[must_use]
    pub fn new(n: u32, s: f64) -> Self {
        let mut sum = 0.0;
        let weights = (1..=n).map(|rank| f64::from(rank).powf(-s));
        Self {
            sums: weights
                .map(|weight| {
                    sum += weight;
                    sum
                })
                .collect(),
        }
    }

    /// The next rank, from zero.
    pub fn draw(&self, numbers: &mut Numbers) -> u32 {
        let at = numbers.unit() * self.sums.last().copied().unwrap_or(0.0);
        u32::try_from(self.sums.partition_point(|sum| *sum <= at)).unwrap_or(0)
    }

    /// So many ranks.
    #[must_use]
    pub fn draws(&self, seed: u64, len: usize) -> Vec<u32> {
        let mut numbers = Numbers::new(seed);
        (0..len).map(|_| self.draw(&mut numbers)).collect()
    }
}

/// Synthetic traces that pull a policy in different directions, none of them like a file's.
#[must_use]
pub fn synthetic() -> Vec<(&'static str, Vec<u32>)> {
    const LEN: usize = 1_000_000;
    let zipf = Zipf::new(100_000, 0.9).draws(1, LEN);
    let far = |key: u32| 1_000_000 + key;
    let scans = zipf.iter().zip(0..).map(|(key, at): (_, u32)| {
        // Half of the time somebody reads what nobody reads again.
        if at / 10_000 % 2 == 1 { far(at) } else { *key }
    });
    let shared = zipf.iter().zip(0..).map(
        |(key, at): (_, u32)| {
            if at % 2 == 0 { far(at / 2 % 5000) } else { *key }
        },
    );
    let drifting = zipf.iter().zip(0..).map(|(key, at): (_, u32)| key + at / 50);
    let jumping = zipf.iter().zip(0..).map(|(key, at): (_, u32)| {
        // Every 100,000 accesses other keys are popular.
        key.wrapping_add(at / 100_000 * 7919) % 100_000
    });
    let phases = zipf
        .iter()
        .zip(0..)
        .map(|(key, at): (_, u32)| if at / 100_000 % 2 == 1 { far(at % 6000) } else { *key });
    let mut numbers = Numbers::new(2);
    let recent: Vec<u32> = (0..1_000_000_u32)
        .map(|at| {
            // A key is asked for again soon, or never.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between zero and 90,000"
            )]
            let back = (-numbers.unit().max(1e-9).ln() * 4000.0) as u32;
            (at / 4).saturating_sub(back)
        })
        .collect();
    vec![
        ("zipf 0.9", zipf.clone()),
        ("zipf 0.9 and scans", scans.collect()),
        ("zipf 0.9 and a loop of 5,000", shared.collect()),
        ("zipf 0.9 drifting", drifting.collect()),
        ("zipf 0.9 jumping", jumping.collect()),
        ("zipf 0.9, then a loop of 6,000, in turn", phases.collect()),
        ("zipf 0.6", Zipf::new(100_000, 0.6).draws(3, LEN)),
        ("loop of 10,000", (0..1_000_000_u32).map(|at| at % 10_000).collect()),
        ("recent", recent),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rank_has_its_share() {
        let keys = Zipf::new(1000, 1.0).draws(1, 100_000);
        let first = keys.iter().filter(|key| **key == 0).count();
        // 1 / H(1000) = 13.36 %
        assert!((13_000..13_700).contains(&first), "{first}");
        assert!(keys.iter().all(|key| *key < 1000));
    }
}
