//! `Recorder`: receives everything that is measured through the `metrics` facade.

use std::borrow::Cow;

use metrics::{Key, KeyName, Metadata, SharedString, Unit};

use crate::config::Config;
use crate::error::{ConfigError, InstallError};
use crate::handle::Handle;
use crate::histogram::Cells;
use crate::instrument::{CounterCell, GaugeCell};
use crate::registry::Series;
use crate::snapshot::Kind;

/// Receives what Verve's crates and all others measure through the `metrics` facade.
///
/// Install it first thing in `main`: handles that were taken before stay silent for ever.
///
/// ```no_run
/// let measured = vmetrics::Recorder::new().install()?;
/// println!("{}", measured.render());
/// # Ok::<(), vmetrics::InstallError>(())
/// ```
///
/// In tests, keep it local to a thread:
///
/// ```
/// let recorder = vmetrics::Recorder::new();
/// metrics::with_local_recorder(&recorder, || metrics::counter!("jobs_total").increment(2));
/// assert!(recorder.handle().render().contains("jobs_total 2\n"));
/// ```
#[derive(Debug, Default)]
#[must_use = "a recorder receives nothing until it is installed or used locally"]
pub struct Recorder {
    handle: Handle,
}

impl Recorder {
    /// A recorder under the default [`Config`].
    pub fn new() -> Self {
        Self::default()
    }

    /// A recorder under `config`.
    ///
    /// # Errors
    ///
    /// Fails when a cap is zero or a list of buckets is not ascending.
    pub fn with_config(config: Config) -> Result<Self, ConfigError> {
        let handle = Handle::with_config(config)?;
        Ok(Self { handle })
    }

    /// Makes this the recorder of the whole process.
    ///
    /// # Errors
    ///
    /// Fails when the process already has one.
    pub fn install(self) -> Result<Handle, InstallError> {
        let handle = self.handle.clone();
        metrics::set_global_recorder(self).map_err(|_| InstallError)?;
        Ok(handle)
    }

    /// Reads what this recorder received.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    fn series(&self, kind: Kind, key: &Key) -> Option<Series> {
        let labels = key.labels().map(|label| (label.key(), label.value()));
        self.handle.registry().series(kind, key.name(), labels)
    }

    fn describe(&self, kind: Kind, name: &KeyName, unit: Option<Unit>, text: SharedString) {
        let unit = unit.filter(|unit| *unit != Unit::Count);
        self.handle.registry().describe(
            kind,
            name.as_str(),
            unit.map(|unit| unit.as_str()),
            Cow::Owned(text.into_owned()),
        );
    }
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.describe(Kind::Counter, &key, unit, description);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.describe(Kind::Gauge, &key, unit, description);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.describe(Kind::Histogram, &key, unit, description);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> metrics::Counter {
        match self.series(Kind::Counter, key) {
            Some(Series::Counter(counter)) => metrics::Counter::from_arc(counter.0),
            _ => metrics::Counter::noop(),
        }
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> metrics::Gauge {
        match self.series(Kind::Gauge, key) {
            Some(Series::Gauge(gauge)) => metrics::Gauge::from_arc(gauge.0),
            _ => metrics::Gauge::noop(),
        }
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> metrics::Histogram {
        match self.series(Kind::Histogram, key) {
            Some(Series::Histogram(histogram)) => metrics::Histogram::from_arc(histogram.0),
            _ => metrics::Histogram::noop(),
        }
    }
}

impl metrics::CounterFn for CounterCell {
    fn increment(&self, value: u64) {
        self.grow(value);
    }

    fn absolute(&self, value: u64) {
        self.grow_to(value);
    }
}

impl metrics::GaugeFn for GaugeCell {
    fn increment(&self, value: f64) {
        self.add(value);
    }

    fn decrement(&self, value: f64) {
        self.add(-value);
    }

    fn set(&self, value: f64) {
        self.store(value);
    }
}

impl metrics::HistogramFn for Cells {
    fn record(&self, value: f64) {
        self.add(value, 1);
    }

    fn record_many(&self, value: f64, count: usize) {
        self.add(value, u64::try_from(count).unwrap_or(u64::MAX));
    }
}
