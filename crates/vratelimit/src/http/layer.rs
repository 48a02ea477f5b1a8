//! The layer: a limiter, whose units are spent, and what the client is told.

use std::sync::Arc;

use ::http::HeaderValue;
use tower_layer::Layer;

use crate::config::Config;
use crate::error::BuildError;
use crate::http::fields::{self, Style};
use crate::http::key::KeyBy;
use crate::http::service::{RateLimit, Shared};
use crate::limiter::Limiter;

/// Puts a [`RateLimit`] around a service.
///
/// All services made from one layer, and all layers made from clones of one limiter, share its
/// state. Its place in a stack is before any expensive work, and after whatever resolves the
/// client's address.
#[derive(Debug, Clone)]
pub struct RateLimitLayer {
    shared: Arc<Shared>,
}

impl RateLimitLayer {
    /// A layer of that limiter, by that key, which writes the standard fields.
    #[must_use]
    pub fn new(limiter: Limiter, key: KeyBy) -> Self {
        let style = Style { standard: true, x: false };
        Self::styled(limiter, key, style)
    }

    /// A layer of that limiter, with key and fields as settings say.
    ///
    /// # Errors
    ///
    /// Fails when the header that the key is made of cannot be one.
    pub fn from_config(limiter: Limiter, config: &Config) -> Result<Self, BuildError> {
        let style = Style { standard: config.fields, x: config.x_fields };
        Ok(Self::styled(limiter, KeyBy::from_config(config)?, style))
    }

    fn styled(limiter: Limiter, key: KeyBy, style: Style) -> Self {
        let quota = limiter.quota();
        let policy: Option<HeaderValue> = fields::policy(limiter.name(), &quota);
        Self { shared: Arc::new(Shared { limiter, key, style, policy: (quota, policy) }) }
    }
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = RateLimit<S>;

    fn layer(&self, inner: S) -> RateLimit<S> {
        RateLimit::new(inner, Arc::clone(&self.shared))
    }
}
