//! Metrics as they were at one moment: what every exposition reads.

use std::borrow::Cow;
use std::sync::Arc;

use crate::histogram::HistogramSnapshot;
use crate::label::Labels;

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    /// The kind's name in every format.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric with all its series, sorted by labels.
#[derive(Debug)]
pub(crate) struct Metric {
    pub(crate) name: Arc<str>,
    pub(crate) kind: Kind,
    pub(crate) help: Cow<'static, str>,
    pub(crate) unit: Option<&'static str>,
    pub(crate) samples: Vec<Sample>,
}

impl Metric {
    /// A metric that is read when it is asked for.
    pub(crate) fn read(
        name: &'static str,
        kind: Kind,
        help: &'static str,
        samples: Vec<Sample>,
    ) -> Self {
        Self { name: name.into(), kind, help: help.into(), unit: None, samples }
    }
}

/// One series and its value.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) labels: Arc<Labels>,
    pub(crate) value: Value,
}

impl Sample {
    /// A series without labels.
    pub(crate) fn plain(value: Value) -> Self {
        Self { labels: Arc::new(Labels::none()), value }
    }
}

/// The value of one series.
#[derive(Debug)]
pub(crate) enum Value {
    Whole(u64),
    Float(f64),
    Histogram(HistogramSnapshot),
}
