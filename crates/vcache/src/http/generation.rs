//! Generations of keys, so that a fill that began before a purge cannot outlive it.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::http::key::Key;
use crate::http::notes::Notes;
use crate::http::purge::Pattern;
use crate::http::tags::Tag;

/// Counters, each under a lock, that many keys share.
///
/// A fill takes a ticket before it asks the origin; a purge moves the counter on. Whoever changes
/// what is stored under a key does it in a turn, so that changes of one key follow each other.
/// Two keys that share a counter cost a fill now and then, never a wrong answer.
#[derive(Debug)]
pub(crate) struct Generations {
    counters: Box<[Mutex<u64>]>,
    /// Purges of more than one key.
    notes: Notes,
    hasher: RandomState,
}

/// What a counter showed when the ticket was taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket {
    slot: usize,
    value: u64,
    /// How many purges of more than one key there had been.
    noted: u64,
    /// What of the purges was known that other tiers hear of.
    #[cfg(any(feature = "disk", feature = "redis"))]
    pub(crate) place: crate::http::record::Place,
}

#[cfg(any(feature = "disk", feature = "redis"))]
impl Ticket {
    /// The same with what else was known of purges.
    pub(crate) const fn at(self, place: crate::http::record::Place) -> Self {
        Self { place, ..self }
    }
}

const COUNTERS: usize = 1024;

impl Generations {
    pub(crate) fn new() -> Self {
        Self {
            counters: (0..COUNTERS).map(|_| Mutex::new(0)).collect(),
            notes: Notes::default(),
            hasher: RandomState::new(),
        }
    }

    pub(crate) fn ticket(&self, key: &str) -> Ticket {
        let slot = self.slot(key);
        let noted = self.notes.count();
        let value = self.lock(slot).map_or(0, |counter| *counter);
        Ticket {
            slot,
            value,
            noted,
            #[cfg(any(feature = "disk", feature = "redis"))]
            place: crate::http::record::Place::default(),
        }
    }

    /// Whether no purge of `key`, or of anything with one of `tags`, has made the ticket void.
    /// Tags that are not known may be any.
    pub(crate) fn is_current(&self, ticket: Ticket, key: &Key, tags: Option<&[Tag]>) -> bool {
        self.lock(ticket.slot).is_some_and(|counter| *counter == ticket.value)
            && self.notes.spare(ticket.noted, key, tags)
    }

    /// Runs `change` alone among all changes of the ticket's key; nothing when the ticket is void.
    pub(crate) fn in_turn<T>(
        &self,
        ticket: Ticket,
        key: &Key,
        tags: Option<&[Tag]>,
        change: impl FnOnce() -> T,
    ) -> Option<T> {
        let counter = self.lock(ticket.slot)?;
        let is_current = *counter == ticket.value && self.notes.spare(ticket.noted, key, tags);
        is_current.then(change)
    }

    /// Makes every ticket of `key` void and runs `change` alone among all changes of the key.
    pub(crate) fn advance<T>(&self, key: &str, change: impl FnOnce() -> T) -> Option<T> {
        let mut counter = self.lock(self.slot(key))?;
        *counter = counter.wrapping_add(1);
        Some(change())
    }

    /// As [`advance`](Self::advance), for who holds a ticket: with a new one if that was not void
    /// for a response with `tags`.
    pub(crate) fn renew(
        &self,
        ticket: Ticket,
        key: &Key,
        tags: &[Tag],
        change: impl FnOnce(),
    ) -> Option<Ticket> {
        let mut counter = self.lock(ticket.slot)?;
        let is_current =
            *counter == ticket.value && self.notes.spare(ticket.noted, key, Some(tags));
        *counter = counter.wrapping_add(1);
        change();
        is_current.then_some(Ticket { value: *counter, ..ticket })
    }

    /// Runs `change` alone among all changes of the key.
    pub(crate) fn alone<T>(&self, key: &str, change: impl FnOnce() -> T) -> Option<T> {
        let _turn = self.lock(self.slot(key))?;
        Some(change())
    }

    /// Makes every ticket void that `pattern` is about. When this returns, every change whose
    /// ticket was found valid before is done.
    pub(crate) fn note(&self, pattern: Pattern) {
        self.notes.add(pattern);
        for slot in 0..COUNTERS {
            drop(self.lock(slot));
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
        let (generations, key) = (Generations::new(), Key::of_url("http://a/").unwrap());
        let ticket = generations.ticket(key.as_str());
        let in_turn = |ticket| generations.in_turn(ticket, &key, None, || ());
        assert_eq!(in_turn(ticket), Some(()));
        assert_eq!(generations.advance(key.as_str(), || 2), Some(2));
        assert_eq!(in_turn(ticket), None);
        let ticket = generations.ticket(key.as_str());
        generations.note(Pattern::Everything);
        assert_eq!(in_turn(ticket), None);
        assert!(generations.is_current(generations.ticket(key.as_str()), &key, None));
    }
}
