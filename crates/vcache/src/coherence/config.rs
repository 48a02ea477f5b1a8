//! The settings of coherence.

use std::time::Duration;

use crate::tiered::error::TieredBuildError;
use crate::tiered::near::Terms;

/// Settings of the coherence between the memories of processes that share one Redis; see
/// [`TieredBuilder::coherent`](crate::TieredBuilder::coherent).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct CoherenceConfig {
    /// How a process hears of the others' changes. Default: as the server allows.
    pub mode: CoherenceMode,
    /// How often the connection is asked whether it still stands. Default: 500 ms. Memory is
    /// trusted for this and `timeout` after a ping was sent that was answered, and no longer.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub ping: Duration,
    /// How long connecting, a ping or an announcement may take. Default: 1 second. Shorter bounds
    /// what is outdated closer, and takes a slow server for an absent one sooner.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub timeout: Duration,
    /// How long memory keeps anything while it is out of touch. Default: 1 second: so much may be
    /// outdated then, and so much of the load is kept from the store and the source. Zero: memory
    /// is left out until it is in touch again.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub offline_ttl: Duration,
    /// How long memory keeps anything while changes are told by publishing. Default: 10 seconds. A
    /// writer that dies between its change and its telling leaves the others outdated for so long.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub publish_ttl: Duration,
}

/// How a process hears of the changes that others make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum CoherenceMode {
    /// By tracking; by publishing where the server refuses to track.
    #[default]
    Auto,
    /// The server tells of every change under the prefix, whoever makes it (`CLIENT TRACKING` in
    /// broadcast mode).
    Tracking,
    /// Who makes a change through a `Tiered` that is coherent publishes it. Changes made otherwise
    /// are not heard of.
    Publish,
}

impl Default for CoherenceConfig {
    fn default() -> Self {
        Self {
            mode: CoherenceMode::Auto,
            ping: Duration::from_millis(500),
            timeout: Duration::from_secs(1),
            offline_ttl: Duration::from_secs(1),
            publish_ttl: Duration::from_secs(10),
        }
    }
}

impl CoherenceConfig {
    /// How long after a change was made in Redis a read may still find the former value in
    /// memory, at most, while the changes are tracked: `ping` and `timeout` together. Mostly it is
    /// the time of one message.
    #[must_use]
    pub const fn bound(&self) -> Duration {
        self.ping.saturating_add(self.timeout)
    }

    pub(crate) fn terms(&self) -> Result<Terms, TieredBuildError> {
        for (name, time) in [("ping", self.ping), ("timeout", self.timeout)] {
            if time.is_zero() {
                return Err(TieredBuildError::Zero(name));
            }
        }
        Ok(Terms { bound: self.bound(), offline: self.offline_ttl })
    }
}
