//! The configuration of the gateway: the crates' own settings, put together.

pub(crate) mod check;
pub(crate) mod document;
pub(crate) mod expand;
pub(crate) mod fault;
pub(crate) mod problem;
pub(crate) mod render;
pub(crate) mod route;
pub(crate) mod secret;
pub(crate) mod warm;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use verve::http::TrustedProxies;
use verve::{balance, cache, pool, ratelimit, server};

use crate::config::route::Route;
use crate::config::secret::Secret;
use crate::config::warm::Warm;
use crate::logging::LogConfig;

/// Everything that the file can say.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// The process: workers, shutdown, trusted proxies.
    pub(crate) server: Server,
    /// Where clients connect. Default: one on `127.0.0.1:8080`.
    pub(crate) listeners: Vec<server::Config>,
    /// The listener for people and machines that look after the gateway.
    pub(crate) admin: Admin,
    /// The log and the access log.
    pub(crate) log: LogConfig,
    /// Connections to the upstreams.
    pub(crate) client: pool::http::Config,
    /// Groups of endpoints, by name.
    pub(crate) upstreams: BTreeMap<String, balance::Config>,
    /// Caches, by name; routes that name the same one share what it stores.
    pub(crate) caches: BTreeMap<String, cache::http::Config>,
    /// Rate limits, by name; routes that name the same one share its quotas.
    pub(crate) rate_limits: BTreeMap<String, ratelimit::Config>,
    /// Limits on requests in flight, by name; routes that name the same one share its places.
    pub(crate) in_flight: BTreeMap<String, ratelimit::ConcurrencyConfig>,
    /// What goes where. Default: everything to the only upstream.
    pub(crate) routes: Vec<Route>,
    /// What the caches are to hold before anybody asks.
    pub(crate) warm: Warm,
}

impl Config {
    /// The listeners, or the one that there is when the file names none.
    pub(crate) fn listeners(&self) -> Cow<'_, [server::Config]> {
        if !self.listeners.is_empty() {
            return Cow::Borrowed(&self.listeners);
        }
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
        Cow::Owned(vec![server::Config { listen, ..server::Config::default() }])
    }

    /// The routes with what they leave out: none means everything to the only upstream, and a
    /// route without an upstream means the only one.
    pub(crate) fn routes(&self) -> Vec<Route> {
        let only = self.upstreams.keys().next().filter(|_| self.upstreams.len() == 1);
        let mut routes = self.routes.clone();
        if routes.is_empty() && only.is_some() {
            routes.push(Route::default());
        }
        for route in &mut routes {
            route.upstream = route.upstream.take().or_else(|| only.cloned());
        }
        routes
    }

    /// How many workers serve.
    pub(crate) fn workers(&self) -> usize {
        let cores = || available_parallelism().unwrap_or(NonZeroUsize::MIN);
        self.server.workers.unwrap_or_else(cores).get()
    }
}

/// The process.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Server {
    /// Worker threads, each with a runtime, listeners and upstream connections of its own.
    /// Default: one for each processor that the process may use.
    pub(crate) workers: Option<NonZeroUsize>,
    /// How long requests may take to finish after SIGTERM; then they are cut. Default: `30s`.
    #[serde(with = "verve::unit::duration")]
    pub(crate) shutdown_timeout: Duration,
    /// Networks of the proxies in front, such as `10.0.0.0/8`: only their `X-Forwarded-*` and
    /// `Forwarded` fields are believed. Default: none. Danger: a network that clients can send
    /// from lets them choose their address, and with it their rate limit.
    pub(crate) trusted_proxies: TrustedProxies,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            workers: None,
            shutdown_timeout: Duration::from_secs(30),
            trusted_proxies: TrustedProxies::default(),
        }
    }
}

/// The admin listener.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Admin {
    /// Whether there is one. Default: true.
    pub(crate) enabled: bool,
    /// Its address. Default: `127.0.0.1:9900`. It asks for no password: only the loopback
    /// addresses are accepted.
    pub(crate) listen: SocketAddr,
    /// What `POST /api/purge` asks for as `Authorization: Bearer`; write it as
    /// `"${VGATE_ADMIN_TOKEN}"` to keep it out of the file. Default: none, and whoever can reach
    /// the address, which is on this machine, can purge. Looking needs no token.
    pub(crate) token: Option<Secret>,
}

impl Admin {
    /// Whether it listens in the same way as another.
    pub(crate) fn listens_like(&self, other: &Self) -> bool {
        (self.enabled, self.listen) == (other.enabled, other.listen)
    }
}

impl Default for Admin {
    fn default() -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 9900));
        Self { enabled: true, listen, token: None }
    }
}
