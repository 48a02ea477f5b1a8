//! Why a pool gave no connection, and why it could not be built.

use std::time::Duration;

/// Why a pool gave no connection; `E` is what the manager says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GetError<E> {
    /// Every connection stayed in use for this long.
    #[error("no connection became free within {0:?}")]
    WaitTimeout(Duration),
    /// Creating a connection took longer than this.
    #[error("no connection was created within {0:?}")]
    CreateTimeout(Duration),
    /// Checking idle connections, one after the other, took longer than this altogether.
    #[error("no idle connection passed its check within {0:?}")]
    CheckTimeout(Duration),
    /// The connection could not be created.
    #[error("could not create a connection")]
    Create(#[source] E),
    /// The pool was closed.
    #[error("the pool is closed")]
    Closed,
}

impl<E> GetError<E> {
    /// Whether a limit of time ran out.
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::WaitTimeout(_) | Self::CreateTimeout(_) | Self::CheckTimeout(_))
    }

    /// Whether all connections were in use: the pool is too small, or they are held too long.
    #[must_use]
    pub const fn is_exhausted(&self) -> bool {
        matches!(self, Self::WaitTimeout(_))
    }

    /// Whether the pool was closed; asking again is of no use.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }
}

/// Why a pool could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A setting that must not be zero is zero.
    #[error("`{0}` must not be zero")]
    Zero(&'static str),
    /// More idle connections are wanted than there may be connections.
    #[error("`min_idle` is {min_idle}, above `max_size`, {max_size}")]
    MinAboveMax {
        /// The setting `min_idle`.
        min_idle: usize,
        /// The setting `max_size`.
        max_size: usize,
    },
    /// The jitter is no fraction.
    #[error("`lifetime_jitter` is {0}, not 0 to 1")]
    Jitter(f64),
    /// Upkeep needs a tokio runtime to run on, and there is none here.
    #[error("a pool must be built on a tokio runtime")]
    NoRuntime,
}
