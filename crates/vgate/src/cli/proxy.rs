//! `vgate proxy`: the gateway in front of a few servers, without a file.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use clap::Args;
use verve::balance::{Address, Endpoint};
use verve::unit::{Rate, duration};
use verve::{cache, ratelimit};

use crate::config::route::Route;
use crate::config::{Admin, Config};
use crate::exit::Failure;
use crate::gateway::Gateway;
use crate::load::faults;
use crate::say::complain;

/// The flags of `vgate proxy`.
#[derive(Debug, Args)]
pub(crate) struct Proxy {
    /// A server to pass requests to; again for more than one. `http://host:port`, `host:port`
    /// or `:port`.
    #[arg(long, value_name = "URL", required = true)]
    to: Vec<Address>,

    /// Where clients connect.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// Where `/metrics`, `/health` and `/api/status` are answered.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9900")]
    admin: SocketAddr,

    /// Cache answers that do not say themselves how long they may be kept for this long, and
    /// the others as they say.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    cache: Option<Duration>,

    /// Allow each client address this many requests.
    #[arg(long, value_name = "RATE")]
    rate: Option<Rate>,

    /// Compress answers for clients that ask for it: zstd, brotli or gzip.
    #[arg(long)]
    compress: bool,

    /// Worker threads; one for each processor if not said.
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroUsize>,
}

impl Proxy {
    pub(super) fn execute(self) -> Result<(), Failure> {
        let config = self.config();
        let faults = faults(&config);
        if faults.is_empty() {
            return Gateway::new(config).run();
        }
        for (_, fault) in faults {
            complain(&format!("error: {fault}"));
        }
        Err(Failure::Config)
    }

    fn config(&self) -> Config {
        let mut config = Config::default();
        config.server.workers = self.workers;
        config.listeners =
            vec![verve::server::Config { listen: self.listen, ..Default::default() }];
        config.admin = Admin { listen: self.admin, ..Admin::default() };
        let endpoints = self.to.iter().cloned().map(Endpoint::new).collect();
        let upstream = verve::balance::Config { endpoints, ..Default::default() };
        config.upstreams.insert("origin".to_owned(), upstream);
        if let Some(ttl) = self.cache {
            let cache = cache::http::Config { default_ttl: Some(ttl), ..Default::default() };
            config.caches.insert("all".to_owned(), cache);
        }
        if let Some(rate) = self.rate {
            let limit = ratelimit::Config { rate, ..Default::default() };
            config.rate_limits.insert("all".to_owned(), limit);
        }
        config.routes = vec![self.route()];
        config
    }

    fn route(&self) -> Route {
        let all = || "all".to_owned();
        Route {
            name: Some(all()),
            upstream: Some("origin".to_owned()),
            cache: self.cache.map(|_| all()),
            rate_limit: self.rate.map(|_| all()),
            compress: self.compress.then(verve::compress::Config::default),
            ..Route::default()
        }
    }
}
