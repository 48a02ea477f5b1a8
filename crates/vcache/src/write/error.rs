//! Why a writer could not be built, and why it did not take a write.

use crate::error::BoxError;
#[cfg(feature = "disk")]
use crate::sqlite::failure::OpenError;

/// Why a writer could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteBehindBuildError {
    /// A setting is zero that must not be.
    #[error("{0} is 0, so that nothing could ever be written")]
    Zero(&'static str),
    /// Writes are to be given up, and nobody is there to take them.
    #[error("max_attempts is set, and there is nobody for dead letters")]
    NoDeadLetters,
    /// The journal could not be opened.
    #[cfg(feature = "disk")]
    #[error("the journal cannot be opened")]
    Journal(#[from] OpenError),
    /// The journal has a write that cannot be read: damaged, or of other codecs.
    #[cfg(feature = "disk")]
    #[error("the journal has a write that cannot be read")]
    Unreadable(#[source] BoxError),
}

/// Why a write was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// As many keys are pending as may be.
    #[error("{max} keys are pending, no more are allowed")]
    Full {
        /// How many may be.
        max: usize,
    },
    /// As many bytes are pending as may be.
    #[error("writes of nearly {max} bytes are pending, no more are allowed")]
    FullSize {
        /// How many may be.
        max: u64,
    },
    /// The writer was closed.
    #[error("the writer was closed")]
    Closed,
    /// The key or the value has no form in bytes.
    #[error("the write could not be encoded for the journal")]
    Encode(#[source] BoxError),
    /// The journal has not kept it. The source may get it all the same.
    #[error("the journal failed")]
    Journal(#[source] BoxError),
}
