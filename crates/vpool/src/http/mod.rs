//! The pooled HTTP client: connections kept per origin, bounded, and never lost track of.
//!
//! [`Client`] is a tower service. It sends each request to the origin in its absolute-form URI.

mod body;
mod books;
mod client;
mod config;
mod conn;
mod dial;
mod error;
mod exchange;
mod explain;
mod hold;
mod idle;
mod limits;
mod origin;
mod request;
mod shared;
mod site;
mod stats;
mod table;
#[cfg(feature = "tls")]
mod tls;
mod traffic;
mod upload;

pub use client::{Builder, Client, ResponseFuture};
pub use config::{Config, Http2};
pub use error::{BuildError, ClientError, ErrorKind};
pub use origin::Origin;
pub use stats::OriginStats;
#[cfg(feature = "tls")]
pub use tls::TlsConfig;
