//! A lock for many readers or one writer, in one word, which counts the reads that hit.
//!
//! Why another: entering costs a reader one atomic addition and leaving another, and the count of
//! hits rides on the first for nothing, where any other lock needs a third for the statistics.
#![expect(unsafe_code, reason = "a lock hands out references; each step has its note")]

use std::cell::UnsafeCell;
use std::fmt;
use std::ops::{Deref, DerefMut};

use super::sync::{
    AtomicU64, Condvar, LOOKS, Mutex, MutexGuard, Ordering, PoisonError, spin_loop, yield_now,
};

/// One reader inside: 16 bits of them.
const READER: u64 = 1;
const READERS: u64 = (1 << 16) - 1;
/// A writer is inside, or waits for the readers to leave; no reader enters.
const WRITER: u64 = 1 << 16;
/// Somebody sleeps until the writer, or the last reader before it, leaves.
const ASLEEP: u64 = 1 << 17;
/// One hit. They take the upper bits and wrap after 2^44.
const HIT: u64 = 1 << HIT_SHIFT;
const HIT_SHIFT: u32 = 20;

pub(super) struct Lock<T> {
    word: AtomicU64,
    bed: Mutex<()>,
    woken: Condvar,
    value: UnsafeCell<T>,
}

// SAFETY: as for `std::sync::RwLock`: the value moves between threads with the lock.
unsafe impl<T: Send> Send for Lock<T> {}
// SAFETY: as for `std::sync::RwLock`: readers share `&T`, and a writer on any thread takes `&mut T`.
unsafe impl<T: Send + Sync> Sync for Lock<T> {}

impl<T> Lock<T> {
    pub(super) fn new(value: T) -> Self {
        Self {
            word: AtomicU64::new(0),
            bed: Mutex::new(()),
            woken: Condvar::new(),
            value: UnsafeCell::new(value),
        }
    }

    /// Reads that were counted as hits so far.
    pub(super) fn hits(&self) -> u64 {
        // Readers on their way in or out may count for a moment.
        self.word.load(Ordering::Relaxed) >> HIT_SHIFT
    }

    #[inline]
    pub(super) fn read(&self) -> Reading<'_, T> {
        let before = self.word.fetch_add(READER + HIT, Ordering::Acquire);
        if before & WRITER != 0 {
            self.read_later();
        }
        Reading { lock: self, leaves: READER + HIT }
    }

    /// Takes back the entry counted by [`read`](Self::read) and enters once there is no writer.
    #[cold]
    fn read_later(&self) {
        loop {
            self.leave(READER + HIT);
            self.wait(|word| word & WRITER == 0);
            let before = self.word.fetch_add(READER + HIT, Ordering::Acquire);
            if before & WRITER == 0 {
                return;
            }
        }
    }

    fn leave(&self, counted: u64) {
        let before = self.word.fetch_sub(counted, Ordering::Release);
        if before & (WRITER | ASLEEP) == WRITER | ASLEEP && before & READERS == READER {
            self.wake();
        }
    }

    #[inline]
    pub(super) fn write(&self) -> Writing<'_, T> {
        let before = self.word.fetch_or(WRITER, Ordering::Acquire);
        if before & (WRITER | READERS) != 0 {
            self.write_later(before);
        }
        Writing { lock: self }
    }

    #[cold]
    fn write_later(&self, mut before: u64) {
        while before & WRITER != 0 {
            self.wait(|word| word & WRITER == 0);
            before = self.word.fetch_or(WRITER, Ordering::Acquire);
        }
        self.wait(|word| word & READERS == 0);
    }

    /// Enters if nobody is inside.
    pub(super) fn try_write(&self) -> Option<Writing<'_, T>> {
        let word = self.word.load(Ordering::Relaxed);
        if word & (WRITER | READERS) != 0 {
            return None;
        }
        self.word
            .compare_exchange(word, word | WRITER, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
            .then(|| Writing { lock: self })
    }

    /// Returns once the word is as wanted.
    fn wait(&self, wanted: impl Fn(u64) -> bool) {
        for look in 0..LOOKS {
            if wanted(self.word.load(Ordering::Acquire)) {
                return;
            }
            spin(look);
        }
        let mut bed = lock(&self.bed);
        loop {
            // Whoever leaves sees that somebody sleeps, and comes to the bed's lock to wake them.
            let word = self.word.fetch_or(ASLEEP, Ordering::Acquire);
            if wanted(word) {
                return;
            }
            bed = self.woken.wait(bed).unwrap_or_else(PoisonError::into_inner);
        }
    }

    #[cold]
    fn wake(&self) {
        let bed = lock(&self.bed);
        self.word.fetch_and(!ASLEEP, Ordering::Relaxed);
        self.woken.notify_all();
        drop(bed);
    }
}

fn lock(bed: &Mutex<()>) -> MutexGuard<'_, ()> {
    bed.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").field("hits", &self.hits()).finish_non_exhaustive()
    }
}

/// A reader inside.
pub(super) struct Reading<'a, T> {
    lock: &'a Lock<T>,
    /// What is taken back from the word when it leaves.
    leaves: u64,
}

impl<T> Reading<'_, T> {
    /// Leaves its entry in the count of hits.
    pub(super) const fn hit(&mut self) {
        self.leaves = READER;
    }
}

impl<T> Deref for Reading<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: counted among the readers, and no writer enters before they have left.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> Drop for Reading<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.leave(self.leaves);
    }
}

/// A writer inside.
pub(super) struct Writing<'a, T> {
    lock: &'a Lock<T>,
}

impl<T> Deref for Writing<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the one that set `WRITER`, after all readers had left.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Writing<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the one that set `WRITER`, after all readers had left.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Writing<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // The bit is set, so that this clears it and touches no other.
        let before = self.lock.word.fetch_sub(WRITER, Ordering::Release);
        if before & ASLEEP != 0 {
            self.lock.wake();
        }
    }
}

/// Passes a moment; longer the more often it was tried.
fn spin(look: u32) {
    if look < LOOKS / 2 {
        spin_loop();
    } else {
        yield_now();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn writers_exclude_all_and_readers_see_whole_writes() {
        let lock = Lock::new((0_u64, 0_u64));
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        let mut both = lock.write();
                        both.0 += 1;
                        both.1 += 1;
                    }
                });
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        let mut both = lock.read();
                        both.hit();
                        assert_eq!(both.0, both.1);
                    }
                });
            }
        });
        assert_eq!(lock.read().0, 60_000);
        assert_eq!(lock.hits(), 60_000);
        assert_eq!(lock.word.load(Ordering::Relaxed) & (WRITER | READERS), 0);
    }

    #[test]
    fn a_try_does_not_wait() {
        let lock = Lock::new(1);
        let reading = lock.read();
        assert!(lock.try_write().is_none());
        drop(reading);
        let writing = lock.try_write();
        assert!(writing.is_some() && lock.try_write().is_none());
        drop(writing);
        *lock.write() += 1;
        assert_eq!(*lock.read(), 2);
        assert_eq!(lock.hits(), 0);
    }

    #[test]
    fn sleepers_are_woken() {
        let lock = Lock::new(0);
        thread::scope(|scope| {
            let held = lock.write();
            let waiting: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        *lock.write() += 1;
                        *lock.read()
                    })
                })
                .collect();
            while lock.word.load(Ordering::Relaxed) & ASLEEP == 0 {
                yield_now();
            }
            drop(held);
            for waiter in waiting {
                assert!(waiter.join().unwrap() > 0);
            }
        });
        assert_eq!(*lock.read(), 4);
    }
}
