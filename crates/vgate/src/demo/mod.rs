//! Everything at work on one machine: three origins, the gateway in front, URLs to try.

pub(crate) mod banner;
pub(crate) mod load;
pub(crate) mod origin;
pub(crate) mod pages;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use tokio::net::TcpListener;
use verve::balance::{self, Address, CheckConfig, Endpoint};
use verve::unit::Rate;
use verve::{cache, compress, ratelimit, server};

use crate::config::route::Route;
use crate::config::{Admin, Config};
use crate::demo::origin::HABITS;

/// Starts the three origins on ports that the system picks; they serve as long as the runtime.
pub(crate) fn start_origins() -> io::Result<Vec<SocketAddr>> {
    let mut addresses = Vec::new();
    for habit in HABITS {
        let listener: TcpListener = origin::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        addresses.push(listener.local_addr()?);
        tokio::spawn(async move {
            if let Err(error) = origin::serve(habit, listener).await {
                tracing::error!(origin = habit.name, %error, "demo origin failed");
            }
        });
    }
    Ok(addresses)
}

/// The demo's configuration: everything on, in front of `origins`.
pub(crate) fn config(listen: SocketAddr, admin: SocketAddr, origins: &[SocketAddr]) -> Config {
    let listener = server::Config { listen, ..server::Config::default() };
    let limits = [("everyone", limit(5000, 10_000)), ("few", limit(5, 5))];
    Config {
        listeners: vec![listener],
        admin: Admin { listen: admin, ..Admin::default() },
        upstreams: named([("shop", upstream(origins))]),
        caches: named([("pages", cache::http::Config::default())]),
        rate_limits: named(limits),
        in_flight: named([("shop", ratelimit::ConcurrencyConfig::default())]),
        routes: vec![
            Route { rate_limit: Some("everyone".to_owned()), ..route("shop", "/") },
            Route {
                rate_limit: Some("few".to_owned()),
                cache: None,
                ..route("limited", "/limited")
            },
        ],
        ..Config::default()
    }
}

fn named<T, const N: usize>(parts: [(&str, T); N]) -> BTreeMap<String, T> {
    parts.into_iter().map(|(name, part)| (name.to_owned(), part)).collect()
}

fn upstream(origins: &[SocketAddr]) -> balance::Config {
    // A socket address is always a well-formed one.
    let address = |at: &SocketAddr| at.to_string().parse::<Address>().ok();
    let health = CheckConfig {
        path: "/api/time".to_owned(),
        interval: Duration::from_secs(2),
        timeout: Duration::from_secs(1),
        ..CheckConfig::default()
    };
    balance::Config {
        endpoints: origins.iter().filter_map(address).map(Endpoint::new).collect(),
        health: Some(health),
        ..balance::Config::default()
    }
}

fn limit(per_second: u32, burst: u32) -> ratelimit::Config {
    let per_second = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
    ratelimit::Config {
        rate: Rate::per_second(per_second),
        burst: NonZeroU32::new(burst),
        ..ratelimit::Config::default()
    }
}

fn route(name: &str, path: &str) -> Route {
    Route {
        name: Some(name.to_owned()),
        path: path.to_owned(),
        upstream: Some("shop".to_owned()),
        cache: Some("pages".to_owned()),
        in_flight: Some("shop".to_owned()),
        compress: Some(compress::Config::default()),
        ..Route::default()
    }
}
