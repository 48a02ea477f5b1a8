//! Why a load gave no value.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use crate::size;

/// Any error; what loaders and stores fail with.
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// Why a load gave no value. Cheap to clone: everybody who waited for the load gets it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The loader failed; the source is its error.
    #[error("the load failed")]
    Failed(#[source] Arc<dyn Error + Send + Sync>),
    /// The loader panicked; the panic hook has reported it.
    #[error("the loader panicked")]
    Panicked,
    /// The loader took longer than it may and was dropped.
    #[error("the load took longer than {0:?}")]
    TimedOut(Duration),
    /// The load of many keys that this one was part of brought no value for it.
    #[error("the source has no value for this key")]
    Absent,
    /// A loader asked for a key whose load waits for it: its own, or one that asks, over whatever
    /// others, for its own.
    #[error("the load waits for itself")]
    Recursive,
    /// As many loads as may exist at once existed already.
    #[error("{max} loads are under way, no more are allowed at once")]
    TooMany {
        /// How many may exist at once.
        max: usize,
    },
}

impl LoadError {
    pub(crate) fn failed(error: impl Into<BoxError>) -> Self {
        Self::Failed(Arc::from(error.into()))
    }

    /// The loader's own error, if it is an `E`.
    #[must_use]
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        match self {
            Self::Failed(error) => error.downcast_ref(),
            _ => None,
        }
    }

    /// The bytes that it holds beside its own size, about.
    pub(crate) fn weight(&self) -> u64 {
        match self {
            Self::Failed(error) => size::of_error(&**error),
            _ => 0,
        }
    }

    /// Whether it says something about the source, and not about this call.
    pub(crate) const fn is_of_the_source(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Panicked | Self::TimedOut(_))
    }
}
