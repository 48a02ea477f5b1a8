//! Generations of keys, so that a fill that began before a purge cannot outlive it.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counters, each under a lock, that many keys share.
///
/// A fill takes a ticket before it asks the origin; a purge moves the counter on. Whoever changes
/// what is stored under a key does it in a turn, so that changes of one key follow each other.
/// Two keys that share a counter cost a fill now and then, never a wrong answer.
#[derive(Debug)]
pub(crate) struct Generations {
    counters: Box<[Mutex<u64>]>,
    hasher: RandomState,
}

/// What a counter showed when the ticket was taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket {
    slot: usize,
    value: u64,
}

const COUNTERS: usize = 1024;

impl Generations {
    pub(crate) fn new() -> Self {
        Self {
            counters: (0..COUNTERS).map(|_| Mutex::new(0)).collect(),
            hasher: RandomState::new(),
        }
    }

    pub(crate) fn ticket(&self, key: &str) -> Ticket {
        let slot = self.slot(key);
        let value = self.lock(slot).map_or(0, |counter| *counter);
        Ticket { slot, value }
    }

    /// Runs `change` alone among all changes of the ticket's key; nothing when the ticket is void.
    pub(crate) fn in_turn<T>(&self, ticket: Ticket, change: impl FnOnce() -> T) -> Option<T> {
        let counter = self.lock(ticket.slot)?;
        (*counter == ticket.value).then(change)
    }

    /// Makes every ticket of `key` void and runs `change` alone among all changes of the key.
    pub(crate) fn advance<T>(&self, key: &str, change: impl FnOnce() -> T) -> Option<T> {
        let mut counter = self.lock(self.slot(key))?;
        *counter = counter.wrapping_add(1);
        Some(change())
    }

    /// Makes every ticket void.
    pub(crate) fn advance_all(&self) {
        for slot in 0..COUNTERS {
            if let Some(mut counter) = self.lock(slot) {
                *counter = counter.wrapping_add(1);
            }
        }
    }

    fn lock(&self, slot: usize) -> Option<MutexGuard<'_, u64>> {
        // The counter is whole whatever panicked beside it.
        let counter = self.counters.get(slot)?;
        Some(counter.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn slot(&self, key: &str) -> usize {
        let hash = self.hasher.hash_one(key);
        usize::try_from(hash % (COUNTERS as u64)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_void_after_its_key_moved_on() {
        let generations = Generations::new();
        let ticket = generations.ticket("a");
        assert_eq!(generations.in_turn(ticket, || 1), Some(1));
        assert_eq!(generations.advance("a", || 2), Some(2));
        assert_eq!(generations.in_turn(ticket, || 3), None);
        let ticket = generations.ticket("a");
        generations.advance_all();
        assert_eq!(generations.in_turn(ticket, || 4), None);
    }
}
