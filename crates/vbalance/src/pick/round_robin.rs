//! Each endpoint in turn.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::Pick;
use crate::table::Table;

/// Each endpoint in turn, weights ignored. One atomic addition a pick.
#[derive(Debug, Default)]
pub struct RoundRobin {
    next: AtomicUsize,
}

impl RoundRobin {
    /// Begins with the first endpoint.
    #[must_use]
    pub const fn new() -> Self {
        Self { next: AtomicUsize::new(0) }
    }
}

impl Pick for RoundRobin {
    fn pick(&self, table: &Table) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed) % table.len().max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pick::tests::{shares, table};

    #[test]
    fn each_gets_the_same_whatever_its_weight_and_load() {
        let table = table(&[(1, 0), (9, 50), (3, 1)]);
        assert_eq!(shares(&RoundRobin::new(), &table, 300), [100, 100, 100]);
    }
}
