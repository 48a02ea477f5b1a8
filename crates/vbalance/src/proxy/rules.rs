//! What all requests of a proxy share.

use std::time::Duration;

use vhttp::BoxError;

use crate::balance::Upstream;
use crate::proxy::forward::Forward;
use crate::proxy::upgrade::Tunnels;
use crate::retry::policy::Failure;

/// Tells what an error of the client service means.
pub(crate) type Classify = dyn Fn(&BoxError) -> Failure + Send + Sync;

/// The settings and the live parts of a proxy, checked.
pub(crate) struct Rules {
    pub(crate) upstream: Upstream,
    pub(crate) forward: Forward,
    pub(crate) classify: Box<Classify>,
    pub(crate) tunnels: Tunnels,
    pub(crate) upgrade: bool,
    pub(crate) tries: u8,
    pub(crate) head_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) tunnel_idle: Duration,
    pub(crate) deadline: Option<Duration>,
}
