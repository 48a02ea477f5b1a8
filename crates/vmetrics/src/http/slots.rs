//! A small table of counters by status and cache verdict, filled as they are first seen.

use std::sync::OnceLock;

use http::StatusCode;
use vhttp::CacheVerdict;

use crate::instrument::Counter;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The answer was complete.
    Status(StatusCode),
    /// The client left before the answer was complete.
    Gone,
    /// No whole answer could be made: the service failed, or the body broke off.
    Failed,
}

impl Outcome {
    /// The value of the label `status`; 499 is nginx's code for a client that left.
    pub(crate) fn label(&self) -> &str {
        match self {
            Self::Status(status) => status.as_str(),
            Self::Gone => "499",
            Self::Failed => "error",
        }
    }
}

/// What a request is counted by, beside its route and method.
pub(crate) type Key = (Outcome, Option<CacheVerdict>);

/// How many keys a table holds. Services answer one method of one route with a handful of
/// statuses; those beyond are looked up in the registry each time.
const PLACES: usize = 16;

/// Counters by [`Key`], found without a hash, a lock or a string: the first places go to what is
/// seen first, which is what is common.
#[derive(Debug, Default)]
pub(crate) struct Slots([OnceLock<(Key, Counter)>; PLACES]);

impl Slots {
    /// Counts one request under `key`; `find` gets the counter when it is not in the table.
    pub(crate) fn count(&self, key: Key, find: impl Fn() -> Counter) {
        for slot in &self.0 {
            let (known, counter) = slot.get_or_init(|| (key, find()));
            if *known == key {
                counter.increment(1);
                return;
            }
        }
        find().increment(1);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_key_is_looked_up_once_while_there_are_places() {
        let (slots, counter, finds) = (Slots::default(), Counter::default(), Cell::new(0));
        let count = |code: u16| {
            let status = StatusCode::from_u16(code).unwrap();
            slots.count((Outcome::Status(status), None), || {
                finds.set(finds.get() + 1);
                counter.clone()
            });
        };
        for _ in 0..3 {
            (200..216).for_each(&count);
        }
        assert_eq!((finds.get(), counter.value()), (16, 48));
        count(300);
        count(300);
        assert_eq!((finds.get(), counter.value()), (18, 50));
    }

    #[test]
    fn verdicts_and_outcomes_are_told_apart() {
        let slots = Slots::default();
        let (hit, miss, gone) = (Counter::default(), Counter::default(), Counter::default());
        let ok = Outcome::Status(StatusCode::OK);
        slots.count((ok, Some(CacheVerdict::Hit)), || hit.clone());
        slots.count((ok, Some(CacheVerdict::Miss)), || miss.clone());
        slots.count((Outcome::Gone, Some(CacheVerdict::Hit)), || gone.clone());
        slots.count((ok, Some(CacheVerdict::Hit)), || unreachable!());
        assert_eq!((hit.value(), miss.value(), gone.value()), (2, 1, 1));
    }
}
