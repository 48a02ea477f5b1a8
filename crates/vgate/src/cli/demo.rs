//! `vgate demo`: everything at work, to look at and to try.

use std::io::IsTerminal as _;
use std::net::{Ipv4Addr, SocketAddr};

use clap::Args;
use verve::pool::http::Client;
use verve::unit::Rate;

use crate::demo::banner::banner;
use crate::demo::load::Load;
use crate::demo::{config, start_origins};
use crate::exit::Failure;
use crate::gateway::{Gateway, runtime};
use crate::logging::{self, LogConfig, coloured};
use crate::say::{failed, say};

/// The flags of `vgate demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// The gateway's port; 0 lets the system pick one.
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    port: u16,

    /// The admin listener's port; 0 lets the system pick one.
    #[arg(long, value_name = "PORT", default_value_t = 9900)]
    admin_port: u16,

    /// Drive traffic at itself.
    #[arg(long, value_name = "RATE", num_args = 0..=1, default_missing_value = "200/s")]
    load: Option<Rate>,
}

impl Demo {
    pub(super) fn execute(self) -> Result<(), Failure> {
        logging::start(&LogConfig::default());
        runtime()?.block_on(self.serve())
    }

    async fn serve(self) -> Result<(), Failure> {
        let origins = start_origins().map_err(|e| failed(&format!("error: no origins: {e}")))?;
        let here = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let config = config(here(self.port), here(self.admin_port), &origins);
        let client = Client::builder().build();
        let client = client.map_err(|e| failed(&format!("error: {e}")))?;
        let mut load = None;
        let served = Gateway::new(config).serve(|addresses| {
            let admin = addresses.admin.unwrap_or_else(|| here(self.admin_port));
            let Some(gateway) = addresses.listeners.first().copied() else {
                return;
            };
            let colours = coloured(std::io::stdout().is_terminal());
            say(&banner(gateway, admin, &origins, colours));
            load = self.load.map(|rate| Load::start(gateway, rate, &client));
        });
        let served = served.await;
        drop(load);
        served
    }
}
