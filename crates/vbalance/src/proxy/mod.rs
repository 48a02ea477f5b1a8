//! The reverse proxy before an upstream, generic over the HTTP client that it asks through.

mod answer;
mod attempt;
mod body;
pub(crate) mod builder;
pub(crate) mod config;
mod forward;
pub(crate) mod future;
mod known;
mod lend;
mod rules;
pub(crate) mod service;
pub(crate) mod upgrade;
mod via;
pub(crate) mod vouch;
