//! What can go wrong while measuring is set up; recording itself never fails.

/// Why a [`Config`](crate::config::Config) was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// A cap of zero would leave nothing to measure.
    #[error("`{field}` must be at least 1")]
    Zero {
        /// The field's name.
        field: &'static str,
    },
    /// The buckets of a metric are no usable bounds.
    #[error("the buckets of `{metric}` must be 1 to 200 finite numbers, each above the last")]
    Buckets {
        /// The metric's name, or `buckets` for the default ones.
        metric: String,
    },
}

/// The process already has a recorder of metrics: there can be one only, and the first stays.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a recorder of metrics is already installed in this process")]
#[non_exhaustive]
pub struct InstallError;
