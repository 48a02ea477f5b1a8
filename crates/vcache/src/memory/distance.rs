//! Reuse distances: what all the others weigh that were asked for since a key was last asked for.

use hashbrown::HashMap;

/// Distances among the keys of a sample. A Fenwick tree (Fenwick 1994) over times holds the weight
/// of each key at the time of its last use; times begin anew when they have run out.
#[derive(Debug)]
pub(super) struct Distances {
    last: HashMap<u64, Seen, foldhash::fast::RandomState>,
    tree: Vec<u64>,
    now: usize,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    time: usize,
    weight: u64,
}

impl Distances {
    /// For so many keys at most.
    pub(super) fn new(most: usize) -> Self {
        Self { last: HashMap::default(), tree: vec![0; 2 * most.max(4) + 1], now: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.last.len()
    }

    /// Notes a use of `key` now. What the others weigh that were used since it last was, and what
    /// it weighs itself; `None` if it never was. A new one weighs `weight`.
    pub(super) fn access(&mut self, key: u64, weight: u64) -> Option<(u64, u64)> {
        if self.now + 1 >= self.tree.len() {
            self.renumber();
        }
        let now = self.now;
        self.now += 1;
        let before = self.last.get_mut(&key).map(|seen| {
            let before = *seen;
            seen.time = now;
            before
        });
        let Some(seen) = before else {
            self.last.insert(key, Seen { time: now, weight });
            self.add(now, weight);
            return None;
        };
        let others = self.sum(now).saturating_sub(self.sum(seen.time + 1));
        self.subtract(seen.time, seen.weight);
        self.add(now, seen.weight);
        Some((others, seen.weight))
    }

    /// Tells what a key weighs, if it was ever used.
    pub(super) fn weigh(&mut self, key: u64, weight: u64) {
        if let Some(seen) = self.last.get_mut(&key) {
            let before = std::mem::replace(&mut seen.weight, weight);
            let time = seen.time;
            self.subtract(time, before);
            self.add(time, weight);
        }
    }

    pub(super) fn remove(&mut self, key: u64) {
        if let Some(seen) = self.last.remove(&key) {
            self.subtract(seen.time, seen.weight);
        }
    }

    /// What all weigh whose last use was before `time`.
    fn sum(&self, time: usize) -> u64 {
        let (mut at, mut sum) = (time, 0_u64);
        while at > 0 {
            sum = sum.wrapping_add(self.tree.get(at).copied().unwrap_or(0));
            at &= at - 1;
        }
        sum
    }

    fn add(&mut self, time: usize, weight: u64) {
        let mut at = time + 1;
        while let Some(place) = self.tree.get_mut(at) {
            *place = place.wrapping_add(weight);
            at += at & at.wrapping_neg();
        }
    }

    fn subtract(&mut self, time: usize, weight: u64) {
        self.add(time, weight.wrapping_neg());
    }

    /// Gives all keys the first times, in their order.
    fn renumber(&mut self) {
        let mut order: Vec<(usize, u64)> =
            self.last.iter().map(|(key, seen)| (seen.time, *key)).collect();
        order.sort_unstable();
        self.tree.fill(0);
        // Twice as many times as keys: half of them are free again.
        self.now = order.len();
        for (time, (_, key)) in order.into_iter().enumerate() {
            let weight = self.last.get_mut(&key).map_or(0, |seen| {
                seen.time = time;
                seen.weight
            });
            self.add(time, weight);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a stack that is searched from its top (Mattson et al. 1970).
        #[test]
        fn distances_are_those_of_a_stack(
            uses in vec((0_u64..30, 1_u64..100, 0_u8..8), 1..400),
        ) {
            let (mut distances, mut stack) = (Distances::new(30), Vec::<(u64, u64)>::new());
            for (key, weight, call) in uses {
                let at = stack.iter().position(|(other, _)| *other == key);
                match call {
                    0 => {
                        distances.weigh(key, weight);
                        if let Some(at) = at {
                            stack[at].1 = weight;
                        }
                    }
                    1 => {
                        distances.remove(key);
                        stack.retain(|(other, _)| *other != key);
                    }
                    _ => {
                        let expected = at.map(|at| {
                            let others = stack[at + 1..].iter().map(|(_, weight)| weight).sum();
                            let own = stack.remove(at);
                            stack.push(own);
                            (others, own.1)
                        });
                        if expected.is_none() {
                            stack.push((key, weight));
                        }
                        prop_assert_eq!(distances.access(key, weight), expected);
                    }
                }
                prop_assert_eq!(distances.len(), stack.len());
            }
        }
    }
}
