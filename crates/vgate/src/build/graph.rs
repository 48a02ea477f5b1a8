//! Everything that one configuration makes; new requests begin on the newest one.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use verve::balance::Upstream;
use verve::cache::http::{HttpCache, TiersStats};
use verve::http::TrustedProxies;
use verve::metrics::Handle;
use verve::pool::http::Client;

use crate::build::shared::{Shared, resize_caches};
use crate::build::stack;
use crate::config::Config;
use crate::config::document::{Path, at};
use crate::config::fault::Fault;
use crate::config::route::Route;
use crate::route::handler::Handler;
use crate::route::pattern::Host;
use crate::route::table::{Matcher, Table};

/// The running form of a configuration.
#[derive(Debug)]
pub(crate) struct Graph {
    config: Config,
    shared: Shared,
    table: Table,
    names: Vec<Arc<str>>,
    /// By worker, then by route.
    handlers: Vec<Vec<Handler>>,
    /// By route, for the gateway's own requests; empty if it has none to make.
    inner: Vec<Inner>,
    hash: String,
    loaded_at: SystemTime,
}

/// A route as the gateway itself asks it.
#[derive(Debug)]
struct Inner {
    handler: Handler,
    cache: Option<Arc<HttpCache>>,
}

/// A route that stores, as the gateway itself asks it.
#[derive(Debug)]
pub(crate) struct Stocked<'a> {
    pub(crate) handler: &'a Handler,
    pub(crate) cache: &'a HttpCache,
}

impl Graph {
    /// Builds the graph for `workers` workers beside `old`, whose unchanged parts it shares.
    ///
    /// # Errors
    ///
    /// Fails with every fault; nothing is running then.
    pub(crate) fn build(
        config: &Config,
        workers: usize,
        metrics: &Handle,
        old: Option<&Self>,
    ) -> Result<Self, Vec<(Path, Fault)>> {
        let mut faults = Vec::new();
        let shared = Shared::make(config, workers, old.map(|old| &old.shared), &mut faults);
        let routes = config.routes();
        let handlers = (0..workers)
            .filter_map(|worker| shared.client(worker))
            .map(|client| handlers(config, &routes, &shared, client, metrics, &mut faults))
            .collect();
        let own = shared.client(workers).filter(|_| !config.warm.patterns.is_empty());
        let inner = own.map(|client| inner(config, &routes, &shared, client, &mut faults));
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self {
            table: table(config),
            names: routes.iter().map(|route| Arc::from(route.name())).collect(),
            hash: hash(config),
            config: config.clone(),
            shared,
            handlers,
            inner: inner.unwrap_or_default(),
            loaded_at: SystemTime::now(),
        })
    }

    /// Gives what was carried over its new size, and starts what works in the background, unless it
    /// runs already; needs a runtime.
    pub(crate) fn activate(&self) {
        resize_caches(&self.shared.caches);
        let Some(client) = self.shared.client(self.handlers.len()) else {
            return;
        };
        for group in self.shared.upstreams.values() {
            group.made().activate(client);
        }
    }

    /// Lets caches write what they have stored to their lower tiers, for so long at most.
    pub(crate) async fn close(&self, most: Duration) {
        for (name, cache) in &self.shared.caches {
            if !cache.made().close(most).await {
                tracing::warn!(cache = %name, "not all that was cached could be written");
            }
        }
    }

    /// The caches that are without a tier that they should have, or out of touch with others.
    pub(crate) fn caches_in_need(&self) -> impl Iterator<Item = &str> {
        let is_in_need = |tiers: TiersStats| {
            !tiers.in_touch || tiers.tiers.iter().any(|tier| tier.absent.is_some())
        };
        let caches = self.shared.caches.iter();
        let needy = caches.filter(move |(_, cache)| cache.made().tiers().is_some_and(is_in_need));
        needy.map(|(name, _)| name.as_str())
    }

    /// The place of the route that takes `host` and `path`.
    pub(crate) fn find(&self, host: &str, path: &str) -> Option<usize> {
        self.table.find(host, path)
    }

    /// A route's name, and its stack on `worker`.
    pub(crate) fn route(&self, worker: usize, place: usize) -> Option<(&Arc<str>, &Handler)> {
        Some((self.names.get(place)?, self.handlers.get(worker)?.get(place)?))
    }

    /// A route's stack for the gateway's own requests, on the runtime that is no worker's; there
    /// are some if there is something to warm.
    pub(crate) fn inner(&self, place: usize) -> Option<&Handler> {
        self.inner.get(place).map(|route| &route.handler)
    }

    /// The same with the route's cache, if it has one.
    pub(crate) fn stocked(&self, place: usize) -> Option<Stocked<'_>> {
        let Inner { handler, cache } = self.inner.get(place)?;
        Some(Stocked { handler, cache: cache.as_deref()? })
    }

    pub(crate) const fn trusted(&self) -> &TrustedProxies {
        &self.config.server.trusted_proxies
    }

    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) const fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(crate) fn workers(&self) -> usize {
        self.handlers.len()
    }

    /// Tells one configuration from another; the same settings give the same hash.
    pub(crate) fn hash(&self) -> &str {
        &self.hash
    }

    pub(crate) const fn loaded_at(&self) -> SystemTime {
        self.loaded_at
    }

    /// The upstreams that have no eligible endpoint.
    pub(crate) fn upstreams_in_panic(&self) -> impl Iterator<Item = &str> {
        self.upstreams().filter(|(_, upstream)| upstream.status().panic).map(|(name, _)| name)
    }

    /// The upstreams by name.
    pub(crate) fn upstreams(&self) -> impl Iterator<Item = (&str, &Upstream)> {
        let groups = self.shared.upstreams.iter();
        groups.map(|(name, group)| (name.as_str(), &group.made().upstream))
    }
}

/// Every route's stack, for the worker that owns `client`.
fn handlers(
    config: &Config,
    routes: &[Route],
    shared: &Shared,
    client: &Client,
    metrics: &Handle,
    faults: &mut Vec<(Path, Fault)>,
) -> Vec<Handler> {
    let mut handlers = Vec::new();
    for (index, route) in routes.iter().enumerate() {
        match stack::build(config, route, shared, client, metrics) {
            Ok(handler) => handlers.push(handler),
            Err(error) => faults.push((at!["routes", index], Fault::new(error))),
        }
    }
    handlers
}

/// Every route's stack for the gateway's own requests.
fn inner(
    config: &Config,
    routes: &[Route],
    shared: &Shared,
    client: &Client,
    faults: &mut Vec<(Path, Fault)>,
) -> Vec<Inner> {
    let mut all = Vec::new();
    for (index, route) in routes.iter().enumerate() {
        let cache = route.cache.as_ref().and_then(|name| shared.caches.get(name));
        let cache = cache.map(|cache| Arc::clone(cache.made()));
        match stack::inner(config, route, shared, client) {
            Ok(handler) => all.push(Inner { handler, cache }),
            Err(error) => faults.push((at!["routes", index], Fault::new(error))),
        }
    }
    all
}

/// The routes of a configuration.
pub(crate) fn table(config: &Config) -> Table {
    let matchers = config.routes().into_iter().map(|route| Matcher {
        // `check` has reported the patterns that cannot be read.
        hosts: route.hosts.iter().filter_map(|host| Host::parse(host).ok()).collect(),
        path: route.path,
    });
    Table::new(matchers.collect())
}

fn hash(config: &Config) -> String {
    let mut hasher = DefaultHasher::new();
    serde_json::to_string(config).unwrap_or_default().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
