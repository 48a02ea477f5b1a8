//! The caps and buckets of a registry.

use std::collections::BTreeMap;

use crate::histogram::SECONDS;

/// Caps and buckets of everything that is measured.
///
/// What the caps turn away is counted in `vmetrics_series_dropped_total` and lands in one series
/// `{overflow="true"}` of its metric, so that sums stay right.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Config {
    /// Most metric names. Default: 2,000. Names beyond it are not measured at all.
    pub max_metrics: usize,
    /// Most series (label sets) of one metric. Default: 1,000. A histogram of the default buckets
    /// is 17 lines of a scrape per series, and about 1.3 KiB of memory on 8 cores.
    pub max_series_per_metric: usize,
    /// Most series of all metrics together, overflow series aside. Default: 20,000. Worst case
    /// of memory: 26 MiB when all are histograms on 8 cores.
    pub max_series: usize,
    /// Longest label value, in bytes. Default: 256. Longer values are cut, so that values which
    /// differ only after the cut become one series.
    pub max_label_bytes: usize,
    /// Upper bounds of the buckets of histograms, ascending. Default: OpenTelemetry's 14 bounds
    /// for seconds, 5 ms to 10 s. Histograms whose names end in `_bytes` have 256 B to 256 MiB
    /// instead. Each bound is one more line of a scrape per series.
    pub buckets: Vec<f64>,
    /// Upper bounds for single metrics, by their names as exposed. Default: none. An objective's
    /// threshold should be one of its metric's bounds.
    pub metric_buckets: BTreeMap<String, Vec<f64>>,
    /// Whether a scrape carries the `process_*` metrics. Default: true. Costs a few reads of
    /// `/proc/self` a scrape; without effect where there is no such thing.
    pub process: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_metrics: 2_000,
            max_series_per_metric: 1_000,
            max_series: 20_000,
            max_label_bytes: 256,
            buckets: SECONDS.to_vec(),
            metric_buckets: BTreeMap::new(),
            process: true,
        }
    }
}
