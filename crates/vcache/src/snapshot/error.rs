//! Why a snapshot could not be written or read.

use std::io;

use crate::error::BoxError;

/// Why a snapshot could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// Reading or writing failed; what was read until then is in the cache.
    #[error("the snapshot could not be read or written")]
    Io(#[from] io::Error),
    /// These bytes are no snapshot, or one of another version. Nothing was read.
    #[error("this is no snapshot that can be read")]
    Foreign,
    /// A key or a value has no form in bytes.
    #[error("a key or a value has no form in bytes")]
    Encode(#[source] BoxError),
}
