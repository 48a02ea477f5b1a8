//! Settings of idempotent replay.

use std::time::Duration;

use http::HeaderValue;

use crate::http::idempotency::caller::Source;
#[cfg(feature = "redis")]
use crate::store::redis::RedisConfig;

/// Settings of an [`Idempotency`](super::Idempotency).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Config {
    /// The name in the label `name` of metrics, one of few. Default: `default`.
    pub name: String,
    /// Whether POST and PATCH without a key are answered 400. Default: false.
    pub required: bool,
    /// Whether POST and PATCH without a key count as the same when method, target, content and
    /// caller are. Default: false. Not together with `required`. Danger: whoever means to order the same twice within `ttl` gets
    /// one order. Contents without a length, and those above `max_body`, pass without protection.
    pub digest: bool,
    /// What tells callers apart: names of request fields, and `cookie:NAME`. Default:
    /// `["authorization"]`. Danger: callers that are not told apart and use the same key get each
    /// other's answers, cookies included; a field that changes between tries makes each of them
    /// count as a first one.
    pub caller: Vec<String>,
    /// How long an answer is repeated. Default: 24 hours.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub ttl: Duration,
    /// Longest wait for the answer of a first one that is under way; then 409. Default: 10 s. Zero
    /// answers 409 at once.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub wait: Duration,
    /// How long a key stays with a holder that does not renew it, as one that was killed. Default:
    /// 30 s. A third of it is the longest that the store may be away without consequence.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub lease: Duration,
    /// How long a request goes on after its client has left. Default: 1 minute.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub finish_timeout: Duration,
    /// Characters of a key. Default: 255.
    pub max_key_length: u32,
    /// Bytes of the content of a request with a key; larger ones are answered 413. Default: 1 MiB.
    #[cfg_attr(feature = "serde", serde(with = "vunit::size"))]
    pub max_body: u64,
    /// Bytes of an answer that are kept. Default: 1 MiB.
    #[cfg_attr(feature = "serde", serde(with = "vunit::size"))]
    pub max_answer: u64,
    /// Bytes of all answers that are kept in memory. Default: 64 MiB. Not for Redis, which has
    /// bounds of its own.
    #[cfg_attr(feature = "serde", serde(with = "vunit::size"))]
    pub max_size: u64,
    /// Requests under way at once; more are answered 503. Default: 1,024.
    pub max_running: u32,
    /// Requests that wait at once; more are answered 409 without waiting. Default: 1,024.
    pub max_waiting: u32,
    /// What happens to requests with a key while the store cannot be asked. Default: `closed`.
    pub on_error: OnError,
    /// The address of a page on keys, sent as `Link` with 400, 409 and 422. Default: none.
    pub documentation: Option<String>,
    /// Keeps keys and answers in Redis, for all that share it. Default: none, in memory. Its
    /// `ttl` does not count here.
    #[cfg(feature = "redis")]
    pub redis: Option<RedisConfig>,
    /// How often Redis is asked by one that waits. Default: 50 ms. Shorter answers sooner and
    /// costs Redis.
    #[cfg(feature = "redis")]
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub poll: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "default".to_owned(),
            required: false,
            digest: false,
            caller: vec!["authorization".to_owned()],
            ttl: Duration::from_secs(24 * 3600),
            wait: Duration::from_secs(10),
            lease: Duration::from_secs(30),
            finish_timeout: Duration::from_secs(60),
            max_key_length: 255,
            max_body: 1 << 20,
            max_answer: 1 << 20,
            max_size: 64 << 20,
            max_running: 1024,
            max_waiting: 1024,
            on_error: OnError::Closed,
            documentation: None,
            #[cfg(feature = "redis")]
            redis: None,
            #[cfg(feature = "redis")]
            poll: Duration::from_millis(50),
        }
    }
}

/// What happens to requests with a key while the store cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum OnError {
    /// They pass without protection. Danger: one that is tried again is carried out again.
    Open,
    /// They are answered 503.
    #[default]
    Closed,
}

/// Why idempotent replay could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A member of `caller` is neither a field's name nor `cookie:NAME`.
    #[error("caller: `{0}` is neither the name of a field nor `cookie:NAME`")]
    Caller(String),
    /// A setting is zero where at least one is needed.
    #[error("{0} is 0, but must be more")]
    Zero(&'static str),
    /// Requests without a key would be refused and protected.
    #[error("required and digest contradict each other: one refuses what the other protects")]
    RequiredAndDigest,
    /// `documentation` cannot stand in a field.
    #[error("documentation: `{0}` is no address")]
    Documentation(String),
    /// The largest answer does not fit into memory.
    #[error("max_answer ({answer} bytes) is above max_size ({all} bytes)")]
    AnswerAboveAll {
        /// The largest answer to keep, in bytes.
        answer: u64,
        /// The size of the memory, in bytes.
        all: u64,
    },
    /// The Redis settings cannot be used.
    #[cfg(feature = "redis")]
    #[error("redis")]
    Redis(#[from] crate::store::redis::RedisBuildError),
}

impl Config {
    /// Checks what no type can say.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn check(&self) -> Result<(), BuildError> {
        self.sources()?;
        self.link()?;
        if self.required && self.digest {
            return Err(BuildError::RequiredAndDigest);
        }
        let numbers = [
            ("max_key_length", u64::from(self.max_key_length)),
            ("max_size", self.max_size),
            ("max_running", u64::from(self.max_running)),
        ];
        let times = [("ttl", self.ttl), ("lease", self.lease)];
        let mut zeros = numbers.iter().filter(|(_, n)| *n == 0).map(|(name, _)| name);
        let mut still = times.iter().filter(|(_, time)| time.is_zero()).map(|(name, _)| name);
        if let Some(name) = zeros.next().or_else(|| still.next()) {
            return Err(BuildError::Zero(name));
        }
        if self.is_in_memory() && self.max_answer > self.max_size {
            let (answer, all) = (self.max_answer, self.max_size);
            return Err(BuildError::AnswerAboveAll { answer, all });
        }
        Ok(())
    }

    /// What tells callers apart, read.
    pub(crate) fn sources(&self) -> Result<Vec<Source>, BuildError> {
        let parse =
            |text: &String| Source::parse(text).ok_or_else(|| BuildError::Caller(text.clone()));
        self.caller.iter().map(parse).collect()
    }

    /// The field that names the documentation (RFC 8288 §3).
    pub(crate) fn link(&self) -> Result<Option<HeaderValue>, BuildError> {
        let Some(url) = &self.documentation else {
            return Ok(None);
        };
        let fits = !url.is_empty() && !url.contains(['<', '>', '"', ' ']);
        let link = format!("<{url}>; rel=\"describedby\"");
        let link = HeaderValue::try_from(link).ok().filter(|_| fits);
        link.map(Some).ok_or_else(|| BuildError::Documentation(url.clone()))
    }

    #[cfg(feature = "redis")]
    const fn is_in_memory(&self) -> bool {
        self.redis.is_none()
    }

    #[cfg(not(feature = "redis"))]
    #[expect(clippy::unused_self, reason = "with Redis there is a choice")]
    const fn is_in_memory(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_are_refused_by_name() {
        let with = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.check().map_err(|error| error.to_string())
        };
        assert_eq!(with(|_| {}), Ok(()));
        let refused = |change, words: &str| {
            let error = with(change).unwrap_err();
            assert!(error.contains(words), "{error}");
        };
        refused(|c| c.caller.push("a b".to_owned()), "`a b`");
        refused(|c| c.documentation = Some("a>b".to_owned()), "`a>b`");
        refused(|c| (c.required, c.digest) = (true, true), "contradict");
        refused(|c| c.ttl = Duration::ZERO, "ttl is 0");
        refused(|c| c.lease = Duration::ZERO, "lease is 0");
        refused(|c| c.max_running = 0, "max_running is 0");
        refused(|c| c.max_answer = 1 << 30, "above max_size");
    }

    #[cfg(feature = "serde")]
    #[test]
    fn settings_are_read_as_people_write_them() {
        let text = "required = true\nttl = \"1h\"\nmax_body = \"64KiB\"\non_error = \"open\"\n";
        let config: Config = toml::from_str(text).unwrap();
        let expected = Config {
            required: true,
            ttl: Duration::from_secs(3600),
            max_body: 64 << 10,
            on_error: OnError::Open,
            ..Config::default()
        };
        assert_eq!(config, expected);
        let written = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<Config>(&written).unwrap(), config);
        assert!(toml::from_str::<Config>("tttl = \"1h\"").is_err());
    }
}
