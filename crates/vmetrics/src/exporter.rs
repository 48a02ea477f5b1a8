//! Measuring through metrics-exporter-prometheus instead, for teams that already do.

use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use vtask::Task;

use crate::histogram::SECONDS;

/// How often queued samples are moved into buckets. Each histogram grows by 16.5 bytes a sample
/// until then.
const UPKEEP: Duration = Duration::from_secs(1);

/// The recorder of metrics-exporter-prometheus, kept up once a second; made by [`install`].
///
/// Dropping it ends the upkeep, not the recorder, which stays for the life of the process.
#[derive(Debug)]
#[must_use = "without upkeep the recorder keeps every sample"]
pub struct Exporter {
    handle: PrometheusHandle,
    upkeep: Task,
}

/// Why the exporter could not be installed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExporterError {
    /// The process already has a recorder: there can be one only, and the first stays.
    #[error("a recorder of metrics is already installed in this process")]
    Installed,
    /// There is no tokio runtime for the upkeep.
    #[error("the exporter's upkeep needs a tokio runtime")]
    NoRuntime,
}

/// Installs metrics-exporter-prometheus as the recorder of this process, with histograms of
/// OpenTelemetry's buckets instead of its summaries.
///
/// Take it only to keep what you have: it has no cap on series, and it queues every sample of a
/// histogram until the next upkeep or scrape. This crate's [`Recorder`](crate::recorder::Recorder)
/// has neither problem and records several times faster. [`MetricsLayer`] and `render` of
/// [`Handle`](crate::handle::Handle) do not use this recorder.
///
/// [`MetricsLayer`]: https://docs.rs/vmetrics/latest/vmetrics/struct.MetricsLayer.html
///
/// # Errors
///
/// See [`ExporterError`].
pub fn install() -> Result<Exporter, ExporterError> {
    tokio::runtime::Handle::try_current().map_err(|_| ExporterError::NoRuntime)?;
    let mut builder = PrometheusBuilder::new();
    // It refuses only an empty list, which this is not.
    if let Ok(with_buckets) = PrometheusBuilder::new().set_buckets(&SECONDS) {
        builder = with_buckets;
    }
    let handle = builder.install_recorder().map_err(|_| ExporterError::Installed)?;
    let kept_up = handle.clone();
    let upkeep = vtask::every(UPKEEP, 0.0, move || {
        kept_up.run_upkeep();
        std::future::ready(())
    });
    Ok(Exporter { handle, upkeep })
}

impl Exporter {
    /// Everything it received, in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Ends the upkeep and waits for a turn under way.
    ///
    /// Cancel safety: a dropped `stop` ends it too.
    pub async fn stop(self) {
        self.upkeep.stop().await;
    }
}
