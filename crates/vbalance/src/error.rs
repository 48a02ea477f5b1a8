//! Why an upstream cannot be built or changed.

use crate::address::Address;

/// Why a set of endpoints was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointsError {
    /// There is none.
    #[error("there is no endpoint; name at least one")]
    Empty,
    /// One stands there twice; give it a larger weight instead.
    #[error("`{0}` is there twice; give it a larger `weight` instead")]
    Duplicate(Address),
    /// There are more than the picks are made for.
    #[error("{count} endpoints are too many; the limit is {max}")]
    TooMany {
        /// How many there are.
        count: usize,
        /// How many there can be.
        max: usize,
    },
}

/// Why an upstream was not built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The endpoints were refused.
    #[error("the endpoints of an upstream are wrong")]
    Endpoints(#[from] EndpointsError),
    /// A number or time must not be zero.
    #[error("`{0}` must not be zero")]
    Zero(&'static str),
    /// One setting must not be above another.
    #[error("`{low}` must not be above `{high}`")]
    Order {
        /// The setting that is too high.
        low: &'static str,
        /// Its limit.
        high: &'static str,
    },
    /// A time is beyond what makes sense and what the clock can show.
    #[error("`{0}` must not be above 365 days")]
    TooLong(&'static str),
    /// More than the whole.
    #[error("`outlier.max_ejected` is {0} percent; it must not be above 100")]
    Percent(u8),
    /// The path of the health check is not one.
    #[error("`health.path` is `{0}`; write it like `/health`")]
    Path(String),
    /// The host of the health check is not one.
    #[error("`health.host` is `{0}`; write it like `example.org`")]
    Host(String),
    /// The tries of a proxy are none, or too many.
    #[error("`tries` is {0}; it must be 1 to 10")]
    Tries(u8),
    /// The proxy's name cannot stand in a `Via` field.
    #[error("`via` is `{0}`; write a word like `verve`")]
    Via(String),
}
