//! One route's layers, around one worker's proxy.

use tower_layer::Layer;
use verve::Stack;
use verve::balance::{self, Proxy, Tunnels, Upstream, VouchLayer};
use verve::cache::http::CacheLayer;
use verve::cache::http::idempotency::{Idempotency, IdempotencyLayer};
use verve::compress::CompressLayer;
use verve::metrics::{Handle, MetricsLayer};
use verve::pool::http::Client;
use verve::ratelimit::ConcurrencyLimitLayer;

use crate::build::parts::Parts;
use crate::build::shared::Shared;
use crate::config::Config;
use crate::config::route::Route;
use crate::route::handler::Handler;
use crate::say::chain;

/// What is wrong with the route's own settings: the key, and why.
pub(crate) fn check(route: &Route) -> Vec<(&'static str, String)> {
    let mut faults = Vec::new();
    if let Some(Err(error)) = route.compress.clone().map(CompressLayer::new) {
        faults.push(("compress", chain(&error)));
    }
    if let Some(Err(error)) = route.idempotency.clone().map(Idempotency::new) {
        faults.push(("idempotency", chain(&error)));
    }
    // The route's own upstream and client may be wrong themselves.
    if let (Some(upstream), Ok(client)) = (any_upstream(), Client::builder().build()) {
        let proxy = Proxy::builder(upstream, client).config(route.proxy.clone());
        if let Err(error) = proxy.build() {
            faults.push(("proxy", chain(&error)));
        }
    }
    faults
}

/// An upstream to check a proxy's settings with.
fn any_upstream() -> Option<Upstream> {
    let endpoints = vec!["http://localhost".parse().ok()?];
    let config = balance::Config { endpoints, ..balance::Config::default() };
    Upstream::builder("any").config(config).build().ok()
}

/// The route's stack for the worker that owns `client`.
///
/// # Errors
///
/// Fails with a sentence for people; what `check` passes does not fail.
pub(crate) fn build(
    config: &Config,
    route: &Route,
    shared: &Shared,
    client: &Client,
    metrics: &Handle,
) -> Result<Handler, String> {
    let proxy = proxy(config, route, shared, client)?;
    let mut stack = Stack::new().metrics(MetricsLayer::new(metrics).route(route.name()));
    if let Some(quota) = named(&shared.rate_limits, route.rate_limit.as_deref()) {
        stack = stack.rate_limit(quota.layer.clone());
    }
    if let Some(in_flight) = named(&shared.in_flight, route.in_flight.as_deref()) {
        stack = stack.in_flight(ConcurrencyLimitLayer::new(in_flight.clone()));
    }
    stack = compressed(stack, route)?;
    if let Some(idempotency) = named(&shared.idempotency, Some(route.name())) {
        stack = stack.idempotency(IdempotencyLayer::new(idempotency.clone()));
    }
    let stack = cached(stack, route, shared).service(proxy);
    Ok(Handler::new(vouch(config, route)?.layer(stack)))
}

/// The same for the gateway's own requests: what is stored is stored as for clients, and neither
/// their limits nor their figures count.
///
/// # Errors
///
/// As for [`build`].
pub(crate) fn inner(
    config: &Config,
    route: &Route,
    shared: &Shared,
    client: &Client,
) -> Result<Handler, String> {
    let stack = compressed(Stack::new(), route)?;
    let proxy = proxy(config, route, shared, client)?;
    let stack = cached(stack, route, shared).service(proxy);
    Ok(Handler::new(vouch(config, route)?.layer(stack)))
}

fn proxy(
    config: &Config,
    route: &Route,
    shared: &Shared,
    client: &Client,
) -> Result<Proxy<Client>, String> {
    let group = route.upstream.as_ref().and_then(|name| shared.upstreams.get(name));
    let group = group.ok_or_else(|| format!("route `{}` has no upstream", route.name()))?;
    Proxy::builder(group.made().upstream.clone(), client.clone())
        .config(route.proxy.clone())
        .trusted(config.server.trusted_proxies.clone())
        .tunnels(shared.tunnels(route).cloned().unwrap_or_else(|| Tunnels::new(0)))
        .classify(verve::classify)
        .build()
        .map_err(|error| chain(&error))
}

fn compressed(stack: Stack, route: &Route) -> Result<Stack, String> {
    match &route.compress {
        Some(config) => stack.compress(config.clone()).map_err(|error| chain(&error)),
        None => Ok(stack),
    }
}

fn cached(stack: Stack, route: &Route, shared: &Shared) -> Stack {
    match named(&shared.caches, route.cache.as_deref()) {
        Some(cache) => stack.cache(CacheLayer::new(cache.clone())),
        None => stack,
    }
}

/// What makes requests of a route be as its origin will see them, before the cache looks.
///
/// # Errors
///
/// Fails with a sentence for people; what `check` passes does not fail.
pub(crate) fn vouch(config: &Config, route: &Route) -> Result<VouchLayer, String> {
    let trusted = config.server.trusted_proxies.clone();
    VouchLayer::new(&route.proxy, trusted).map_err(|error| chain(&error))
}

fn named<'a, C, T>(parts: &'a Parts<C, T>, name: Option<&str>) -> Option<&'a T> {
    parts.get(name?).map(|part| &**part.made())
}
