//! The less loaded of two.

use super::Pick;
use crate::random;
use crate::table::Table;

/// Draws two endpoints at random by weight and takes the one with fewer requests in flight for
/// its weight; the first when they are alike.
///
/// Two choices bring the longest queue from O(log n / log log n) down to O(log log n)
/// (Mitzenmacher 2001), at the price of two random numbers and four relaxed loads.
#[derive(Debug, Default)]
pub struct P2c;

impl P2c {
    /// The policy; it has no state.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Pick for P2c {
    fn pick(&self, table: &Table) -> usize {
        let first = table.at_point(random::below(table.total_weight()));
        let second = other_than(first, table);
        if load_below(table, second, first) { second } else { first }
    }
}

/// Another endpoint, drawn by weight among the points that `first` does not own.
fn other_than(first: usize, table: &Table) -> usize {
    let own = table.weight(first);
    let others = table.total_weight().saturating_sub(own);
    if others == 0 {
        return first;
    }
    let drawn = random::below(others);
    // Where `first` begins, the points go on behind it.
    let index = table.at_point(drawn);
    if index < first { index } else { table.at_point(drawn.saturating_add(own)) }
}

/// Whether `a` has less in flight for its weight than `b`; multiplied out to stay exact.
fn load_below(table: &Table, a: usize, b: usize) -> bool {
    let side = |load, weight| u64::from(table.in_flight(load)) * u64::from(table.weight(weight));
    side(a, b) < side(b, a)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::pick::tests::{shares, table};

    #[test]
    fn of_two_the_less_loaded_is_always_taken() {
        let table = table(&[(1, 7), (1, 6)]);
        assert_eq!(shares(&P2c::new(), &table, 1_000), [0, 1_000]);
    }

    #[test]
    fn load_counts_for_its_weight() {
        let table = table(&[(3, 7), (1, 3)]);
        assert_eq!(shares(&P2c::new(), &table, 1_000), [1_000, 0]);
    }

    #[test]
    fn without_load_the_weights_decide() {
        let table = table(&[(1, 0), (2, 0), (1, 0)]);
        let shares = shares(&P2c::new(), &table, 8_000);
        for (share, due) in shares.iter().zip([2_000u32, 4_000, 2_000]) {
            assert!(share.abs_diff(due) < 300, "{shares:?}");
        }
    }

    proptest! {
        /// The second draw is never the first, and the most loaded is never taken.
        #[test]
        fn the_most_loaded_is_avoided(loads in vec(0u32..5, 1..10)) {
            let mut endpoints: Vec<_> = loads.iter().map(|load| (1, *load)).collect();
            endpoints.push((1, 9));
            let table = table(&endpoints);
            for _ in 0..50 {
                let first = P2c::new().pick(&table);
                prop_assert_ne!(first, loads.len());
                prop_assert_ne!(other_than(first, &table), first);
            }
        }
    }
}
