#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod config;
mod error;
#[cfg(feature = "exporter")]
pub mod exporter;
mod expose;
mod handle;
#[cfg(feature = "health")]
pub mod health;
mod histogram;
#[cfg(feature = "http")]
mod http;
mod instrument;
mod label;
mod process;
mod recorder;
mod registry;
#[cfg(feature = "runtime")]
mod runtime;
mod snapshot;

pub use config::Config;
pub use error::{ConfigError, InstallError};
#[cfg(feature = "http")]
pub use expose::service::ExposeService;
pub use handle::Handle;
pub use histogram::{Histogram, HistogramSnapshot};
#[cfg(feature = "http")]
pub use http::{Metrics, MetricsLayer, ResponseFuture};
pub use instrument::{Counter, Gauge};
pub use recorder::Recorder;
#[cfg(feature = "runtime")]
pub use runtime::NoRuntime;
