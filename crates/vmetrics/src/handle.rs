//! `Handle`: what one holds of everything that is measured, to measure and to read.

use std::borrow::Cow;
use std::sync::Arc;

use crate::config::Config;
use crate::error::ConfigError;
use crate::expose::source::Source;
use crate::expose::{json, prometheus};
use crate::histogram::Histogram;
use crate::instrument::{Counter, Gauge};
use crate::process;
use crate::registry::{Registry, Series};
#[cfg(feature = "runtime")]
use crate::runtime::{NoRuntime, Runtimes};
use crate::snapshot::{Kind, Metric, Sample, Value};

/// Everything that is measured: takes handles of series, and renders them all.
///
/// Clones share one registry. Take handles ([`Counter`], [`Gauge`], [`Histogram`]) once and keep
/// them: taking one looks the series up, using one is an atomic addition.
///
/// ```
/// let measured = vmetrics::Recorder::new().handle();
/// let sent = measured.counter("mails_sent_total", &[("kind", "welcome")]);
/// sent.increment(1);
/// assert!(measured.render().contains("mails_sent_total{kind=\"welcome\"} 1\n"));
/// ```
#[derive(Debug, Clone)]
pub struct Handle {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    registry: Registry,
    process: bool,
    #[cfg(feature = "runtime")]
    runtimes: Runtimes,
}

impl Default for Handle {
    fn default() -> Self {
        // The default settings are valid, which a test holds.
        #[expect(clippy::expect_used, reason = "a constant that a test checks")]
        Self::with_config(Config::default()).expect("the default settings are valid")
    }
}

impl Handle {
    /// An empty registry under `config`.
    pub(crate) fn with_config(config: Config) -> Result<Self, ConfigError> {
        let process = config.process;
        let inner = Inner {
            registry: Registry::new(config)?,
            process,
            #[cfg(feature = "runtime")]
            runtimes: Runtimes::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.inner.registry
    }

    /// The counter `name` with `labels`. A name without `_total` at its end gets it.
    ///
    /// Names are made valid, labels sorted, long values cut. When a cap is reached this is the
    /// metric's overflow series; when the name cannot be had (too many names, or it belongs to a
    /// metric of another kind), a counter that is in no scrape.
    #[must_use]
    pub fn counter(&self, name: &str, labels: &[(&str, &str)]) -> Counter {
        match self.series(Kind::Counter, name, labels) {
            Some(Series::Counter(counter)) => counter,
            _ => Counter::default(),
        }
    }

    /// The gauge `name` with `labels`; names and caps as for [`counter`](Self::counter).
    #[must_use]
    pub fn gauge(&self, name: &str, labels: &[(&str, &str)]) -> Gauge {
        match self.series(Kind::Gauge, name, labels) {
            Some(Series::Gauge(gauge)) => gauge,
            _ => Gauge::default(),
        }
    }

    /// The histogram `name` with `labels`; names and caps as for [`counter`](Self::counter),
    /// buckets as [`Config`] says.
    #[must_use]
    pub fn histogram(&self, name: &str, labels: &[(&str, &str)]) -> Histogram {
        match self.series(Kind::Histogram, name, labels) {
            Some(Series::Histogram(histogram)) => histogram,
            _ => self.registry().new_histogram(name),
        }
    }

    /// Describes a counter; the last description counts.
    pub fn describe_counter(&self, name: &str, help: impl Into<Cow<'static, str>>) {
        self.registry().describe(Kind::Counter, name, None, help.into());
    }

    /// Describes a gauge; the last description counts.
    pub fn describe_gauge(&self, name: &str, help: impl Into<Cow<'static, str>>) {
        self.registry().describe(Kind::Gauge, name, None, help.into());
    }

    /// Describes a histogram; the last description counts.
    pub fn describe_histogram(&self, name: &str, help: impl Into<Cow<'static, str>>) {
        self.registry().describe(Kind::Histogram, name, None, help.into());
    }

    /// Adds the figures of the tokio runtime that this is called in, under `{worker="…"}`.
    ///
    /// # Errors
    ///
    /// Fails outside a runtime, and beyond 1,024 runtimes.
    #[cfg(feature = "runtime")]
    pub fn watch_runtime(&self, worker: &str) -> Result<(), NoRuntime> {
        self.inner.runtimes.watch_current(worker)
    }

    /// How many series are held, overflow series aside.
    #[must_use]
    pub fn series_held(&self) -> usize {
        self.registry().len()
    }

    /// How many look-ups of series the caps turned away.
    #[must_use]
    pub fn series_dropped(&self) -> u64 {
        self.registry().dropped()
    }

    /// Everything in Prometheus' text format 0.0.4, sorted by name and labels.
    ///
    /// Holds up nobody who measures. Large registries cost milliseconds of the calling thread;
    /// [`ExposeService`](https://docs.rs/vmetrics/latest/vmetrics/struct.ExposeService.html)
    /// renders metric by metric instead.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        for source in self.sources() {
            prometheus::write(&source.into_metric(), &mut text);
        }
        text
    }

    /// Everything as JSON, with p50, p90 and p99 estimated from the buckets of histograms:
    /// `{"metrics":[{"name","kind","help","series":[{"labels","value"}]}]}`, histograms with
    /// `count`, `sum`, `mean`, `p50`, `p90`, `p99` instead of `value`.
    #[must_use]
    pub fn json(&self) -> String {
        let metrics = self.sources().into_iter().map(Source::into_metric);
        json::render(metrics)
    }

    /// All metrics with anything in them, sorted by name. What is registered wins over what is
    /// read on demand, so that no name comes twice.
    pub(crate) fn sources(&self) -> Vec<Source> {
        let families = self.registry().families();
        let mut sources: Vec<Source> = families
            .into_iter()
            .filter(|family| !family.is_empty())
            .map(Source::Registered)
            .collect();
        sources.extend(self.read_on_demand().into_iter().map(Source::Read));
        // Stable: of two with one name the registered one stays first.
        sources.sort_by(|a, b| a.name().cmp(b.name()));
        sources.dedup_by(|later, kept| later.name() == kept.name());
        sources
    }

    fn read_on_demand(&self) -> Vec<Metric> {
        let mut metrics = self.own_metrics();
        if self.inner.process {
            metrics.extend(process::metrics());
        }
        #[cfg(feature = "runtime")]
        metrics.extend(self.inner.runtimes.metrics());
        metrics
    }

    fn own_metrics(&self) -> Vec<Metric> {
        let held = u64::try_from(self.series_held()).unwrap_or(u64::MAX);
        vec![
            Metric::read(
                "vmetrics_series",
                Kind::Gauge,
                "Series held in the registry, overflow series aside.",
                vec![Sample::plain(Value::Whole(held))],
            ),
            Metric::read(
                "vmetrics_series_dropped_total",
                Kind::Counter,
                "Look-ups of series that a cap turned away.",
                vec![Sample::plain(Value::Whole(self.series_dropped()))],
            ),
        ]
    }

    fn series(&self, kind: Kind, name: &str, labels: &[(&str, &str)]) -> Option<Series> {
        self.registry().series(kind, name, labels.iter().copied())
    }
}
