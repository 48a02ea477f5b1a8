//! Where a metric of a scrape comes from.

use std::sync::Arc;

use crate::registry::Family;
use crate::snapshot::Metric;

/// One metric to expose; its series are copied only when it is its turn.
#[derive(Debug)]
pub(crate) enum Source {
    Registered(Arc<Family>),
    Read(Metric),
}

impl Source {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Registered(family) => family.name(),
            Self::Read(metric) => &metric.name,
        }
    }

    pub(crate) fn into_metric(self) -> Metric {
        match self {
            Self::Registered(family) => family.snapshot(),
            Self::Read(metric) => metric,
        }
    }
}
