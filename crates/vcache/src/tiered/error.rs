//! Why tiers could not be built.

use crate::memory::BuildError;

/// Why a [`Tiered`](crate::Tiered) cache could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TieredBuildError {
    /// The memory tier could not.
    #[error(transparent)]
    Memory(#[from] BuildError),
    /// The lease of a fleet's loads is zero.
    #[error("`lease` is 0, so that every process would load; give it seconds")]
    NoLease,
    /// A setting of the coherence is zero that must not be.
    #[error("{0} is 0, so that no ping could ever be answered in time")]
    Zero(&'static str),
    /// Coherence needs a task, and there is no tokio runtime here to run it.
    #[error("coherence needs a tokio runtime to be built in")]
    NoRuntime,
}
