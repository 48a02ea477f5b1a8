//! What went wrong, in the store's words.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use ::redis::{ErrorKind, RedisError, ServerErrorKind};

use super::config::shown;
use crate::error::BoxError;
use crate::store::StoreError;

/// Why a Redis store could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedisBuildError {
    /// The URL is not one.
    #[error("the redis URL {url} cannot be used")]
    Url {
        /// The URL without user, password and parameters.
        url: String,
        /// What is wrong with it.
        #[source]
        source: BoxError,
    },
    /// A URL begins with `rediss://`, and the feature `redis-tls` is off.
    #[error("rediss:// needs the feature redis-tls")]
    NoTls,
    /// A certificate or key cannot be read or used.
    #[error("the certificates for rediss:// cannot be used")]
    Certificate(#[source] BoxError),
    /// Without a prefix `clear` would delete the whole database.
    #[error("the prefix is empty, so that clearing the store would delete the whole database")]
    NoPrefix,
    /// The prefix holds `{` or `}`, which say in which slot of a Cluster a key lies.
    #[error("the prefix {0:?} has a brace in it")]
    Prefix(String),
    /// No call would ever succeed.
    #[error("a timeout is zero")]
    NoTime,
    /// A Sentinel's list is empty, or there is both Sentinel and Cluster, or `urls` without
    /// `cluster`.
    #[error("{0}")]
    Topology(&'static str),
    /// A number is outside of what makes sense.
    #[error("{name} = {value}: it must be {wanted}")]
    Setting {
        /// The field.
        name: &'static str,
        /// What it says.
        value: u64,
        /// What it may say.
        wanted: &'static str,
    },
}

impl RedisBuildError {
    pub(super) fn url(url: &str, error: impl Into<BoxError>) -> Self {
        Self::Url { url: shown(url), source: error.into() }
    }
}

/// Whether the connection is of no use any more.
pub(super) fn is_broken(error: &RedisError) -> bool {
    error.is_io_error() || error.is_unrecoverable_error()
}

/// Whether the server has become a replica.
pub(super) fn is_read_only(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
}

/// Whether a script has to be sent whole.
pub(super) fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

/// Whether a key holds something else than a string.
pub(super) fn is_wrong_type(error: &StoreError) -> bool {
    let StoreError::Refused(source) = error else { return false };
    source.downcast_ref::<RedisError>().is_some_and(|error| error.code() == Some("WRONGTYPE"))
}

/// The same failure once more, for each who waited for what failed.
pub(super) fn again(error: &Arc<StoreError>) -> StoreError {
    let why = || Box::new(Again(Arc::clone(error)));
    match &**error {
        StoreError::Timeout(time) => StoreError::Timeout(*time),
        StoreError::Unreachable(_) => StoreError::Unreachable(why()),
        StoreError::Refused(_) => StoreError::Refused(why()),
        StoreError::Full(_) => StoreError::Full(why()),
        StoreError::Damaged(_) => StoreError::Damaged(why()),
        StoreError::Away => StoreError::Away,
        StoreError::Closed => StoreError::Closed,
        StoreError::Encode(_) => StoreError::Encode(why()),
    }
}

/// Why a failure came, as it is told to one of several.
#[derive(Debug)]
struct Again(Arc<StoreError>);

impl fmt::Display for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.source() {
            Some(source) => fmt::Display::fmt(source, f),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl Error for Again {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()?.source()
    }
}

/// A failure as the store tells it.
pub(super) fn failure(error: RedisError) -> StoreError {
    let away = matches!(
        error.kind(),
        ErrorKind::Io
            | ErrorKind::ClusterConnectionNotFound
            | ErrorKind::MasterNameNotFoundBySentinel
            | ErrorKind::Server(
                ServerErrorKind::BusyLoading
                    | ServerErrorKind::TryAgain
                    | ServerErrorKind::ClusterDown
                    | ServerErrorKind::MasterDown
                    | ServerErrorKind::Moved
                    | ServerErrorKind::Ask
            )
    );
    if away || is_broken(&error) {
        StoreError::Unreachable(error.into())
    } else if error.code() == Some("OOM") {
        StoreError::Full(error.into())
    } else {
        StoreError::Refused(error.into())
    }
}
