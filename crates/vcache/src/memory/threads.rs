//! Small numbers for threads: each live thread that asks has one of its own.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers end before this; threads beyond have none.
pub(super) const MOST: usize = 64 * WORDS;
const WORDS: usize = 4;

/// A bit for each number that is taken.
static TAKEN: [AtomicU64; WORDS] = [const { AtomicU64::new(0) }; WORDS];

thread_local! {
    /// The thread's number, or above [`MOST`] while it has none: without a destructor, so that
    /// reading it is reading memory.
    static NUMBER: Cell<usize> = const { Cell::new(UNKNOWN) };
    static OWN: Number = Number::take();
}

/// No number yet.
const UNKNOWN: usize = usize::MAX - 1;
/// No number any more, or none was free.
const NONE: usize = usize::MAX;

/// The lowest number that was free; given back when the thread ends.
struct Number(usize);

impl Number {
    fn take() -> Self {
        for (at, word) in TAKEN.iter().enumerate() {
            let lowest = |taken: u64| (taken != u64::MAX).then(|| taken | (taken + 1));
            // Acquire: what the last thread of this number wrote under it comes before.
            if let Ok(before) = word.fetch_update(Ordering::Acquire, Ordering::Relaxed, lowest) {
                return Self(64 * at + before.trailing_ones() as usize);
            }
        }
        Self(NONE)
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        NUMBER.set(NONE);
        if let Some(word) = TAKEN.get(self.0 / 64) {
            word.fetch_and(!(1 << (self.0 % 64)), Ordering::Release);
        }
    }
}

/// The calling thread's number, or one above [`MOST`] if it has none: too many threads live, or
/// this one is ending.
#[inline]
pub(super) fn number() -> usize {
    let number = NUMBER.get();
    if number == UNKNOWN { first() } else { number }
}

#[cold]
fn first() -> usize {
    let number = OWN.try_with(|own| own.0).unwrap_or(NONE);
    NUMBER.set(number);
    number
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn no_two_living_threads_share_a_number() {
        let all = Barrier::new(MOST + 10);
        let numbers: Vec<usize> = thread::scope(|scope| {
            let ask = || {
                let mine = number();
                all.wait();
                assert_eq!(number(), mine);
                mine
            };
            let threads: Vec<_> = (0..MOST + 10).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let (some, none): (Vec<usize>, Vec<usize>) = numbers.iter().partition(|at| **at < MOST);
        assert!(none.len() >= 10 && none.iter().all(|at| *at == usize::MAX));
        assert_eq!(some.iter().collect::<HashSet<_>>().len(), some.len());
    }
}
