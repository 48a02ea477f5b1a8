//! Telling the caller what has left, after the lock.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cause::Cause;

/// How deep listeners may cause each other's calls.
const DEEPEST: u8 = 8;

thread_local! {
    /// Listeners that run on this thread, one inside of the other.
    static DEPTH: Cell<u8> = const { Cell::new(0) };
}

type Call<K, V> = dyn Fn(&K, &V, Cause) + Send + Sync;

/// What a cache calls for each entry that leaves.
pub(super) struct Listener<K, V> {
    call: Box<Call<K, V>>,
    panics: AtomicU64,
    unheard: AtomicU64,
}

impl<K, V> Listener<K, V> {
    pub(super) fn new(call: impl Fn(&K, &V, Cause) + Send + Sync + 'static) -> Self {
        Self { call: Box::new(call), panics: AtomicU64::new(0), unheard: AtomicU64::new(0) }
    }

    /// Tells of one entry, under no lock. A panic is counted and goes no further.
    pub(super) fn tell(&self, key: &K, value: &V, cause: Cause) {
        let Some(_inside) = Inside::enter() else {
            self.unheard.fetch_add(1, Ordering::Relaxed);
            return;
        };
        // What the closure leaves half done is the caller's, who wrote it.
        if catch_unwind(AssertUnwindSafe(|| (self.call)(key, value, cause))).is_err() {
            self.panics.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    pub(super) fn unheard(&self) -> u64 {
        self.unheard.load(Ordering::Relaxed)
    }
}

impl<K, V> fmt::Debug for Listener<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("panics", &self.panics).finish_non_exhaustive()
    }
}

/// One more listener inside of those that run; `None` if that were too deep.
struct Inside;

impl Inside {
    fn enter() -> Option<Self> {
        // At the end of a thread there may be no depth any more, and no recursion either.
        let depth = DEPTH.try_with(Cell::get).unwrap_or(0);
        if depth == DEEPEST {
            return None;
        }
        let _ = DEPTH.try_with(|cell| cell.set(depth + 1));
        Some(Self)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = DEPTH.try_with(|depth| depth.set(depth.get().saturating_sub(1)));
    }
}
