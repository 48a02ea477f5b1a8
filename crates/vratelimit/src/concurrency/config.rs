//! Settings of a concurrency limit, as plain data.

use std::num::NonZeroU32;
use std::time::Duration;

/// Settings of a [`ConcurrencyLimit`](crate::ConcurrencyLimit).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct ConcurrencyConfig {
    /// Requests in flight at once, bodies of responses included. Default: 1024. What the service
    /// behind can do at once, not what it can be sent.
    pub max_in_flight: NonZeroU32,
    /// Requests that may wait for a place; the rest is refused at once. Default: 256. 0 lets
    /// nobody wait. Each holds its request, without the body.
    pub max_queue: u32,
    /// How long a request may wait, in the order of arrival. Default: `"100ms"`. Longer only
    /// helps when the overload is shorter than that.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub queue_timeout: Duration,
    /// What refused clients are told to wait (`Retry-After`, rounded up to a second).
    /// Default: `"1s"`. Only the layer looks at this.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub retry_after: Duration,
}

impl Default for ConcurrencyConfig {
    fn default() -> Self {
        Self {
            max_in_flight: const { NonZeroU32::new(1024).unwrap() },
            max_queue: 256,
            queue_timeout: Duration::from_millis(100),
            retry_after: Duration::from_secs(1),
        }
    }
}

#[cfg(all(test, feature = "serde"))]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_from_a_file() {
        let text = r#"{"max_in_flight":64,"max_queue":0,"queue_timeout":"250ms"}"#;
        let config: ConcurrencyConfig = serde_json::from_str(text).unwrap();
        assert_eq!(config.max_in_flight.get(), 64);
        assert_eq!(config.queue_timeout, Duration::from_millis(250));
        assert!(serde_json::from_str::<ConcurrencyConfig>(r#"{"max_in_flight":0}"#).is_err());
    }
}
