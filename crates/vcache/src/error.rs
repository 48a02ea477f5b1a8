//! Why a load gave no value.

use std::error::Error;
use std::sync::Arc;

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
    /// As many loads as may run at once were running already.
    #[error("{max} loads are under way, no more are allowed at once")]
    TooMany {
        /// How many may run at once.
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
            Self::Panicked | Self::TooMany { .. } => None,
        }
    }
}
