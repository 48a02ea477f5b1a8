//! Each endpoint in turn, as often as its weight, well spread.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Pick;
use crate::table::Table;

/// Each endpoint as often as its weight: exact over every run of as many picks as the weights add
/// up to, and spread evenly inside it. No lock: one atomic addition and a binary search a pick.
///
/// Each endpoint owns as many points of a circle as it has weight; the picks walk the circle in
/// steps of about the golden ratio, which is how points spread most evenly at every length of the
/// walk (three-distance theorem; Knuth, TAOCP 3, §6.4). A step that shares no divisor with the circle
/// visits every point once a round.
#[derive(Debug, Default)]
pub struct WeightedRoundRobin {
    next: AtomicU64,
}

impl WeightedRoundRobin {
    /// Begins with the first endpoint.
    #[must_use]
    pub const fn new() -> Self {
        Self { next: AtomicU64::new(0) }
    }
}

impl Pick for WeightedRoundRobin {
    fn pick(&self, table: &Table) -> usize {
        let total = u64::from(table.total_weight().max(1));
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % total;
        let point = turn * u64::from(table.stride()) % total;
        table.at_point(u32::try_from(point).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::pick::tests::{shares, table};

    proptest! {
        /// Every run of as many picks as the weights add up to gives each exactly its weight.
        #[test]
        fn shares_are_exact_over_a_cycle(weights in vec(1u16..60, 1..12), skipped in 0u32..100) {
            let table = table(&weights.iter().map(|w| (*w, 0)).collect::<Vec<_>>());
            let pick = WeightedRoundRobin::new();
            shares(&pick, &table, skipped);
            let shares = shares(&pick, &table, table.total_weight());
            prop_assert_eq!(shares, weights.iter().map(|w| u32::from(*w)).collect::<Vec<_>>());
        }

        /// Inside a cycle too, nobody is far from its due.
        #[test]
        fn picks_are_spread(weights in vec(1u16..60, 2..8), picks in 1u32..400) {
            let table = table(&weights.iter().map(|w| (*w, 0)).collect::<Vec<_>>());
            let shares = shares(&WeightedRoundRobin::new(), &table, picks);
            for (share, weight) in shares.iter().zip(&weights) {
                let due = f64::from(picks) * f64::from(*weight) / f64::from(table.total_weight());
                prop_assert!((f64::from(*share) - due).abs() < 6.1, "{share} of {due}");
            }
        }
    }
}
