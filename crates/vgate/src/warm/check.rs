//! What the file can get wrong about warming.

use std::collections::BTreeSet;

use crate::build::graph::table;
use crate::config::Config;
use crate::config::document::{Path, at};
use crate::config::fault::Fault;
use crate::config::route::Route;
use crate::config::warm::Pattern;
use crate::explain::question::Question;
use crate::normalise;
use crate::route::table::Table;
use crate::warm::urls::{urls, whole};

/// Every mistake in `config.warm`. Lists and sitemaps are looked at when they are needed.
pub(crate) fn check(config: &Config, faults: &mut Vec<(Path, Fault)>) {
    let (mut names, all) = (BTreeSet::new(), (table(config), config.routes()));
    if config.warm.interval.is_some_and(|interval| interval.is_zero()) {
        faults.push((at!["warm", "interval"], Fault::new("warming without a pause is an attack")));
    }
    for (place, pattern) in config.warm.patterns.iter().enumerate() {
        let mut fault = |key: &str, message: String| {
            faults.push((at!["warm", "patterns", place, key], Fault::new(message)));
        };
        let name = pattern.name(place);
        if name.is_empty() || !names.insert(name.clone()) {
            fault("name", format!("another pattern is named `{name}`, or it is empty"));
        }
        if pattern.urls.is_empty() && pattern.list.is_none() && pattern.sitemap.is_none() {
            let help = "add `urls`, `list` or `sitemap`";
            let empty = Fault::new("the pattern names nothing to warm").help(help);
            faults.push((at!["warm", "patterns", place], empty));
            continue;
        }
        if pattern.interval.is_some_and(|interval| interval.is_zero()) {
            fault("interval", "warming without a pause is an attack".to_owned());
        }
        check_pattern(pattern, &all, &mut fault);
        for (at, url) in pattern.urls.iter().enumerate() {
            if let Err(message) = check_url(url, pattern, &all, true) {
                faults.push((at!["warm", "patterns", place, "urls", at], Fault::new(message)));
            }
        }
    }
}

fn check_pattern(
    pattern: &Pattern,
    all: &(Table, Vec<Route>),
    fault: &mut impl FnMut(&str, String),
) {
    if let Some(base) = &pattern.base {
        let path = base.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
        if path.is_some_and(|(_, path)| !path.is_empty()) {
            fault("base", format!("`{base}` has a path; it is a scheme and a host"));
        } else if let Err(message) = request(&format!("{}/", base.trim_end_matches('/')), &[]) {
            fault("base", message);
        }
    }
    if let Some(Err(message)) =
        pattern.sitemap.as_ref().map(|at| check_url(at, pattern, all, false))
    {
        fault("sitemap", message);
    }
    // The URLs are looked at by themselves.
    let wrong = pattern.fields().iter().find_map(|fields| request("http://a/", fields).err());
    if let Some(message) = wrong {
        fault("variants", message);
    }
}

/// The first of the URLs that `url` stands for leads to a route, and one with a cache if it is to
/// be stored.
fn check_url(
    url: &str,
    pattern: &Pattern,
    (table, routes): &(Table, Vec<Route>),
    stored: bool,
) -> Result<(), String> {
    let base = pattern.base.as_deref();
    let first = match stored {
        true => urls(url, base)?.into_iter().next().unwrap_or_default(),
        false => whole(url, base)?,
    };
    let (host, path) = request(&first, &[])?;
    let route = table.find(&host, &path).and_then(|place| routes.get(place));
    let route = route.ok_or_else(|| format!("no route takes `{first}`"))?;
    match stored && route.cache.is_none() {
        true => Err(format!("the route of `{first}`, `{}`, has no cache", route.name())),
        false => Ok(()),
    }
}

/// The host and the path of a request as its route would get it.
fn request(url: &str, fields: &[String]) -> Result<(String, String), String> {
    let method = "GET".to_owned();
    let question = Question { url: url.to_owned(), method, fields: fields.to_vec() };
    let mut request = question.request()?;
    normalise::normalise(&mut request).map_err(|_| format!("`{url}` would be refused"))?;
    Ok((normalise::host(&request).into_owned(), request.uri().path().to_owned()))
}
