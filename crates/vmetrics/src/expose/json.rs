//! Everything measured as JSON, quantiles included, for people without a Prometheus.

use serde_json::{Map, Value as Json, json};

use crate::histogram::HistogramSnapshot;
use crate::label::Labels;
use crate::snapshot::{Metric, Sample, Value};

/// The document of all `metrics`. A gauge that is not finite is `null`: JSON has no such number.
pub(crate) fn render(metrics: impl Iterator<Item = Metric>) -> String {
    let metrics: Vec<Json> = metrics.map(|metric| of_metric(&metric)).collect();
    json!({ "metrics": metrics }).to_string()
}

fn of_metric(metric: &Metric) -> Json {
    let mut json = json!({
        "name": &*metric.name,
        "kind": metric.kind.name(),
        "help": metric.help.trim(),
        "series": metric.samples.iter().map(of_sample).collect::<Vec<_>>(),
    });
    if let (Some(unit), Some(map)) = (metric.unit, json.as_object_mut()) {
        map.insert("unit".to_owned(), unit.into());
    }
    json
}

fn of_sample(sample: &Sample) -> Json {
    let mut map = Map::new();
    map.insert("labels".to_owned(), of_labels(&sample.labels));
    match &sample.value {
        Value::Whole(n) => {
            map.insert("value".to_owned(), (*n).into());
        }
        Value::Float(n) => {
            map.insert("value".to_owned(), (*n).into());
        }
        Value::Histogram(histogram) => add_histogram(histogram, &mut map),
    }
    Json::Object(map)
}

fn of_labels(labels: &Labels) -> Json {
    labels
        .iter()
        .map(|(name, value)| (name.to_owned(), Json::from(value)))
        .collect::<Map<_, _>>()
        .into()
}

fn add_histogram(histogram: &HistogramSnapshot, map: &mut Map<String, Json>) {
    map.insert("count".to_owned(), histogram.count().into());
    map.insert("sum".to_owned(), histogram.sum().into());
    map.insert("mean".to_owned(), histogram.mean().into());
    for (name, q) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)] {
        map.insert(name.to_owned(), histogram.quantile(q).into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::handle::Handle;

    #[test]
    fn every_kind_has_its_numbers() {
        let handle = Handle::with_config(Config {
            buckets: vec![1.0, 2.0],
            process: false,
            ..Config::default()
        })
        .unwrap();
        handle.counter("a_total", &[("k", "v")]).increment(2);
        handle.gauge("b", &[]).set(f64::NAN);
        handle.histogram("c_seconds", &[]).record(2.0);
        let _ = handle.histogram("d_seconds", &[]);
        let read: Json = serde_json::from_str(&handle.json()).unwrap();
        let series = |n: usize| read["metrics"][n]["series"][0].clone();
        assert_eq!(read["metrics"][0]["kind"], "counter");
        assert_eq!(series(0), json!({ "labels": { "k": "v" }, "value": 2 }));
        assert_eq!(series(1)["value"], Json::Null);
        assert_eq!(series(2)["count"], 1);
        assert_eq!(series(2)["p50"], 1.5);
        assert_eq!(series(3)["p99"], Json::Null);
    }
}
