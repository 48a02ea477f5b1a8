//! The settings of a pool.

use std::time::Duration;

use crate::error::BuildError;

/// The settings of a [`Pool`](crate::Pool).
///
/// ```
/// use vpool::Config;
/// let config = Config { max_size: 32, min_idle: 2, ..Config::default() };
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Config {
    /// Most connections, idle and in use. Default: 16. More than the server can serve at a time
    /// moves the queue to where nobody sees it.
    pub max_size: usize,
    /// Idle connections that upkeep holds ready, as far as `max_size` allows. Default: 0.
    pub min_idle: usize,
    /// Longest wait for a free connection when all are in use. Default: 5 s. Zero: no wait.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub wait_timeout: Duration,
    /// Longest time to create a connection. Default: 5 s.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub create_timeout: Duration,
    /// Longest time to check a connection before it is used again; one that takes longer is
    /// dropped and the next is taken. Default: 1 s.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub recycle_timeout: Duration,
    /// A connection idle for longer is let go of, down to `min_idle`. Default: 10 min. Zero:
    /// never.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub idle_timeout: Duration,
    /// A connection older than this is not used again. Default: 30 min. Zero: never. It spreads
    /// connections over servers that were added, and ends what servers leak per connection.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub max_lifetime: Duration,
    /// The part of `max_lifetime`, 0 to 1, by which each connection's is shortened at random.
    /// Default: 0.1. Zero: connections that were created together end together.
    pub lifetime_jitter: f64,
    /// How often upkeep looks. Default: 30 s. Idle connections live up to this much longer.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub upkeep_interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_size: 16,
            min_idle: 0,
            wait_timeout: Duration::from_secs(5),
            create_timeout: Duration::from_secs(5),
            recycle_timeout: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(600),
            max_lifetime: Duration::from_secs(1800),
            lifetime_jitter: 0.1,
            upkeep_interval: Duration::from_secs(30),
        }
    }
}

impl Config {
    /// Whether every setting makes sense, alone and together.
    pub(crate) fn check(&self) -> Result<(), BuildError> {
        for (name, zero) in [
            ("max_size", self.max_size == 0),
            ("create_timeout", self.create_timeout.is_zero()),
            ("recycle_timeout", self.recycle_timeout.is_zero()),
            ("upkeep_interval", self.upkeep_interval.is_zero()),
        ] {
            if zero {
                return Err(BuildError::Zero(name));
            }
        }
        let (min_idle, max_size) = (self.min_idle, self.max_size);
        if min_idle > max_size {
            return Err(BuildError::MinAboveMax { min_idle, max_size });
        }
        if !(0.0..=1.0).contains(&self.lifetime_jitter) {
            return Err(BuildError::Jitter(self.lifetime_jitter));
        }
        Ok(())
    }

    /// The longest that one `get` can take.
    pub(crate) const fn get_timeout(&self) -> Duration {
        self.wait_timeout.saturating_add(self.recycle_timeout).saturating_add(self.create_timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_fit() {
        Config::default().check().unwrap();
    }

    #[test]
    fn contradictions_are_refused() {
        let check = |config: Config| config.check().unwrap_err().to_string();
        let defaults = Config::default;
        let min = Config { min_idle: 17, ..defaults() };
        assert_eq!(check(min), "`min_idle` is 17, above `max_size`, 16");
        let jitter = Config { lifetime_jitter: f64::NAN, ..defaults() };
        assert_eq!(check(jitter), "`lifetime_jitter` is NaN, not 0 to 1");
        let zero = Config { max_size: 0, ..defaults() };
        assert_eq!(check(zero), "`max_size` must not be zero");
    }
}
