//! Prometheus' text format, version 0.0.4.
//!
//! Source: Prometheus documentation, "Exposition formats", text-based format.

use std::fmt::Write as _;

use crate::histogram::HistogramSnapshot;
use crate::label::{Labels, escape_help, escape_value};
use crate::snapshot::{Metric, Value};

/// The media type of the format.
#[cfg(feature = "http")]
pub(crate) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Stands in for a missing description, because a scrape without one is a finding of
/// `promtool check metrics`.
const NO_HELP: &str = "No description.";

/// Appends `metric` with its HELP and TYPE lines.
pub(crate) fn write(metric: &Metric, out: &mut String) {
    write_head(metric, out);
    for sample in &metric.samples {
        match &sample.value {
            Value::Whole(n) => write_line(&metric.name, "", &sample.labels, None, n, out),
            Value::Float(n) => {
                write_line(&metric.name, "", &sample.labels, None, &Number(*n), out);
            }
            Value::Histogram(histogram) => {
                write_histogram(&metric.name, &sample.labels, histogram, out);
            }
        }
    }
}

fn write_head(metric: &Metric, out: &mut String) {
    let (name, kind) = (&*metric.name, metric.kind.name());
    out.push_str("# HELP ");
    out.push_str(name);
    out.push(' ');
    let help = metric.help.trim();
    escape_help(if help.is_empty() { NO_HELP } else { help }, out);
    // The format has no UNIT line; a name should end in its unit, and if it does not, say it.
    if let Some(unit) = metric.unit.filter(|unit| !name.contains(unit)) {
        let _ = write!(out, " Unit: {unit}.");
    }
    let _ = writeln!(out, "\n# TYPE {name} {kind}");
}

fn write_histogram(name: &str, labels: &Labels, histogram: &HistogramSnapshot, out: &mut String) {
    let mut cumulative = 0;
    let bounds = histogram.bounds().iter().copied().chain([f64::INFINITY]);
    for (bound, count) in bounds.zip(histogram.counts()) {
        cumulative += count;
        write_line(name, "_bucket", labels, Some(bound), &cumulative, out);
    }
    let sum = Number(histogram.sum());
    write_line(name, "_sum", labels, None, &sum, out);
    write_line(name, "_count", labels, None, &cumulative, out);
}

fn write_line(
    name: &str,
    suffix: &str,
    labels: &Labels,
    bound: Option<f64>,
    value: &dyn std::fmt::Display,
    out: &mut String,
) {
    out.push_str(name);
    out.push_str(suffix);
    let mut separator = '{';
    for (label, value) in labels.iter() {
        out.push(separator);
        out.push_str(label);
        out.push_str("=\"");
        escape_value(value, out);
        out.push('"');
        separator = ',';
    }
    if let Some(bound) = bound {
        let _ = write!(out, "{separator}le=\"{}\"", Number(bound));
        separator = ',';
    }
    if separator == ',' {
        out.push('}');
    }
    let _ = writeln!(out, " {value}");
}

/// A float as Go writes it where Rust differs; writing to a `String` cannot fail.
struct Number(f64);

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            n if n == f64::INFINITY => f.write_str("+Inf"),
            n if n == f64::NEG_INFINITY => f.write_str("-Inf"),
            n => write!(f, "{n}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::handle::Handle;

    fn handle() -> Handle {
        Handle::with_config(Config { buckets: vec![0.5, 1.0], process: false, ..Config::default() })
            .unwrap()
    }

    #[test]
    fn metrics_are_sorted_described_and_escaped() {
        let handle = handle();
        handle.describe_counter("b_total", "Two \\ lines\nof help.");
        handle.counter("b", &[("path", "a\"b\\c\nd")]).increment(3);
        handle.counter("b", &[]).increment(1);
        handle.gauge("a", &[]).set(-0.25);
        assert_eq!(
            handle.render(),
            "# HELP a No description.\n\
             # TYPE a gauge\n\
             a -0.25\n\
             # HELP b_total Two \\\\ lines\\nof help.\n\
             # TYPE b_total counter\n\
             b_total 1\n\
             b_total{path=\"a\\\"b\\\\c\\nd\"} 3\n\
             # HELP vmetrics_series Series held in the registry, overflow series aside.\n\
             # TYPE vmetrics_series gauge\n\
             vmetrics_series 3\n\
             # HELP vmetrics_series_dropped_total Look-ups of series that a cap turned away.\n\
             # TYPE vmetrics_series_dropped_total counter\n\
             vmetrics_series_dropped_total 0\n"
        );
    }

    #[test]
    fn buckets_are_cumulative_and_end_with_infinity() {
        let handle = handle();
        let histogram = handle.histogram("x_seconds", &[("route", "r")]);
        for value in [0.25, 0.5, 0.75, 3.0] {
            histogram.record(value);
        }
        assert!(handle.render().contains(
            "# TYPE x_seconds histogram\n\
             x_seconds_bucket{route=\"r\",le=\"0.5\"} 2\n\
             x_seconds_bucket{route=\"r\",le=\"1\"} 3\n\
             x_seconds_bucket{route=\"r\",le=\"+Inf\"} 4\n\
             x_seconds_sum{route=\"r\"} 4.5\n\
             x_seconds_count{route=\"r\"} 4\n"
        ));
    }

    #[test]
    fn what_was_only_described_is_not_exposed() {
        let handle = handle();
        handle.describe_gauge("quiet", "Nothing yet.");
        assert!(!handle.render().contains("quiet"));
    }

    #[test]
    fn odd_floats_are_written_as_prometheus_reads_them() {
        let handle = handle();
        handle.gauge("a", &[]).set(f64::INFINITY);
        handle.gauge("b", &[]).set(f64::NEG_INFINITY);
        handle.gauge("c", &[]).set(f64::NAN);
        let text = handle.render();
        assert!(text.contains("\na +Inf\n") && text.contains("\nb -Inf\n"));
        assert!(text.contains("\nc NaN\n"));
    }
}
