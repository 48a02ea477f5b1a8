//! What a file can get wrong although each part of it is well formed.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::config::Config;
use crate::config::document::{Path, at};
use crate::config::fault::Fault;
use crate::config::problem::closest;
use crate::config::route::Route;
use crate::config::secret::Secret;
use crate::logging::check_level;
use crate::normalise::plain_path;
use crate::route::pattern::Host;

/// Each worker is a thread, with listeners, connections and a stack for each route.
const MOST_WORKERS: usize = 1024;

/// Every mistake between the parts of `config`.
pub(crate) fn check(config: &Config) -> Vec<(Path, Fault)> {
    let mut faults = Vec::new();
    check_process(config, &mut faults);
    check_upstreams(config, &mut faults);
    for (index, route) in config.routes.iter().enumerate() {
        check_route(config, index, route, &mut faults);
    }
    check_overlaps(config, &mut faults);
    faults
}

fn check_process(config: &Config, faults: &mut Vec<(Path, Fault)>) {
    if let Some(Err(message)) = config.log.level.as_deref().map(check_level) {
        faults.push((at!["log", "level"], Fault::new(message)));
    }
    let admin = &config.admin;
    if admin.enabled && !admin.listen.ip().is_loopback() {
        let fault = Fault::new(format!(
            "the admin listener asks for no password, and `{}` is not a loopback address",
            admin.listen.ip()
        ))
        .help("use `127.0.0.1` or `[::1]`, and a tunnel to reach it from elsewhere");
        faults.push((at!["admin", "listen"], fault));
    }
    if admin.token.as_ref().is_some_and(Secret::is_empty) {
        let fault = Fault::new("an empty token is none").help("leave it out, or set one");
        faults.push((at!["admin", "token"], fault));
    }
    if config.server.workers.is_some_and(|workers| workers.get() > MOST_WORKERS) {
        let fault = Fault::new(format!("more than {MOST_WORKERS} workers"))
            .help("leave it out for one on each processor; more than that does not help");
        faults.push((at!["server", "workers"], fault));
    }
    let mut seen = BTreeSet::new();
    for (index, listener) in config.listeners.iter().enumerate() {
        let taken = admin.enabled && listener.listen == admin.listen;
        if listener.listen.port() != 0 && (taken || !seen.insert(listener.listen)) {
            let fault = Fault::new(format!("`{}` is listened on twice", listener.listen));
            faults.push((at!["listeners", index, "listen"], fault));
        }
    }
}

fn check_upstreams(config: &Config, faults: &mut Vec<(Path, Fault)>) {
    if config.upstreams.is_empty() {
        let fault = Fault::new("there is no upstream to pass requests to")
            .help("add `[upstreams.app]` with `endpoints = [\"http://127.0.0.1:3000\"]`");
        faults.push((Path::new(), fault));
    }
}

fn check_route(config: &Config, index: usize, route: &Route, faults: &mut Vec<(Path, Fault)>) {
    if let Err(plain) = plain_path(&route.path) {
        let fault = Fault::new(format!("no request has a path below `{}`", route.path));
        let fault = match plain.filter(|plain| plain.starts_with('/')) {
            Some(plain) => fault.help(format!("write it as requests have it: `{plain}`")),
            None => fault.help("a path begins with `/` and has no query, space or encoded slash"),
        };
        faults.push((at!["routes", index, "path"], fault));
    }
    if route.name().is_empty() {
        faults.push((at!["routes", index, "name"], Fault::new("a route's name is not empty")));
    }
    for (place, host) in route.hosts.iter().enumerate() {
        if let Err(message) = Host::parse(host) {
            faults.push((at!["routes", index, "hosts", place], Fault::new(message)));
        }
    }
    check_upstream(config, index, route, faults);
    check_name(route.cache.as_deref(), &config.caches, index, "cache", faults);
    check_name(route.rate_limit.as_deref(), &config.rate_limits, index, "rate_limit", faults);
    check_name(route.in_flight.as_deref(), &config.in_flight, index, "in_flight", faults);
}

fn check_upstream(config: &Config, index: usize, route: &Route, faults: &mut Vec<(Path, Fault)>) {
    match &route.upstream {
        None if config.upstreams.len() > 1 => {
            let names: Vec<&str> = config.upstreams.keys().map(String::as_str).collect();
            let fault = Fault::new("the route does not say which upstream answers").help(format!(
                "add `upstream = \"{}\"`; there are: {}",
                names.first().unwrap_or(&""),
                names.join(", ")
            ));
            faults.push((at!["routes", index], fault));
        }
        name => check_name(name.as_deref(), &config.upstreams, index, "upstream", faults),
    }
}

/// A name that a route uses must be there.
fn check_name<T>(
    name: Option<&str>,
    there: &BTreeMap<String, T>,
    index: usize,
    key: &'static str,
    faults: &mut Vec<(Path, Fault)>,
) {
    let Some(name) = name.filter(|name| !there.contains_key(*name)) else {
        return;
    };
    let section = match key {
        "upstream" => "upstreams",
        "cache" => "caches",
        "rate_limit" => "rate_limits",
        other => other,
    };
    let fault = Fault::new(format!("there is no `[{section}.{name}]`"));
    let fault = match closest(name, there.keys().map(String::as_str)) {
        Some(meant) => fault.help(format!("did you mean `{meant}`?")),
        None => fault.help(format!("add the table `[{section}.{name}]`")),
    };
    faults.push((at!["routes", index, key], fault));
}

/// Two routes that match the same, or have the same name, hide each other.
fn check_overlaps(config: &Config, faults: &mut Vec<(Path, Fault)>) {
    let (mut names, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for (index, route) in config.routes.iter().enumerate() {
        let hosts = route.hosts.iter().filter_map(|host| Host::parse(host).ok()).map(Some);
        let hosts: BTreeSet<_> =
            if route.hosts.is_empty() { [None].into() } else { hosts.collect() };
        let overlaps = hosts.into_iter().filter(|host| !taken.insert((host.clone(), &route.path)));
        if overlaps.count() > 0 {
            let fault = Fault::new(format!("an earlier route takes `{}` for a host", route.path));
            faults.push((at!["routes", index], fault));
        } else if !names.insert(route.name()) {
            let fault = Fault::new(format!("another route is named `{}`", route.name()))
                .help("give this one a `name` of its own");
            faults.push((at!["routes", index], fault));
        }
    }
}
