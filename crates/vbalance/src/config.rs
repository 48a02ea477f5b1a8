//! What a file can say of an upstream.

use std::time::Duration;

use http::HeaderValue;
use http::uri::{Authority, PathAndQuery};

use crate::endpoint::Endpoint;
use crate::error::BuildError;
use crate::pick::Policy;
use crate::statuses::StatusRange;

/// Beyond this the clock may not be able to show the end.
const MAX_TIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Settings of an upstream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Config {
    /// Where the load goes: `["127.0.0.1:3000", { url = "https://b", weight = 3 }]`. At least one.
    pub endpoints: Vec<Endpoint>,
    /// How an endpoint is chosen. Default: `p2c`.
    pub policy: Policy,
    /// Active health checks. Default: none. They cost one request an endpoint and interval.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub health: Option<CheckConfig>,
    /// Ejection of endpoints that fail real requests. Default: on.
    pub outlier: OutlierConfig,
}

/// Settings of active health checks: a GET now and then.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct CheckConfig {
    /// Path and query to ask for. Default: `/`. Better one that looks at what the endpoint needs
    /// to work, and at nothing that all endpoints share: else one outage takes all of them.
    pub path: String,
    /// The `Host` to ask for. Default: the endpoint's own.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub host: Option<String>,
    /// Status codes that mean healthy. Default: `200-399`.
    pub status: StatusRange,
    /// Time from one round to the next, varied by a tenth. Default: 5 s.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub interval: Duration,
    /// An answer later than this is none; at most the interval. Default: 2 s.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub timeout: Duration,
    /// Good answers in a row that bring an endpoint up. Default: 2.
    pub rise: u32,
    /// Bad answers in a row that bring an endpoint down. Default: 2. One lets a single lost
    /// packet do it.
    pub fall: u32,
}

impl Default for CheckConfig {
    fn default() -> Self {
        Self {
            path: "/".to_owned(),
            host: None,
            status: StatusRange::GOOD,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            rise: 2,
            fall: 2,
        }
    }
}

/// Settings of passive ejection: an endpoint that fails real requests is left out for a while.
///
/// Client aborts, our own limits and answers below 500 are no failures.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct OutlierConfig {
    /// Whether endpoints are ejected at all. Default: true.
    pub enabled: bool,
    /// Ejects after so many requests in a row that got no answer: not connected, closed before
    /// the answer, timed out. Default: 3.
    pub unreachable: u32,
    /// Ejects after so many bad answers in a row. Default: 5. A low number lets one broken page
    /// eject every endpoint that serves it.
    pub bad_answers: u32,
    /// Status codes that are bad answers. Default: `5xx`.
    pub bad_status: StatusRange,
    /// How long the first ejection takes; the n-th takes n times as long. Default: 5 s. Up to a
    /// tenth is added at random.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub base: Duration,
    /// No ejection takes longer, but for the random tenth. Default: 5 min.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub cap: Duration,
    /// For each such time in good health one past ejection is forgotten. Default: 30 s.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub forgive: Duration,
    /// At most so many percent of the endpoints are out at a time, rounded down. Default: 50.
    /// Danger: below 34 no endpoint of three is ever ejected, at 100 only `min_healthy` holds.
    pub max_ejected: u8,
    /// So many endpoints always stay. Default: 1.
    pub min_healthy: usize,
}

impl Default for OutlierConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            unreachable: 3,
            bad_answers: 5,
            bad_status: StatusRange::SERVER_ERROR,
            base: Duration::from_secs(5),
            cap: Duration::from_secs(300),
            forgive: Duration::from_secs(30),
            max_ejected: 50,
            min_healthy: 1,
        }
    }
}

impl OutlierConfig {
    pub(crate) fn check(&self) -> Result<(), BuildError> {
        not_zero("outlier.unreachable", self.unreachable)?;
        not_zero("outlier.bad_answers", self.bad_answers)?;
        time("outlier.base", self.base)?;
        time("outlier.cap", self.cap)?;
        time("outlier.forgive", self.forgive)?;
        if self.base > self.cap {
            let (low, high) = ("outlier.base", "outlier.cap");
            return Err(BuildError::Order { low, high });
        }
        if self.max_ejected > 100 {
            return Err(BuildError::Percent(self.max_ejected));
        }
        Ok(())
    }
}

/// Checked settings of active health checks.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub(crate) path: PathAndQuery,
    pub(crate) host: Option<HeaderValue>,
    pub(crate) status: StatusRange,
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) rise: u32,
    pub(crate) fall: u32,
}

impl TryFrom<CheckConfig> for Check {
    type Error = BuildError;

    fn try_from(config: CheckConfig) -> Result<Self, BuildError> {
        not_zero("health.rise", config.rise)?;
        not_zero("health.fall", config.fall)?;
        time("health.interval", config.interval)?;
        time("health.timeout", config.timeout)?;
        if config.timeout > config.interval {
            let (low, high) = ("health.timeout", "health.interval");
            return Err(BuildError::Order { low, high });
        }
        let path = Some(&config.path).filter(|path| path.starts_with('/'));
        let path = path.and_then(|path| path.parse().ok());
        let host = config.host.map(host).transpose()?;
        Ok(Self {
            path: path.ok_or(BuildError::Path(config.path))?,
            host,
            status: config.status,
            interval: config.interval,
            timeout: config.timeout,
            rise: config.rise,
            fall: config.fall,
        })
    }
}

fn host(text: String) -> Result<HeaderValue, BuildError> {
    let plain = text.parse::<Authority>().is_ok() && !text.contains('@');
    let value = plain.then(|| HeaderValue::from_str(&text).ok()).flatten();
    value.ok_or(BuildError::Host(text))
}

fn not_zero(name: &'static str, number: u32) -> Result<(), BuildError> {
    match number {
        0 => Err(BuildError::Zero(name)),
        _ => Ok(()),
    }
}

/// Checks a time that ends some day.
pub(crate) fn time(name: &'static str, time: Duration) -> Result<(), BuildError> {
    if time.is_zero() {
        return Err(BuildError::Zero(name));
    }
    if time > MAX_TIME {
        return Err(BuildError::TooLong(name));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_are_refused_by_name() {
        let check = |change: fn(&mut CheckConfig)| {
            let mut config = CheckConfig::default();
            change(&mut config);
            Check::try_from(config).map(|_| ()).unwrap_err().to_string()
        };
        assert_eq!(check(|c| c.rise = 0), "`health.rise` must not be zero");
        assert_eq!(
            check(|c| c.timeout = Duration::from_secs(6)),
            "`health.timeout` must not be above `health.interval`"
        );
        assert!(check(|c| c.path = "health".to_owned()).contains("write it like `/health`"));
        assert!(check(|c| c.host = Some("a b".to_owned())).contains("`a b`"));
        let outlier = |change: fn(&mut OutlierConfig)| {
            let mut config = OutlierConfig::default();
            change(&mut config);
            config.check().unwrap_err()
        };
        assert_eq!(outlier(|c| c.max_ejected = 101), BuildError::Percent(101));
        assert_eq!(outlier(|c| c.cap = Duration::MAX), BuildError::TooLong("outlier.cap"));
    }

    #[cfg(feature = "serde")]
    #[test]
    fn a_file_says_what_differs_from_the_defaults() {
        let config: Config = toml::from_str(
            r#"
            endpoints = [":3000", ":3001"]
            policy = "round_robin"
            [health]
            path = "/health"
            interval = "1s"
            timeout = "500ms"
            [outlier]
            base = "2s"
            bad_status = "500-502"
            "#,
        )
        .unwrap();
        assert_eq!(config.endpoints.len(), 2);
        assert_eq!(config.policy, Policy::RoundRobin);
        assert_eq!(config.health.unwrap().fall, 2);
        assert_eq!(config.outlier.base, Duration::from_secs(2));
        let error = toml::from_str::<Config>("endpoint = []").unwrap_err();
        assert!(error.message().contains("unknown field"), "{error}");
    }
}
