//! The shared HTTP cache of RFC 9111: a tower layer, and its rules as pure functions.
//!
//! Most people take [`HttpCache`] and [`CacheLayer`]. Who has a proxy of their own and wants only
//! the rules finds them in [`policy`].

mod answer;
mod cache;
mod clock;
mod collapse;
mod config;
mod encodings;
mod engine;
mod fetch;
mod fill;
mod freshness;
mod future;
mod generation;
mod inquiry;
mod keep;
mod key;
mod layer;
mod metrics;
pub mod policy;
mod refresh;
mod service;
mod status;
mod stored;
mod terms;
mod variants;
mod vary;
mod wait;

pub use cache::{HttpCache, HttpStats};
pub use config::{BuildError, Config, SetCookie};
pub use encodings::Encode;
pub use freshness::{Exchange, Freshness, explicit_lifetime};
pub use future::ResponseFuture;
pub use key::Key;
pub use layer::CacheLayer;
pub use service::Cache;
pub use terms::Terms;
pub use vary::{VaryKey, names as vary_names};
