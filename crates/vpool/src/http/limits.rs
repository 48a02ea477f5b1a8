//! What one origin is held to.

use std::time::Duration;

use crate::http::config::{Config, Http2};
use crate::metrics::Meters;

/// The settings that the books of an origin need, and where they report.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) max_connections: usize,
    pub(crate) max_idle: usize,
    pub(crate) idle_timeout: Duration,
    pub(crate) max_waiting: usize,
    pub(crate) max_streams: usize,
    /// Whether a connection not opened yet will speak HTTP/2 for sure.
    pub(crate) prior_knowledge: bool,
    pub(crate) meters: Meters,
}

impl Limits {
    pub(crate) const fn new(config: &Config, meters: Meters) -> Self {
        Self {
            max_connections: config.max_connections,
            max_idle: config.max_idle,
            idle_timeout: config.idle_timeout,
            max_waiting: config.max_waiting,
            max_streams: config.http2_max_streams,
            prior_knowledge: matches!(config.http2, Http2::PriorKnowledge),
            meters,
        }
    }
}
