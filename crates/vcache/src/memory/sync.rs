//! What the lock and the account of weight are built of. Their models (`loom/`) have loom's here.

pub(super) use std::hint::spin_loop;
pub(super) use std::sync::atomic::{AtomicU64, Ordering};
pub(super) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
pub(super) use std::thread::yield_now;

/// Looks at the lock's word before going to sleep.
pub(super) const LOOKS: u32 = 64;
