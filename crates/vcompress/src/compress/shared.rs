//! What the services of one layer share.

use std::sync::Arc;

use crate::config::Config;
use crate::metrics::Meters;

/// What every service of a layer shares.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) meters: Arc<Meters>,
}
