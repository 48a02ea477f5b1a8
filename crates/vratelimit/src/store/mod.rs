//! Where the state of keys is kept: the trait and its contract.

pub(crate) mod memory;
mod set;

use std::num::NonZeroU32;

use crate::decision::Decision;
use crate::error::StoreError;
use crate::key::Key;
use crate::quota::Quota;

/// Where limiters keep one time per key.
///
/// `spend` is atomic per key: of two calls for one key, the second sees what the first wrote.
/// It is cancel safe: a dropped future has spent the units or left them, never some of them.
/// The store reads its own clock (a store across the network: that of its server), so that
/// processes agree on now. An error says nothing about the key; the caller decides what it means.
pub trait Store: Send + Sync + 'static {
    /// Spends `cost` units of `key` under `quota`, if it has them; a key never seen has its whole
    /// burst.
    fn spend(
        &self,
        key: Key<'_>,
        quota: &Quota,
        cost: NonZeroU32,
    ) -> impl Future<Output = Result<Decision, StoreError>> + Send;
}
