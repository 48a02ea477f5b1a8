//! What the lock and the account of weight are built of. Their models (`loom/`) have loom's here.

use std::time::Duration;

pub(super) use std::hint::spin_loop;
pub(super) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
pub(super) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
pub(super) use std::thread::yield_now;

/// Looks at the lock's word before going to sleep.
pub(super) const LOOKS: u32 = 64;
/// Hits between a lock's looks whether anybody wrote. A writer that finds it quiet pays as much as
/// some hundred hits have saved.
pub(super) const CALM: u64 = 2048;
/// The first stripes, at which every writer looks: their threads may announce themselves even
/// where much is written.
pub(super) const FEW: usize = 4;

/// Sleeps for a moment, as nobody will wake the caller.
#[expect(clippy::disallowed_methods, reason = "locks are held for moments, and know no runtime")]
pub(super) fn nap() {
    std::thread::sleep(Duration::from_micros(50));
}
