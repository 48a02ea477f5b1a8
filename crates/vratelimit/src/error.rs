//! Why settings were refused, and why a store could not answer.

use std::num::NonZeroU32;
use std::time::Duration;

use vunit::Rate;

/// Why a quota, limiter or layer could not be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// More than one unit in each nanosecond.
    #[error("the rate {rate} is above one in each nanosecond")]
    RateTooHigh {
        /// The rate.
        rate: Rate,
    },
    /// The whole burst would take more than 146 years to come back.
    #[error("at {rate} a burst of {burst} would take more than 146 years to come back")]
    TooSlow {
        /// The rate.
        rate: Rate,
        /// The burst.
        burst: NonZeroU32,
    },
    /// A request costs more than there ever is, so that nothing would pass.
    #[error("a request costs {cost}, above the burst of {burst}: nothing would ever pass")]
    BurstBelowCost {
        /// The burst.
        burst: NonZeroU32,
        /// The cost.
        cost: NonZeroU32,
    },
    /// The prefix of IPv6 addresses is longer than an address.
    #[error("an IPv6 prefix has at most 128 bits, not {prefix}")]
    Prefix {
        /// The prefix.
        prefix: u8,
    },
    /// The limiter's name cannot stand in a header field.
    #[error("the name `{name}` must be 1 to 64 letters, digits, `-`, `_`, `.` or `:`")]
    Name {
        /// The name.
        name: String,
    },
    /// The header named by `key` cannot be one.
    #[error("`{name}` is not a header field's name")]
    Header {
        /// The name.
        name: String,
    },
    /// More places than a semaphore can count.
    #[error("max_in_flight is {max}, above what can be counted ({most})")]
    InFlight {
        /// What was asked for.
        max: u32,
        /// The most.
        most: usize,
    },
}

/// Why a text is not the source of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no source of a key; write `client`, `route` or `header:x-api-key`")]
pub struct KeySourceError {
    pub(crate) text: String,
}

/// Why a store could not answer.
///
/// The memory store never fails; one across the network can.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store did not answer in time; asking again may help.
    #[error("the store did not answer within {0:?}")]
    Timeout(Duration),
    /// The store answered with an error of its own, kept as the source.
    #[error("the store failed")]
    Backend(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// Whether asking the same store again may succeed.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Timeout(_))
    }
}
