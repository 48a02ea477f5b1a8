//! How often checks run and how fast they change their minds.

use std::num::NonZeroU32;
use std::time::Duration;

/// How a check runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Config {
    /// Time from one run to the next, give or take a fifth, so that replicas do not ask in step.
    /// Default: 5 s. The first run is at the start.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub interval: Duration,
    /// A run that takes longer counts as failed. Default: 1 s. At most half the interval, so that
    /// a check never runs twice at once.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub timeout: Duration,
    /// Runs in a row that must pass before a failing check passes. Default: 2. The first run
    /// counts at once.
    pub rise: NonZeroU32,
    /// Runs in a row that must fail before a passing check fails. Default: 3. With 1, every blink
    /// of a dependency is an outage. The report warns from the first one on.
    pub fall: NonZeroU32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(1),
            rise: const { NonZeroU32::new(2).unwrap() },
            fall: const { NonZeroU32::new(3).unwrap() },
        }
    }
}
