//! Everything that routes and workers share, by name.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use verve::balance::{self, Checks, Tunnels, Upstream};
use verve::cache::http::idempotency::{self, Idempotency};
use verve::cache::http::{HttpCache, SetCookie};
use verve::pool::http::Client;

use verve::ratelimit::{ConcurrencyLimit, Limiter, RateLimitLayer};
use verve::{cache, pool, ratelimit};

use crate::build::parts::{Parts, make};
use crate::config::Config;
use crate::config::document::Path;
use crate::config::fault::Fault;
use crate::config::route::Route;
use crate::say::chain;

/// An upstream and, once it is in use, its health checks.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) upstream: Upstream,
    checks: Mutex<Option<Checks>>,
}

impl Group {
    /// Starts the checks, unless they run; needs a runtime.
    pub(crate) fn activate(&self, client: &Client) {
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        if checks.is_none() {
            *checks = self.upstream.check_http(client.clone());
        }
    }
}

/// A rate limit: its keys, and the layer that asks it.
#[derive(Debug)]
pub(crate) struct Quota {
    pub(crate) limiter: Limiter,
    pub(crate) layer: RateLimitLayer,
}

fn quota(name: &str, config: &ratelimit::Config) -> Result<Quota, ratelimit::BuildError> {
    let limiter = Limiter::builder().name(name).config(config.clone()).build()?;
    let layer = RateLimitLayer::from_config(limiter.clone(), config)?;
    Ok(Quota { limiter, layer })
}

/// The parts that hold state.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) upstreams: Parts<balance::Config, Group>,
    pub(crate) caches: Parts<cache::http::Config, HttpCache>,
    /// A route's keys and answers, by the route's name.
    pub(crate) idempotency: Parts<idempotency::Config, Idempotency>,
    pub(crate) rate_limits: Parts<ratelimit::Config, Quota>,
    pub(crate) in_flight: Parts<ratelimit::ConcurrencyConfig, ConcurrencyLimit>,
    /// One client a worker; the last one is the health checks'.
    pub(crate) clients: Parts<pool::http::Config, Vec<Client>>,
    /// A route's WebSockets, by its name and limit; they outlive the graph they were opened on.
    tunnels: BTreeMap<(String, usize), Tunnels>,
}

/// The only name among the clients.
const CLIENT: &str = "client";

impl Shared {
    /// Makes every part, or carries it over from `old`.
    pub(crate) fn make(
        config: &Config,
        workers: usize,
        old: Option<&Self>,
        faults: &mut Vec<(Path, Fault)>,
    ) -> Self {
        let (limits, places) = (old.map(|o| &o.rate_limits), old.map(|o| &o.in_flight));
        let (groups, caches) = (old.map(|o| &o.upstreams), old.map(|o| &o.caches));
        let client = BTreeMap::from([(CLIENT.to_owned(), config.client.clone())]);
        let count = workers + 1;
        Self {
            tunnels: tunnels(config, old),
            upstreams: make("upstreams", &config.upstreams, groups, faults, group),
            caches: make("caches", &config.caches, caches, faults, |name, config, old| {
                cache(name, config, old).map_err(|e| chain(&e))
            }),
            idempotency: idempotent(config, old),
            rate_limits: make(
                "rate_limits",
                &config.rate_limits,
                limits,
                faults,
                |name, config, _| quota(name, config).map_err(|e| chain(&e)),
            ),
            in_flight: make("in_flight", &config.in_flight, places, faults, |name, config, _| {
                ConcurrencyLimit::new(name, config.clone()).map_err(|e| chain(&e))
            }),
            clients: make(CLIENT, &client, old.map(|o| &o.clients), faults, |_, config, _| {
                let client = || Client::builder().config(config.clone()).build();
                (0..count).map(|_| client()).collect::<Result<_, _>>().map_err(|e| chain(&e))
            }),
        }
    }

    /// The tunnels of `route`.
    pub(crate) fn tunnels(&self, route: &Route) -> Option<&Tunnels> {
        self.tunnels.get(&tunnels_key(route))
    }

    /// How many idempotent requests are under way, whether their clients are there or not.
    pub(crate) fn running(&self) -> usize {
        self.idempotency.values().map(|route| route.made().stats().running).sum()
    }

    /// How many tunnels are open.
    pub(crate) fn open_tunnels(&self) -> usize {
        self.tunnels.values().map(Tunnels::open).sum()
    }

    /// Every worker's client, and the health checks'.
    pub(crate) fn every_client(&self) -> impl Iterator<Item = &Client> {
        self.clients.values().flat_map(|clients| clients.made().iter())
    }

    /// The client of a worker, or of the health checks, which come after the workers.
    pub(crate) fn client(&self, worker: usize) -> Option<&Client> {
        self.clients.get(CLIENT).and_then(|clients| clients.made().get(worker))
    }
}

fn tunnels_key(route: &Route) -> (String, usize) {
    (route.name().to_owned(), route.proxy.max_tunnels)
}

/// One set for each route, and the sets of routes that are gone while they still have open ones.
fn tunnels(config: &Config, old: Option<&Shared>) -> BTreeMap<(String, usize), Tunnels> {
    let carried = old.map(|old| &old.tunnels).into_iter().flatten();
    let carried = carried.filter(|(_, tunnels)| tunnels.open() > 0);
    let mut all: BTreeMap<_, _> =
        carried.map(|(key, tunnels)| (key.clone(), tunnels.clone())).collect();
    for route in config.routes() {
        let new = || Tunnels::new(route.proxy.max_tunnels);
        all.entry(tunnels_key(&route)).or_insert_with(new);
    }
    all
}

/// The keys and answers of every route that wants them. What is wrong with their settings is the
/// route's fault, and found there.
fn idempotent(config: &Config, old: Option<&Shared>) -> Parts<idempotency::Config, Idempotency> {
    let routes = config.routes();
    let configs = routes.iter().filter_map(|route| {
        let config = route.idempotency.clone()?;
        let default = idempotency::Config::default().name;
        let own = config.name == default;
        let name = if own { route.name().to_owned() } else { config.name.clone() };
        Some((route.name().to_owned(), idempotency::Config { name, ..config }))
    });
    let (configs, old) = (configs.collect(), old.map(|old| &old.idempotency));
    make("routes", &configs, old, &mut Vec::new(), |_, config, _| {
        Idempotency::new(config.clone()).map_err(|error| chain(&error))
    })
}

fn group(name: &str, config: &balance::Config, old: Option<&Group>) -> Result<Group, String> {
    let builder = Upstream::builder(name).config(config.clone());
    let builder = match old {
        Some(old) => builder.take_over(&old.upstream),
        None => builder,
    };
    let upstream = builder.build().map_err(|error| chain(&error))?;
    Ok(Group { upstream, checks: Mutex::new(None) })
}

/// A cache with the gateway's own defaults; the old one if all that changes is its size, which it
/// gets when it is [activated](resize_caches).
fn cache(
    name: &str,
    config: &cache::http::Config,
    old: Option<&HttpCache>,
) -> Result<HttpCache, cache::http::BuildError> {
    let new = cache::http::Config {
        name: named(name, config),
        // Behind a gateway many applications meet that do not know of each other.
        set_cookie: config.set_cookie.or(Some(SetCookie::Bypass)),
        ..config.clone()
    };
    new.check()?;
    let max_size = new.max_size;
    let stays = |old: &&HttpCache| cache::http::Config { max_size, ..old.config().clone() } == new;
    match old.filter(stays) {
        Some(old) => Ok(old.clone()),
        None => HttpCache::new(new),
    }
}

/// Gives every cache the size that the file says.
pub(crate) fn resize_caches(caches: &Parts<cache::http::Config, HttpCache>) {
    for (name, cache) in caches {
        let (cache, max_size) = (cache.made(), cache.config().max_size);
        let old = cache.memory_stats().max_weight;
        if old != max_size {
            let left = cache.resize(max_size);
            tracing::info!(cache = %name, old, new = max_size, left, "the cache has another size");
        }
    }
}

/// The cache's name in `Cache-Status`, unless the file gives one.
fn named(name: &str, config: &cache::http::Config) -> String {
    let default = cache::http::Config::default().name;
    if config.name == default { format!("{default}-{name}") } else { config.name.clone() }
}
