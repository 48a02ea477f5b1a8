//! A lock for many readers or one writer, in one word, which counts the reads that hit.
//!
//! Why another: any other lock needs two atomic exchanges (6 ns each) of a reader and two of a
//! writer, and a third for the count of hits. Here a reader needs one at most: it announces itself
//! in a stripe of its own and takes that back by a plain store; only threads beyond the first few
//! are counted in the word. Where nobody has written for long it needs none, and the next writer
//! pays for all with one [`barrier`] (as in BRAVO: Dice, Kogan, "BRAVO: Biased Locking for
//! Reader-Writer Locks", USENIX ATC 2019). A writer enters by one and leaves by a plain store, as
//! nobody else changes the word meanwhile; those who go to sleep pay for the order between that
//! store and its look at whether anybody sleeps.
#![expect(unsafe_code, reason = "a lock hands out references; each step has its note")]

use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr;

use super::barrier;
use super::stripes::{Stripe, Stripes};
use super::sync::{
    AtomicBool, AtomicU64, CALM, Condvar, LOOKS, Mutex, MutexGuard, Ordering, PoisonError, nap,
    spin_loop, yield_now,
};

/// One reader inside: 16 bits of them.
const READER: u64 = 1;
const READERS: u64 = (1 << 16) - 1;
/// A writer is inside, or waits for the readers to leave; nobody enters, and nobody but that writer
/// and those who leave changes the word, so that it may leave by a plain store.
const WRITER: u64 = 1 << 16;
/// A writer was here since readers last looked whether one was.
const WRITTEN: u64 = 1 << 18;
/// Readers may announce themselves in their stripes instead of being counted here.
const QUIET: u64 = 1 << 19;
/// One hit. They take the upper bits and wrap after 2^44.
const HIT: u64 = 1 << HIT_SHIFT;
const HIT_SHIFT: u32 = 20;
/// When readers look whether anybody wrote, in the count of hits.
const MILESTONE: u64 = CALM / 2 * HIT;
const MILESTONES: u64 = (CALM - 1) * HIT;

#[repr(C)]
pub(super) struct Lock<T> {
    word: AtomicU64,
    /// What `QUIET` was a moment ago, apart from the word that counted readers write.
    quiet: AtomicBool,
    /// Somebody sleeps until the writer, or the last reader before it, leaves.
    asleep: AtomicBool,
    stripes: Stripes,
    bed: Mutex<()>,
    woken: Condvar,
    value: UnsafeCell<T>,
}

// SAFETY: as for `std::sync::RwLock`: the value moves between threads with the lock.
unsafe impl<T: Send> Send for Lock<T> {}
// SAFETY: as for `std::sync::RwLock`: readers share `&T`, and a writer on any thread takes `&mut T`.
unsafe impl<T: Send + Sync> Sync for Lock<T> {}

impl<T> Lock<T> {
    pub(super) fn new(value: T, stripes: Stripes) -> Self {
        Self {
            word: AtomicU64::new(0),
            quiet: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            stripes,
            bed: Mutex::new(()),
            woken: Condvar::new(),
            value: UnsafeCell::new(value),
        }
    }

    /// Reads that were counted as hits so far, without those in the stripes.
    pub(super) fn hits(&self) -> u64 {
        // Readers on their way in or out may count for a moment.
        self.word.load(Ordering::Relaxed) >> HIT_SHIFT
    }

    /// Whether readers announce themselves.
    pub(super) fn is_quiet(&self) -> bool {
        self.word.load(Ordering::Relaxed) & QUIET != 0
    }

    #[inline]
    pub(super) fn read(&self) -> Reading<'_, T> {
        match self.announce() {
            Some(stripe) => self.reading(Way::Announced(stripe)),
            None => self.read_counted(),
        }
    }

    /// Enters by the word.
    #[inline(never)]
    fn read_counted(&self) -> Reading<'_, T> {
        let enter = |word: u64| (word & WRITER == 0).then(|| word.wrapping_add(READER + HIT));
        loop {
            // Acquire: what the last writer wrote is seen.
            match self.word.fetch_update(Ordering::Acquire, Ordering::Relaxed, enter) {
                Ok(before) if before & MILESTONES == MILESTONE => break self.calm_down(),
                Ok(_) => break,
                Err(_) => self.wait(|word| word & WRITER == 0),
            }
        }
        self.reading(Way::Counted(Cell::new(READER + HIT)))
    }

    #[inline]
    const fn reading<'a>(&'a self, way: Way<'a>) -> Reading<'a, T> {
        Reading { lock: self, way, here: PhantomData }
    }

    #[inline]
    fn address(&self) -> usize {
        ptr::from_ref(self).addr()
    }

    /// Enters without a trace in the word, if this thread has a stripe that does not say that it
    /// is inside another lock, and either it is quiet or the thread is one of the few.
    #[inline]
    fn announce(&self) -> Option<&Stripe> {
        let (stripe, few) = self.stripes.own()?;
        if stripe.inside.load(Ordering::Relaxed) != 0 {
            return None;
        }
        let word = if self.quiet.load(Ordering::Relaxed) {
            // Release: whoever sees this knows that the thread's earlier reads are over.
            stripe.inside.store(self.address(), Ordering::Release);
            // From here to the writer's `heavy`: either it sees the stripe, or we see its word.
            barrier::light();
            // Acquire: the word comes from the last writer through additions only, so that what it
            // wrote is seen.
            self.word.load(Ordering::Acquire) ^ QUIET
        } else if few {
            // From here to the writer's `looks`: the same.
            barrier::announce(&stripe.inside, self.address());
            self.word.load(Ordering::SeqCst) & WRITER
        } else {
            return None;
        };
        if word & (QUIET | WRITER) == 0 {
            return Some(stripe);
        }
        stripe.inside.store(0, Ordering::Release);
        None
    }

    /// A reader inside looks whether anybody wrote since the last one did. If a writer waits
    /// meanwhile, it does not matter that it has not seen the bit: nobody enters on account of it
    /// before that writer has left.
    #[cold]
    fn calm_down(&self) {
        let written = self.word.fetch_and(!WRITTEN, Ordering::Relaxed) & WRITTEN != 0;
        if !written && self.stripes.announce {
            self.word.fetch_or(QUIET, Ordering::Relaxed);
            self.quiet.store(true, Ordering::Relaxed);
        }
    }

    /// The writer, whose bit is set, ends the quiet. Readers may still be inside.
    fn end_quiet(&self) {
        self.quiet.store(false, Ordering::Relaxed);
        self.word.fetch_and(!QUIET, Ordering::Relaxed);
        barrier::heavy();
    }

    /// Whether anybody is inside who is not counted.
    fn any_announced(&self) -> bool {
        self.stripes.any_inside(self.address())
    }

    /// The same in a lock that is not quiet.
    #[inline]
    fn few_announced(&self) -> bool {
        self.stripes.few_inside(self.address())
    }

    /// A counted reader leaves.
    #[inline(never)]
    fn leave(&self, counted: u64) {
        let before = self.word.fetch_sub(counted, Ordering::Release);
        if before & WRITER != 0 && before & READERS == READER {
            self.wake_sleepers();
        }
    }

    /// After a change of the word that somebody may wait for.
    #[inline]
    fn wake_sleepers(&self) {
        // From here to the sleeper's `heavy`: either it sees the word, or we see that it sleeps.
        self.stripes.light();
        if self.asleep.load(Ordering::Relaxed) {
            self.wake();
        }
    }

    #[inline]
    pub(super) fn write(&self) -> Writing<'_, T> {
        let claimed = self.claim(READERS | WRITER | QUIET).is_some();
        if !claimed || self.few_announced() {
            self.write_later(claimed);
        }
        Writing { lock: self }
    }

    /// Sets the writer's bit, unless the word has one of these; what it was.
    #[inline]
    fn claim(&self, unless: u64) -> Option<u64> {
        let word = self.word.load(Ordering::Relaxed);
        if word & unless != 0 {
            return None;
        }
        let set = word | WRITER;
        self.word.compare_exchange(word, set, Ordering::SeqCst, Ordering::Relaxed).ok()?;
        barrier::looks();
        Some(word)
    }

    /// Becomes the writer, if this is not it already, and waits for the readers.
    #[cold]
    fn write_later(&self, mut claimed: bool) {
        while !claimed {
            self.wait(|word| word & WRITER == 0);
            claimed = self.claim(WRITER).is_some();
        }
        if self.is_quiet() {
            self.end_quiet();
        }
        let mut looks = 0;
        while self.any_announced() {
            // They do not wake anybody when they leave.
            if looks < LOOKS {
                spin(looks);
                looks += 1;
            } else {
                nap();
            }
        }
        self.wait(|word| word & READERS == 0);
    }

    /// Enters if nobody is inside.
    pub(super) fn try_write(&self) -> Option<Writing<'_, T>> {
        if self.claim(WRITER | READERS)? & QUIET != 0 {
            self.end_quiet();
        }
        if self.any_announced() {
            // Those inside may change the word, too.
            self.word.fetch_and(!WRITER, Ordering::Release);
            self.wake_sleepers();
            return None;
        }
        Some(Writing { lock: self })
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
            self.asleep.store(true, Ordering::Relaxed);
            self.stripes.heavy();
            if wanted(self.word.load(Ordering::Acquire)) {
                return;
            }
            bed = self.woken.wait(bed).unwrap_or_else(PoisonError::into_inner);
        }
    }

    #[cold]
    fn wake(&self) {
        let bed = lock(&self.bed);
        self.asleep.store(false, Ordering::Relaxed);
        self.woken.notify_all();
        drop(bed);
    }
}

fn lock(bed: &Mutex<()>) -> MutexGuard<'_, ()> {
    bed.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hits, quiet) = (self.hits(), self.is_quiet());
        f.debug_struct("Lock").field("hits", &hits).field("quiet", &quiet).finish_non_exhaustive()
    }
}

/// How a reader came in.
enum Way<'a> {
    /// By its stripe.
    Announced(&'a Stripe),
    /// By the word, from which this is taken back when it leaves.
    Counted(Cell<u64>),
}

/// A reader inside.
pub(super) struct Reading<'a, T> {
    lock: &'a Lock<T>,
    way: Way<'a>,
    /// Not to be sent to another thread, whose stripe it would not be.
    here: PhantomData<*const ()>,
}

impl<T> Reading<'_, T> {
    /// Counts a hit.
    #[inline]
    pub(super) fn hit(&self) {
        match &self.way {
            Way::Announced(stripe) => {
                if stripe.hit() & (CALM - 1) == CALM / 2 && !self.lock.quiet.load(Ordering::Relaxed)
                {
                    self.lock.calm_down();
                }
            }
            Way::Counted(leaves) => leaves.set(READER),
        }
    }
}

impl<T> Deref for Reading<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: counted among the readers or announced in a stripe, and no writer enters before
        // both have left.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> Drop for Reading<'_, T> {
    #[inline]
    fn drop(&mut self) {
        match &self.way {
            Way::Announced(stripe) => stripe.inside.store(0, Ordering::Release),
            Way::Counted(leaves) => self.lock.leave(leaves.get()),
        }
    }
}

/// A writer inside.
pub(super) struct Writing<'a, T> {
    lock: &'a Lock<T>,
}

impl<T> Deref for Writing<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the one that set `WRITER`, after all readers had left, counted and announced.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Writing<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the one that set `WRITER`, after all readers had left, counted and announced.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Writing<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // Nobody else changes the word as long as `WRITER` is set and no reader is counted.
        let word = self.lock.word.load(Ordering::Relaxed);
        self.lock.word.store(word & !WRITER | WRITTEN, Ordering::Release);
        self.lock.wake_sleepers();
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
        let lock = Lock::new((0_u64, 0_u64), Stripes::new());
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
                        let both = lock.read();
                        both.hit();
                        assert_eq!(both.0, both.1);
                    }
                });
            }
        });
        assert_eq!(lock.read().0, 60_000);
        assert_eq!(lock.hits() + lock.stripes.hits(), 60_000);
        assert_eq!(lock.word.load(Ordering::Relaxed) & (WRITER | READERS), 0);
    }

    fn read_often<T>(lock: &Lock<T>, times: u64) {
        (0..times).for_each(|_| lock.read().hit());
    }

    #[test]
    fn after_long_quiet_readers_announce_themselves_until_somebody_writes() {
        let lock = Lock::new(0_u64, Stripes::new());
        read_often(&lock, 2 * CALM);
        if !lock.stripes.announce {
            return;
        }
        let word = lock.word.load(Ordering::Relaxed);
        assert_ne!(word & QUIET, 0);
        let reading = lock.read();
        assert!(lock.any_announced());
        // One that is inside already is counted.
        drop(lock.read());
        assert!(lock.any_announced() && lock.try_write().is_none());
        drop(reading);
        // The attempt has ended the quiet.
        assert_eq!(lock.word.load(Ordering::Relaxed) & (QUIET | WRITER | READERS), 0);
        assert_eq!(lock.hits() + lock.stripes.hits(), 2 * CALM);
        read_often(&lock, 3 * CALM);
        *lock.write() += 1;
        assert_eq!(lock.word.load(Ordering::Relaxed) & (QUIET | WRITTEN), WRITTEN);
        read_often(&lock, CALM);
        assert_eq!(lock.word.load(Ordering::Relaxed) & (QUIET | WRITTEN), 0);
        *lock.try_write().unwrap() += 1;
        assert_eq!(*lock.read(), 2);
        assert!(!lock.any_announced());
    }

    #[test]
    fn a_write_in_long_quiet_excludes_all() {
        let lock = Lock::new((0_u64, 0_u64), Stripes::new());
        thread::scope(|scope| {
            let reader = || {
                while lock.read().0 < 200 {
                    for _ in 0..2 * CALM {
                        let both = lock.read();
                        both.hit();
                        assert_eq!(both.0, both.1);
                    }
                }
            };
            (0..2).for_each(|_| drop(scope.spawn(reader)));
            for turn in 0..200 {
                let hits = lock.hits() + lock.stripes.hits();
                let mut both = lock.write();
                both.0 += 1;
                yield_now();
                both.1 += 1;
                drop(both);
                // Until it is quiet again, or the readers have seen all.
                let calm = hits + 2 * CALM;
                while turn < 199 && lock.hits() + lock.stripes.hits() < calm {
                    yield_now();
                }
            }
        });
        assert_eq!(*lock.read(), (200, 200));
    }

    #[test]
    fn a_try_does_not_wait() {
        let lock = Lock::new(1, Stripes::new());
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
        let lock = Lock::new(0, Stripes::new());
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
            while !lock.asleep.load(Ordering::Relaxed) {
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
