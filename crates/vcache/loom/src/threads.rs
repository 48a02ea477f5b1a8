//! Numbers for a model's threads.

use super::sync::{AtomicUsize, Ordering};

/// As many as a model has threads.
pub(super) const MOST: usize = 3;

loom::lazy_static! {
    static ref NEXT: AtomicUsize = AtomicUsize::new(0);
}

loom::thread_local! {
    static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed);
}

pub(super) fn number() -> usize {
    NUMBER.with(|number| *number)
}
