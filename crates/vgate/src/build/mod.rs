//! From a configuration to running parts.

pub(crate) mod files;
pub(crate) mod graph;
pub(crate) mod parts;
pub(crate) mod shared;
pub(crate) mod stack;

use verve::cache::http::BuildError;
use verve::server::TlsConfig;

use crate::build::shared::Shared;
use crate::config::Config;
use crate::config::document::{Path, at};
use crate::config::fault::Fault;
use crate::say::chain;
use crate::warm;

/// Makes everything that needs no runtime, and throws it away: what a crate refuses is a fault.
/// Files of caches are not touched: a running gateway may have them.
pub(crate) fn dry_run(config: &Config, faults: &mut Vec<(Path, Fault)>) {
    let mut plain = config.clone();
    for (name, cache) in &mut plain.caches {
        if let Err(error @ BuildError::Disk(_)) = cache.check() {
            faults.push((at!["caches", name.as_str()], Fault::new(chain(&error))));
        }
        cache.disk = None;
    }
    Shared::make(&plain, 1, None, faults);
    for (index, listener) in config.listeners.iter().enumerate() {
        if let Err(error) = listener.check() {
            faults.push((at!["listeners", index], Fault::new(chain(&error))));
        }
        if let Some(Err(error)) = listener.tls.as_ref().map(TlsConfig::check) {
            faults.push((at!["listeners", index, "tls"], Fault::new(chain(&error))));
        }
    }
    warm::check::check(config, faults);
    for (index, route) in config.routes().iter().enumerate() {
        for (key, error) in stack::check(route) {
            faults.push((at!["routes", index, key], Fault::new(error)));
        }
    }
}
