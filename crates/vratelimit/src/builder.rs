//! Builds a `Limiter`: settings, a name, and a store if not the one in memory.

use std::sync::Arc;

use crate::config::Config;
use crate::error::BuildError;
use crate::limiter::Limiter;
use crate::store::Store;
use crate::store::memory::MemoryStore;

/// Builds a [`Limiter`].
///
/// ```
/// use vratelimit::{Config, Limiter};
///
/// let limiter = Limiter::builder().name("api").config(Config::default()).build().unwrap();
/// assert_eq!(limiter.name(), "api");
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct LimiterBuilder {
    config: Config,
    name: Arc<str>,
}

impl Limiter {
    /// Begins with the default settings and the name `default`.
    pub fn builder() -> LimiterBuilder {
        LimiterBuilder { config: Config::default(), name: Arc::from("default") }
    }

    /// A limiter named `default`, with these settings, in memory.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn new(config: &Config) -> Result<Self, BuildError> {
        Self::builder().config(config.clone()).build()
    }
}

impl LimiterBuilder {
    /// Takes every plain setting from `config`.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Names the limiter: the label `limiter` of its metrics, and the policy's name towards
    /// clients. Default: `default`.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Checks the settings and makes the limiter, with its state in memory.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn build(self) -> Result<Limiter, BuildError> {
        let store = MemoryStore::new(self.config.max_keys);
        self.build_on(store)
    }

    /// Checks the settings and makes the limiter, with its state in `store`.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn build_on<S: Store>(self, store: S) -> Result<Limiter<S>, BuildError> {
        let quota = self.config.quota()?;
        self.config.check()?;
        if !is_name(&self.name) {
            let name = self.name.chars().take(64).collect();
            return Err(BuildError::Name { name });
        }
        let cost = self.config.cost;
        Ok(Limiter::from_parts(self.name, quota, cost, store))
    }
}

/// Names go into header fields and labels, unquoted and short.
fn is_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
    (1..=64).contains(&name.len()) && name.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_break_a_header_are_refused() {
        for name in ["", "a b", "a\"b", "\u{e9}", &"a".repeat(65)] {
            let built = Limiter::builder().name(name).build();
            assert!(matches!(built, Err(BuildError::Name { .. })), "{name}");
        }
    }

    #[test]
    fn contradictions_are_refused() {
        let config = Config { ipv6_prefix: 129, ..Config::default() };
        let prefix = 129;
        assert_eq!(Limiter::new(&config).unwrap_err(), BuildError::Prefix { prefix });
    }
}
