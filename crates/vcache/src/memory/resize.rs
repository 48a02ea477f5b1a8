//! Another bound while the cache runs.

use super::engine::Engine;
use super::writing::Writing;

/// Entries that leave under one lock.
const BATCH: usize = 64;

impl<K, V> Engine<K, V> {
    /// Sets the bound and makes what is there fit, shard by shard; how many entries left. Shards that
    /// hold much more memory than that takes give it back, each under its own lock.
    pub(super) fn resize(&self, max_weight: u64) -> usize {
        self.account.set_bound(max_weight);
        let shards = u64::try_from(self.cells.len()).unwrap_or(u64::MAX);
        for cell in &self.cells {
            cell.shard.write().set_share(max_weight / shards);
        }
        let mut used = self.account.settled();
        let mut left = 0;
        while used > self.max_weight() {
            let before = left;
            for (home, cell) in self.cells.iter().enumerate() {
                left += self.shrink(&mut Writing::new(self, cell, home));
            }
            used = self.account.settled();
            if left == before {
                // All that is left is pinned.
                break;
            }
        }
        for cell in &self.cells {
            cell.shard.write().compact();
        }
        left
    }

    fn shrink(&self, writing: &mut Writing<'_, K, V>) -> usize {
        let now = self.now_if_timed();
        let over = |credit: u64| self.weight().saturating_sub(credit) > self.max_weight();
        (0..BATCH).take_while(|_| over(writing.credit()) && writing.shrink(now)).count()
    }
}
