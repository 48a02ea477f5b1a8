//! A fence whose cost one side bears: a compiler's fence for the many that enter, a fence on
//! every processor that runs this process for the few that must see all of them.
//!
//! Dice, Huang, Yang: "Asymmetric Dekker Synchronization", 2001; `membarrier(2)` since Linux 4.14.
//! As far as the memory model goes both sides are sequentially consistent fences; where the
//! system cannot do the one, [`is_there`] says no and nobody relies on the other.

use super::sync::{AtomicUsize, Ordering};

#[cfg(all(target_os = "linux", not(miri)))]
pub(super) use linux::{heavy, is_there, light};
#[cfg(not(all(target_os = "linux", not(miri))))]
pub(super) use plain::{heavy, is_there, light};

/// Announces where a reader is. Who does this and then loads a word with `SeqCst`, and who changes
/// that word with `SeqCst`, calls [`looks`] and loads the announcement with `SeqCst`: one of them
/// sees the other.
#[inline]
pub(super) fn announce(slot: &AtomicUsize, address: usize) {
    slot.swap(address, Ordering::SeqCst);
}

/// Between the change and the look: nothing, as both are in the one order of all `SeqCst`. The
/// models, to whose checker that order is unknown, have fences.
#[inline]
pub(super) const fn looks() {}

#[cfg(all(target_os = "linux", not(miri)))]
mod linux {
    use std::sync::OnceLock;
    use std::sync::atomic::{Ordering, compiler_fence, fence};

    use rustix::thread::{MembarrierCommand, membarrier, membarrier_query};

    /// Whether the pair works here. The first call registers the process, which takes some
    /// milliseconds if it has several threads.
    pub(crate) fn is_there() -> bool {
        static THERE: OnceLock<bool> = OnceLock::new();
        *THERE.get_or_init(|| {
            membarrier_query().contains_command(MembarrierCommand::PrivateExpedited)
                && membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
                && membarrier(MembarrierCommand::PrivateExpedited).is_ok()
        })
    }

    /// Orders what comes before it in this thread against what comes after, as seen by whoever
    /// calls [`heavy`]. No instruction.
    #[inline]
    pub(crate) fn light() {
        compiler_fence(Ordering::SeqCst);
    }

    /// Makes every running thread of the process pass a fence: some microseconds.
    pub(crate) fn heavy() {
        fence(Ordering::SeqCst);
        let done = membarrier(MembarrierCommand::PrivateExpedited)
            .or_else(|_| membarrier(MembarrierCommand::Global));
        if done.is_err() {
            // It worked when it was asked whether it does; since then somebody has forbidden the
            // process to call it. Going on could hand out memory that is being read.
            std::process::abort();
        }
        fence(Ordering::SeqCst);
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
mod plain {
    use std::sync::atomic::{Ordering, fence};

    /// Under a checker of the memory model the pair is two fences; elsewhere it is not used.
    pub(crate) const fn is_there() -> bool {
        cfg!(miri)
    }

    #[inline]
    pub(crate) fn light() {
        fence(Ordering::SeqCst);
    }

    pub(crate) fn heavy() {
        fence(Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use super::*;

    /// Dekker: of two that each announce themselves and look for the other, one sees the other.
    #[test]
    fn one_of_two_sees_the_other() {
        if !is_there() {
            return;
        }
        let (a, b) = (AtomicBool::new(false), AtomicBool::new(false));
        let turn = Barrier::new(2);
        thread::scope(|scope| {
            let other = scope.spawn(|| {
                let look = |_| {
                    turn.wait();
                    a.store(true, Ordering::Relaxed);
                    light();
                    let seen = b.load(Ordering::Relaxed);
                    turn.wait();
                    turn.wait();
                    seen
                };
                (0..2000).map(look).collect::<Vec<bool>>()
            });
            let look = |_| {
                turn.wait();
                b.store(true, Ordering::Relaxed);
                heavy();
                let seen = a.load(Ordering::Relaxed);
                turn.wait();
                a.store(false, Ordering::Relaxed);
                b.store(false, Ordering::Relaxed);
                turn.wait();
                seen
            };
            let mine: Vec<bool> = (0..2000).map(look).collect();
            let theirs = other.join().unwrap();
            assert!(mine.iter().zip(theirs).all(|(mine, theirs)| *mine || theirs));
        });
    }
}
