//! `/api/status`: everything at a glance, as JSON.

use std::path::Path;

use serde_json::{Map, Value, json};
use verve::balance::EndpointStatus;
use verve::cache::Cause;
use verve::cache::http::{HttpCache, TiersStats};
use verve::server::Monitor;
use verve::unit::duration;

use crate::build::graph::Graph;
use crate::state::{State, unix_seconds};
use crate::warm::warming::Warming;

/// The status as JSON.
pub(crate) fn status(
    state: &State,
    warming: &Warming,
    monitor: &Monitor,
    file: Option<&Path>,
) -> String {
    let graph = state.graph();
    let connections = monitor.stats();
    let status = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": state.began().elapsed().as_secs(),
        "config": configuration(state, &graph, file),
        "workers": graph.workers(),
        "connections": {
            "open": connections.open,
            "accepted": connections.accepted,
            "refused": connections.refused,
            "errors": connections.errors,
        },
        "access_log_lines_dropped": state.access_log().map(|log| log.dropped()),
        "routes": routes(&graph),
        "upstreams": upstreams(&graph),
        "pools": pools(&graph),
        "caches": caches(&graph),
        "idempotency": idempotency(&graph),
        "rate_limits": rate_limits(&graph),
        "in_flight": in_flight(&graph),
        "tunnels": graph.shared().open_tunnels(),
        "warming": warming.status(),
    });
    let mut text = serde_json::to_string_pretty(&status).unwrap_or_default();
    text.push('\n');
    text
}

fn configuration(state: &State, graph: &Graph, file: Option<&Path>) -> Value {
    let (reloads, failed_reloads) = state.reloads();
    json!({
        "file": file.map(|file| file.display().to_string()),
        "hash": graph.hash(),
        "loaded_at": unix_seconds(graph.loaded_at()),
        "reloads": reloads,
        "failed_reloads": failed_reloads,
    })
}

fn routes(graph: &Graph) -> Value {
    let routes = graph.config().routes();
    let routes = routes.iter().map(|route| {
        json!({
            "name": route.name(),
            "hosts": route.hosts,
            "path": route.path,
            "upstream": route.upstream,
            "cache": route.cache,
            "rate_limit": route.rate_limit,
            "in_flight": route.in_flight,
            "compress": route.compress.is_some(),
            "idempotency": route.idempotency.is_some(),
        })
    });
    routes.collect()
}

fn upstreams(graph: &Graph) -> Value {
    let upstreams = graph.upstreams().map(|(name, upstream)| {
        let status = upstream.status();
        let endpoints: Value = status.endpoints.iter().map(endpoint).collect();
        (name.to_owned(), json!({ "panic": status.panic, "endpoints": endpoints }))
    });
    Value::Object(upstreams.collect::<Map<_, _>>())
}

fn endpoint(endpoint: &EndpointStatus) -> Value {
    json!({
        "url": endpoint.url.to_string(),
        "weight": endpoint.weight,
        "healthy": endpoint.healthy,
        "draining": endpoint.draining,
        "ejected": endpoint.ejected,
        "ejected_for": endpoint.ejected_for.map(duration::format),
        "in_flight": endpoint.in_flight,
        "requests": endpoint.requests,
        "failures": endpoint.failures,
        "last_error": endpoint.last_error,
    })
}

fn pools(graph: &Graph) -> Value {
    let mut origins = Map::new();
    for client in graph.shared().every_client() {
        for pool in client.stats() {
            let entry = origins.entry(pool.origin.to_string()).or_insert_with(|| json!({}));
            for (key, count) in
                [("open", pool.open), ("idle", pool.idle), ("waiting", pool.waiting)]
            {
                let before = entry.get(key).and_then(Value::as_u64).unwrap_or(0);
                let count = u64::try_from(count).unwrap_or(u64::MAX);
                if let Some(entry) = entry.as_object_mut() {
                    entry.insert(key.to_owned(), json!(before.saturating_add(count)));
                }
            }
        }
    }
    Value::Object(origins)
}

fn caches(graph: &Graph) -> Value {
    let caches = graph.shared().caches.iter();
    let caches = caches.map(|(name, cache)| (name.clone(), figures(cache.made())));
    Value::Object(caches.collect::<Map<_, _>>())
}

fn figures(cache: &HttpCache) -> Value {
    let stats = cache.stats();
    json!({
        "hits": stats.hits,
        "stale": stats.stale,
        "revalidated": stats.revalidated,
        "collapsed": stats.collapsed,
        "misses": stats.misses,
        "bypassed": stats.bypassed,
        "early": stats.early,
        "keys": stats.keys,
        "bytes": stats.bytes,
        "max_bytes": cache.memory_stats().max_weight,
        "fetches": stats.fetches,
        "refreshes": stats.refreshes,
        "memory": memory(cache),
        "curve": curve(cache),
        "tiers": cache.tiers().as_ref().map(tiers),
    })
}

/// What is below memory; null where there is nothing.
fn tiers(stats: &TiersStats) -> Value {
    let tiers = stats.tiers.iter().map(|tier| {
        json!({
            "name": tier.name,
            "absent": tier.absent,
            "hits": tier.hits,
            "misses": tier.misses,
            "purged": tier.purged,
            "damaged": tier.damaged,
            "errors": tier.errors,
            "skipped": tier.skipped,
            "written": tier.written,
            "failed": tier.failed,
            "dropped": tier.dropped,
            "too_large": tier.too_large,
            "overtaken": tier.overtaken,
        })
    });
    json!({
        "tiers": tiers.collect::<Value>(),
        "in_touch": stats.in_touch,
        "waiting_bytes": stats.waiting_bytes,
        "fleet": { "led": stats.led, "shared": stats.shared, "alone": stats.alone },
    })
}

fn idempotency(graph: &Graph) -> Value {
    let routes = graph.shared().idempotency.iter().map(|(route, idempotency)| {
        let stats = idempotency.made().stats();
        let figures = json!({
            "ran": stats.ran,
            "replayed": stats.replayed,
            "conflicts": stats.conflicts,
            "mismatches": stats.mismatches,
            "refused": stats.refused,
            "unprotected": stats.unprotected,
            "unavailable": stats.unavailable,
            "store_errors": stats.store_errors,
            "running": stats.running,
            "waiting": stats.waiting,
        });
        (route.clone(), figures)
    });
    Value::Object(routes.collect::<Map<_, _>>())
}

/// What the cache's memory did, look-up by look-up.
fn memory(cache: &HttpCache) -> Value {
    let stats = cache.memory_stats();
    let left = Cause::ALL.into_iter().filter(|cause| *cause != Cause::Refused);
    let left = left.map(|cause| (cause.name().to_owned(), json!(stats.left(cause))));
    json!({
        "hits": stats.hits,
        "misses": stats.misses,
        "hit_ratio": stats.hit_ratio(),
        "inserts": stats.inserts,
        "refusals": stats.refusals,
        "left": left.collect::<Map<_, _>>(),
    })
}

/// How often an LRU cache of a part or a multiple of the size would hit; null before any look-up.
fn curve(cache: &HttpCache) -> Value {
    let Some(curve) = cache.curve() else {
        return Value::Null;
    };
    let size = cache.memory_stats().max_weight;
    let sizes = [size / 4, size / 2, size, size.saturating_mul(2), size.saturating_mul(4)];
    let points = sizes.map(|size| json!({ "max_bytes": size, "hit_ratio": curve.hit_ratio(size) }));
    json!({ "keys": curve.keys(), "rate": curve.rate(), "points": points })
}

fn rate_limits(graph: &Graph) -> Value {
    let limits = graph.shared().rate_limits.iter().map(|(name, quota)| {
        let limiter = &quota.made().limiter;
        let (stats, quota) = (limiter.stats(), limiter.quota());
        let figures = json!({
            "rate": quota.rate().to_string(),
            "burst": quota.burst(),
            "allowed": stats.allowed,
            "denied": stats.denied,
            "keys": stats.keys,
        });
        (name.clone(), figures)
    });
    Value::Object(limits.collect::<Map<_, _>>())
}

fn in_flight(graph: &Graph) -> Value {
    let limits = graph.shared().in_flight.iter().map(|(name, limit)| {
        let stats = limit.made().stats();
        let figures = json!({
            "in_flight": stats.in_flight,
            "queued": stats.queued,
            "shed": stats.shed,
        });
        (name.clone(), figures)
    });
    Value::Object(limits.collect::<Map<_, _>>())
}
