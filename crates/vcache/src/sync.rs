//! What single flight and tags are built of. Their models (`loom/`) have loom's here.

pub(crate) use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};
pub(crate) use std::sync::{PoisonError, RwLock};
