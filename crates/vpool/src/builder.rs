//! Builds a pool: settings, a name, the manager; starts its upkeep.

use std::fmt;
use std::sync::Arc;

use deadpool::Runtime;
use deadpool::managed::{self, Manager, QueueMode};
use tokio::runtime::Handle;

use crate::config::Config;
use crate::error::BuildError;
use crate::keeper::Keeper;
use crate::metrics::Meters;
use crate::pool::Pool;
use crate::stats::Ledger;
use crate::upkeep;

/// How much upkeep's rounds differ in length, so that the pools of a fleet drift apart.
const ROUND_JITTER: f64 = 0.1;

/// Builds a [`Pool`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct Builder<M> {
    manager: M,
    config: Option<Config>,
    name: Option<String>,
}

impl<M: Manager + 'static> Pool<M> {
    /// Starts a pool of what `manager` creates.
    pub const fn builder(manager: M) -> Builder<M> {
        Builder { manager, config: None, name: None }
    }
}

impl<M: Manager + 'static> Builder<M> {
    /// Takes every plain setting from `config`.
    pub fn config(mut self, config: Config) -> Self {
        self.config = Some(config);
        self
    }

    /// Names the pool in metrics (label `pool`). Default: `default`. Take it from a small set.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Checks the settings, makes the pool and starts its upkeep on the current runtime. Creates
    /// no connection; see [`Pool::warm`].
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn build(self) -> Result<Pool<M>, BuildError> {
        let config = self.config.unwrap_or_default();
        config.check()?;
        if Handle::try_current().is_err() {
            return Err(BuildError::NoRuntime);
        }
        let interval = config.upkeep_interval;
        let meters = Meters::new(self.name.as_deref().unwrap_or("default"));
        let max_size = config.max_size;
        let keeper = Keeper::new(self.manager, config, Arc::new(Ledger::new(meters)));
        let pool = managed::Pool::builder(keeper)
            .max_size(max_size)
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .build()
            // The only reason is a missing runtime, which was set above.
            .map_err(|_| BuildError::NoRuntime)?;
        let weak = managed::Pool::weak(&pool);
        let upkeep = vtask::every(interval, ROUND_JITTER, move || {
            let pool = weak.upgrade();
            async move {
                if let Some(pool) = pool {
                    upkeep::round(&pool).await;
                }
            }
        });
        Ok(Pool::assemble(pool, upkeep))
    }
}

impl<M> fmt::Debug for Builder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
