//! The layer: checked settings, shared by all services made from it.

use std::fmt;
use std::sync::Arc;

use tower_layer::Layer;

use crate::compress::service::Compress;
use crate::compress::shared::Shared;
use crate::config::Config;
use crate::error::BuildError;
use crate::metrics::Meters;

/// Puts a [`Compress`] around a service.
///
/// Cloning is cheap. Its place in a stack is outside of a cache that keeps coded forms itself,
/// and inside of whatever measures or limits.
#[derive(Clone)]
pub struct CompressLayer {
    shared: Arc<Shared>,
}

impl CompressLayer {
    /// Checks the settings and makes the layer.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn new(config: Config) -> Result<Self, BuildError> {
        config.check()?;
        Ok(Self::unchecked(config))
    }

    fn unchecked(config: Config) -> Self {
        let meters = Arc::new(Meters::new());
        Self { shared: Arc::new(Shared { config, meters }) }
    }
}

impl Default for CompressLayer {
    /// The layer with the default settings.
    fn default() -> Self {
        Self::unchecked(Config::default())
    }
}

impl<S> Layer<S> for CompressLayer {
    type Service = Compress<S>;

    fn layer(&self, inner: S) -> Compress<S> {
        Compress::new(inner, Arc::clone(&self.shared))
    }
}

impl fmt::Debug for CompressLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompressLayer").field("config", &self.shared.config).finish_non_exhaustive()
    }
}
