//! Builds an `Upstream` from settings and live parts.

use std::fmt;
use std::sync::Arc;

use tokio::time::Instant;

use crate::balance::{Inner, Upstream};
use crate::config::{Check, Config};
use crate::error::BuildError;
use crate::health::outlier::Outlier;
use crate::pick::Pick;
use crate::set::Set;

/// Builds an [`Upstream`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct Builder {
    name: Arc<str>,
    config: Config,
    pick: Option<Box<dyn Pick>>,
    from: Option<Upstream>,
}

impl Upstream {
    /// Begins an upstream; the name is a label of metrics and must not come from a client.
    pub fn builder(name: impl Into<Arc<str>>) -> Builder {
        Builder { name: name.into(), config: Config::default(), pick: None, from: None }
    }
}

impl Builder {
    /// Takes every plain setting from `config`.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Chooses endpoints by `pick` instead of the configured policy.
    pub fn pick(mut self, pick: impl Pick) -> Self {
        self.pick = Some(Box::new(pick));
        self
    }

    /// Takes over what `old` knows of the endpoints that both have: counts, health, ejections.
    /// For a new configuration that is built beside the old one. An upstream of another name has
    /// nothing to hand on.
    pub fn take_over(mut self, old: &Upstream) -> Self {
        self.from = Some(old.clone());
        self
    }

    /// Checks the settings and makes the upstream.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn build(self) -> Result<Upstream, BuildError> {
        let config = self.config;
        config.outlier.check()?;
        let check = config.health.map(Check::try_from).transpose()?;
        let from = self.from.filter(|old| *old.name() == self.name);
        let from = from.as_ref().map(|old| &*old.inner.set);
        let set = Set::new(self.name, config.endpoints, from, Instant::now())?;
        let inner = Inner {
            set: Arc::new(set),
            pick: self.pick.unwrap_or_else(|| config.policy.build()),
            outlier: Outlier::new(config.outlier),
            check,
        };
        Ok(Upstream { inner: Arc::new(inner) })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
