//! Why a Redis connection could not be opened or used again.

use std::time::Duration;

/// Any error, boxed.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a connection could not be opened, or did not pass its check.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Name look-up, TCP and the first commands took longer than this.
    #[error("could not connect to Redis within {0:?}")]
    Timeout(Duration),
    /// The network or the server refused; what it said is the source.
    #[error("could not connect to Redis")]
    Failed(#[source] BoxError),
    /// An idle connection did not answer as it should.
    #[error("the connection to Redis is not usable any more")]
    Unusable(#[source] BoxError),
}

impl ConnectError {
    /// Whether the limit of time ran out.
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_))
    }
}

/// The URL is not one of Redis.
#[derive(Debug, thiserror::Error)]
#[error("not a URL of a Redis server")]
pub struct UrlError {
    source: BoxError,
}

impl UrlError {
    pub(crate) fn new(source: impl Into<BoxError>) -> Self {
        Self { source: source.into() }
    }
}
