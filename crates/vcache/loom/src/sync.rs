//! Loom's for what `vcache`'s files of the same name take from the standard library.

pub(super) use loom::hint::spin_loop;
pub(super) use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
pub(super) use loom::sync::{Condvar, Mutex, MutexGuard, RwLock};
pub(super) use loom::thread::yield_now;
pub(super) use std::sync::PoisonError;

/// To bed soon: looking again is one more order for each look.
pub(super) const LOOKS: u32 = 2;
/// Quiet soon.
pub(super) const CALM: u64 = 2;
/// One of the threads, so that the others have to be counted or quiet.
pub(super) const FEW: usize = 1;

pub(super) use loom::thread::yield_now as nap;
