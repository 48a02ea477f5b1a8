//! The entries by how hot they are, and putting them back as hot as they were.

use std::hash::Hash as HashTrait;

use super::engine::Engine;
use super::keep::{Life, NEVER};

/// Slots that are looked at under one lock.
const STRIDE: u32 = 1024;

/// One live entry with all that a restart needs to know. Times are nanoseconds from now on, or
/// [`u64::MAX`] for ever.
#[derive(Debug)]
pub(crate) struct Warm<K, V> {
    pub(crate) key: K,
    pub(crate) value: V,
    /// The time to live that is left.
    pub(crate) ttl: u64,
    /// Its whole time to idle, and what is left of it.
    pub(crate) tti: u64,
    pub(crate) idle: u64,
    pub(crate) pinned: bool,
    /// How often it was met lately, 0 to 15.
    pub(crate) heat: u8,
}

/// What became of an entry that was to be put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PutBack {
    Stored,
    /// The key has a newer value.
    Present,
    /// There is no room without evicting another.
    Full,
}

impl<K, V> Engine<K, V> {
    /// Where all entries stand, the hottest first; eight bytes for each.
    fn hottest(&self) -> Vec<u64> {
        let mut places = Vec::new();
        for (number, cell) in (0_u64..).zip(&self.cells) {
            let mut from = 0;
            loop {
                let shard = cell.shard.read();
                let until = shard.end().min(from + STRIDE);
                let heats = (from..until).filter_map(|at| Some((shard.heat(at)?, at)));
                places.extend(
                    heats.map(|(heat, at)| u64::from(heat) << 48 | number << 32 | u64::from(at)),
                );
                if until == shard.end() {
                    break;
                }
                from = until;
            }
        }
        places.sort_unstable_by(|a, b| b.cmp(a));
        places
    }

    /// Copies all live entries, the hottest first, each under its shard's lock for a moment.
    pub(super) fn warm(&self) -> impl Iterator<Item = Warm<K, V>>
    where
        K: Clone,
        V: Clone,
    {
        self.hottest().into_iter().filter_map(|place| {
            let cell = usize::try_from(place >> 32 & 0xFFFF).ok()?;
            let at = u32::try_from(place & 0xFFFF_FFFF).ok()?;
            let shard = self.cells.get(cell)?.shard.read();
            let (entry, heat) = (shard.entry(at)?, shard.heat(at)?);
            let now = self.now_if_timed();
            let left = |end: u64| if end == NEVER { Some(NEVER) } else { end.checked_sub(now) };
            let (end, tti, idle) = match shard.wheel().and_then(|wheel| wheel.idle(at)) {
                Some(idle) => (idle.end, idle.tti(), idle.deadline()),
                None => (shard.expires(at), NEVER, NEVER),
            };
            Some(Warm {
                key: entry.key.clone(),
                value: entry.value.clone(),
                ttl: left(end).filter(|left| *left > 0)?,
                tti,
                idle: left(idle).filter(|left| *left > 0)?,
                pinned: entry.meta.is_pinned(),
                heat: heat >> 2,
            })
        })
    }
}

impl<K: HashTrait + Eq + Clone, V> Engine<K, V> {
    /// Stores an entry with its times and its heat, if there is room and no live value.
    pub(super) fn put_back(&self, warm: Warm<K, V>) -> PutBack {
        let Warm { key, value, ttl, tti, pinned, heat, .. } = warm;
        let (mut label, now) = self.label(&key, &value, Life { ttl, tti, pinned });
        label.expires = if ttl == NEVER { NEVER } else { now.saturating_add(ttl) };
        let hash = label.hash;
        let mut writing = self.write(hash);
        // Under the lock: who lowers the bound meanwhile waits for it, and finds the entry.
        if !self.reserve(label.weight) {
            drop(writing);
            return PutBack::Full;
        }
        writing.add_credit(label.weight);
        let found = writing.shard.find(hash, &key).map(|(at, _)| at);
        if found.is_some_and(|at| self.time_left(writing.shard.expires(at)).is_ok()) {
            // Unlock before they are dropped.
            drop(writing);
            return PutBack::Present;
        }
        let own = key.clone();
        writing.store(key, value, label, now);
        if let Some((_, entry)) = writing.shard.find(hash, &own) {
            // It has been met once by being stored.
            for _ in 1..heat {
                entry.meta.touch();
            }
        }
        // The key is dropped after the lock.
        drop(writing);
        PutBack::Stored
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::*;
    use crate::memory::Memory;

    fn warm(key: u32) -> Warm<u32, u32> {
        let forever = NEVER;
        Warm { key, value: 0, ttl: forever, tti: forever, idle: forever, pinned: false, heat: 1 }
    }

    #[test]
    fn what_is_put_back_while_the_bound_falls_stays_below_it() {
        let cache = Memory::<u32, u32>::builder().max_weight(4096).shards(1).build().unwrap();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    for key in 0..8 {
                        cache.put_back(warm(key));
                    }
                }
            });
            let stays_below = (0..3_000).all(|_| {
                cache.resize(4096);
                thread::yield_now();
                cache.resize(1);
                // What is being refused is on the account for a moment.
                (0..100_000).any(|_| cache.weight() <= 1)
            });
            over.store(true, Ordering::Relaxed);
            assert!(stays_below);
        });
    }
}
