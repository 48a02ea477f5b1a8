//! What goes where, and under which policies.

use serde::{Deserialize, Serialize};
use verve::cache::http::idempotency;
use verve::{balance, compress};

/// One route: what it matches, where it leads, and what happens on the way.
///
/// Of several routes that match a request, the one with the most exact host wins, then the one
/// with the longest path. What holds state (upstreams, caches, limits) is named, so that routes
/// share it on purpose; what holds none stands in the route.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Route {
    /// Its name in metrics, logs and `/api/status`. Default: its path.
    pub(crate) name: Option<String>,
    /// Hosts that it takes, such as `example.com` or `*.example.com`. Default: every host.
    pub(crate) hosts: Vec<String>,
    /// The path that it takes, with all below it: `/api` takes `/api` and `/api/x`, not `/apis`.
    /// Default: `/`, everything.
    pub(crate) path: String,
    /// The upstream that answers. Needed, unless there is only one.
    pub(crate) upstream: Option<String>,
    /// The cache that it stores in. Default: none.
    pub(crate) cache: Option<String>,
    /// The rate limit that it counts against. Default: none.
    pub(crate) rate_limit: Option<String>,
    /// The limit on requests in flight that it counts against. Default: none.
    pub(crate) in_flight: Option<String>,
    /// Content coding; `{}` turns it on with its defaults. Default: off. Danger: a page that
    /// mixes secrets with what an attacker can send must not be coded (BREACH).
    pub(crate) compress: Option<compress::Config>,
    /// Carries requests with an `Idempotency-Key` out once and repeats the answer; `{}` turns it
    /// on with its defaults. Default: off. Keys and answers are the route's own, in memory or, with
    /// `redis = { url = … }`, in a Redis that gateways share.
    pub(crate) idempotency: Option<idempotency::Config>,
    /// How requests are forwarded: timeouts, tries, the `Host` field.
    pub(crate) proxy: balance::ProxyConfig,
}

impl Default for Route {
    fn default() -> Self {
        Self {
            name: None,
            hosts: Vec::new(),
            path: "/".to_owned(),
            upstream: None,
            cache: None,
            rate_limit: None,
            in_flight: None,
            compress: None,
            idempotency: None,
            proxy: balance::ProxyConfig::default(),
        }
    }
}

impl Route {
    /// The name in metrics, logs and `/api/status`.
    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.path)
    }
}
