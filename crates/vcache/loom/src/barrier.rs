//! Fences for what `vcache`'s file of the same name asks of the system or of `SeqCst`.

use loom::sync::atomic::fence;

use super::sync::{AtomicUsize, Ordering};

pub(super) const fn is_there() -> bool {
    true
}

pub(super) fn light() {
    fence(Ordering::SeqCst);
}

pub(super) fn heavy() {
    fence(Ordering::SeqCst);
}

pub(super) fn announce(slot: &AtomicUsize, address: usize) {
    slot.store(address, Ordering::Release);
    fence(Ordering::SeqCst);
}

pub(super) fn looks() {
    fence(Ordering::SeqCst);
}
