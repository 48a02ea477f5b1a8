#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod address;
mod balance;
mod builder;
mod cause;
mod config;
mod endpoint;
mod error;
mod health;
mod metrics;
mod pick;
#[cfg(feature = "proxy")]
mod proxy;
mod random;
#[cfg(feature = "proxy")]
mod retry;
mod set;
mod state;
mod status;
mod statuses;
mod table;
#[cfg(feature = "serde")]
mod text;

pub use address::{Address, AddressError};
pub use balance::{EndpointStatus, Lease, Upstream, UpstreamStatus};
pub use builder::Builder;
pub use config::{CheckConfig, Config, OutlierConfig};
pub use endpoint::Endpoint;
pub use error::{BuildError, EndpointsError};
pub use health::active::Checks;
pub use health::outlier::Outcome;
pub use pick::{P2c, Pick, Policy, RoundRobin, WeightedRoundRobin};
#[cfg(feature = "proxy")]
pub use proxy::builder::ProxyBuilder;
#[cfg(feature = "proxy")]
pub use proxy::config::{HostPolicy, ProxyConfig};
#[cfg(feature = "proxy")]
pub use proxy::future::ProxyFuture;
#[cfg(feature = "proxy")]
pub use proxy::service::Proxy;
#[cfg(feature = "proxy")]
pub use proxy::upgrade::Tunnels;
#[cfg(feature = "proxy")]
pub use proxy::vouch::{Vouch, VouchLayer};
#[cfg(feature = "proxy")]
pub use retry::policy::Failure;
pub use statuses::{StatusRange, StatusRangeError};
pub use table::Table;
