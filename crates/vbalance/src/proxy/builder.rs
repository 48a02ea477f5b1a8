//! Builds a `Proxy` from settings and live parts.

use std::fmt;
use std::sync::Arc;

use vhttp::{BoxError, TrustedProxies};

use crate::balance::Upstream;
use crate::error::BuildError;
use crate::proxy::config::ProxyConfig;
use crate::proxy::forward::Forward;
use crate::proxy::rules::{Classify, Rules};
use crate::proxy::service::Proxy;
use crate::proxy::upgrade::Tunnels;
use crate::retry::policy::Failure;

/// Builds a [`Proxy`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct ProxyBuilder<C> {
    upstream: Upstream,
    client: C,
    config: ProxyConfig,
    trusted: TrustedProxies,
    tunnels: Option<Tunnels>,
    classify: Box<Classify>,
}

impl<C> Proxy<C> {
    /// Begins a proxy before `upstream` that asks through `client`.
    pub fn builder(upstream: Upstream, client: C) -> ProxyBuilder<C> {
        ProxyBuilder {
            upstream,
            client,
            config: ProxyConfig::default(),
            trusted: TrustedProxies::default(),
            tunnels: None,
            classify: Box::new(|_| Failure::Other),
        }
    }
}

impl<C> ProxyBuilder<C> {
    /// Takes every plain setting from `config`.
    pub fn config(mut self, config: ProxyConfig) -> Self {
        self.config = config;
        self
    }

    /// Believes what these proxies say of the client. Default: none.
    pub fn trusted(mut self, trusted: TrustedProxies) -> Self {
        self.trusted = trusted;
        self
    }

    /// Keeps tunnels here, so that they outlive this proxy. Default: its own, which end with it.
    pub fn tunnels(mut self, tunnels: Tunnels) -> Self {
        self.tunnels = Some(tunnels);
        self
    }

    /// Tells what the client's errors mean. Without it every error is [`Failure::Other`] and
    /// nothing is tried again.
    pub fn classify(
        mut self,
        classify: impl Fn(&BoxError) -> Failure + Send + Sync + 'static,
    ) -> Self {
        self.classify = Box::new(classify);
        self
    }

    /// Checks the settings and makes the proxy.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn build(self) -> Result<Proxy<C>, BuildError> {
        let config = self.config;
        config.check()?;
        let tunnels = self.tunnels;
        let rules = Rules {
            forward: Forward::new(&config, self.trusted)?,
            upstream: self.upstream,
            classify: self.classify,
            tunnels: tunnels.unwrap_or_else(|| Tunnels::new(config.max_tunnels)),
            upgrade: config.upgrade,
            tries: config.tries,
            head_timeout: config.head_timeout,
            idle_timeout: config.idle_timeout,
            tunnel_idle: config.tunnel_idle,
            deadline: config.deadline,
        };
        Ok(Proxy { rules: Arc::new(rules), client: self.client })
    }
}

impl<C> fmt::Debug for ProxyBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyBuilder")
            .field("upstream", &self.upstream)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
