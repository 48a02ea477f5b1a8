//! Settings of a limiter, as plain data.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use vunit::Rate;

use crate::error::{BuildError, KeySourceError};
use crate::quota::Quota;

/// Settings of a [`Limiter`](crate::Limiter) and of the layer around it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Config {
    /// Units given back to each key. Default: `"100/s"`.
    pub rate: Rate,
    /// The most units that a key can spend at one instant. Default: a tenth of the rate's amount,
    /// at least 1. As many as the rate would let twice the rate pass in one period; very few deny
    /// clients that send several requests at once, as browsers do.
    pub burst: Option<NonZeroU32>,
    /// Units that one request costs. Default: 1. Above the burst nothing would ever pass, which
    /// is refused.
    pub cost: NonZeroU32,
    /// Whose units a request spends: `"client"` (its address), `"header:x-api-key"` (that
    /// field's value) or `"route"`. Default: `"client"`. A request without the header counts by
    /// its address. Only the layer looks at this.
    pub key: KeySource,
    /// Bits of an IPv6 address that make a client, 0 to 128. Default: 64, the smallest network
    /// that is handed out. At 128 a client escapes by changing its address.
    pub ipv6_prefix: u8,
    /// Keys remembered at once, rounded up to a multiple of 16; 20 bytes each, taken at build.
    /// Default: 131072 (2.5 MiB). Ask for twice as many as spend at the same time: when a new key
    /// finds no room, the one nearest to its whole burst is forgotten, and has it back at once.
    pub max_keys: NonZeroU32,
    /// Whether responses carry `RateLimit-Policy` and `RateLimit`
    /// (draft-ietf-httpapi-ratelimit-headers): the burst, the seconds in which it comes back, and
    /// what is left of it. Default: true. Only the layer looks at this.
    pub fields: bool,
    /// Whether responses carry `X-RateLimit-Limit`, `-Remaining` and `-Reset` (seconds until all
    /// is back), for older clients. Default: false. Only the layer looks at this.
    pub x_fields: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            rate: Rate::per_second(const { NonZeroU32::new(100).unwrap() }),
            burst: None,
            cost: NonZeroU32::MIN,
            key: KeySource::Client,
            ipv6_prefix: 64,
            max_keys: const { NonZeroU32::new(128 * 1024).unwrap() },
            fields: true,
            x_fields: false,
        }
    }
}

impl Config {
    /// The quota that the settings describe.
    ///
    /// # Errors
    ///
    /// See [`BuildError`]; also when a request costs more than the burst.
    pub fn quota(&self) -> Result<Quota, BuildError> {
        let burst = self.burst.unwrap_or_else(|| {
            // A burst that nobody set is never below what a request costs.
            Quota::default_burst(self.rate).max(self.cost)
        });
        if burst < self.cost {
            let cost = self.cost;
            return Err(BuildError::BurstBelowCost { burst, cost });
        }
        Quota::new(self.rate, burst)
    }

    /// Checks the settings that are not the quota's.
    pub(crate) const fn check(&self) -> Result<(), BuildError> {
        if self.ipv6_prefix > 128 {
            return Err(BuildError::Prefix { prefix: self.ipv6_prefix });
        }
        Ok(())
    }
}

/// What of a request says whose units it spends.
///
/// Written as `client`, `route` or `header:x-api-key`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
#[non_exhaustive]
pub enum KeySource {
    /// The client's address.
    #[default]
    Client,
    /// The value of a header field; a request without it counts by the client's address.
    Header(String),
    /// The name of the route: all its requests share one quota.
    Route,
}

impl FromStr for KeySource {
    type Err = KeySourceError;

    fn from_str(text: &str) -> Result<Self, KeySourceError> {
        match text.split_once(':') {
            None if text == "client" => Ok(Self::Client),
            None if text == "route" => Ok(Self::Route),
            Some(("header", name)) if is_token(name) => Ok(Self::Header(name.to_owned())),
            _ => Err(KeySourceError {
                // A message quotes the text; nobody wants a megabyte of it.
                text: text.chars().take(64).collect(),
            }),
        }
    }
}

/// Whether a header field can have this name (RFC 9110 §5.6.2).
fn is_token(name: &str) -> bool {
    let special = |b| b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || special(b))
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client => f.write_str("client"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Route => f.write_str("route"),
        }
    }
}

impl TryFrom<String> for KeySource {
    type Error = KeySourceError;

    fn try_from(text: String) -> Result<Self, KeySourceError> {
        text.parse()
    }
}

impl From<KeySource> for String {
    fn from(source: KeySource) -> Self {
        source.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_as_they_are_written() {
        for text in ["client", "route", "header:x-api-key"] {
            assert_eq!(text.parse::<KeySource>().unwrap().to_string(), text);
        }
        for text in ["", "Client", "header", "header:", "header:a b", "cookie:x"] {
            assert!(text.parse::<KeySource>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_burst_below_the_cost_is_refused_and_a_default_one_is_not() {
        let cost = NonZeroU32::new(50).unwrap();
        let mut config = Config { cost, ..Config::default() };
        assert_eq!(config.quota().unwrap().burst(), cost);
        config.burst = NonZeroU32::new(49);
        assert!(matches!(config.quota(), Err(BuildError::BurstBelowCost { .. })));
    }

    #[cfg(feature = "serde")]
    #[test]
    fn settings_are_read_from_a_file() {
        let text = r#"{"rate":"5000/m","burst":20,"key":"header:x-api-key","x_fields":true}"#;
        let config: Config = serde_json::from_str(text).unwrap();
        assert_eq!(config.key, KeySource::Header("x-api-key".to_owned()));
        assert_eq!(config.rate.to_string(), "5000/m");
        let again = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&again).unwrap(), config);
        assert!(serde_json::from_str::<Config>(r#"{"key":"ip"}"#).is_err());
        assert!(serde_json::from_str::<Config>(r#"{"limit":1}"#).is_err());
    }
}
