#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod accept;
mod config;
mod conn;
mod error;
mod fault;
mod listener;
mod metrics;
mod monitor;
mod serve;
mod site;
mod stats;
mod tls;
mod trouble;
mod worker;

pub use config::{Config, Http2Config, TlsConfig};
pub use error::{BindError, ConfigError, ServeError, TlsError};
pub use monitor::Monitor;
pub use serve::{Drained, Running, Server, serve_on};
pub use stats::Stats;
pub use worker::WorkerId;
