//! What happens is counted under the names that the documentation gives.
#![cfg(feature = "metrics")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    with_local_recorder,
};
use vbalance::{Config, Outcome, Policy, Upstream};

/// Keeps every series by its name and labels.
#[derive(Default)]
struct Series {
    counters: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    gauges: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
}

impl Series {
    fn slot(map: &Mutex<BTreeMap<String, Arc<AtomicU64>>>, key: &Key) -> Arc<AtomicU64> {
        let labels: Vec<_> =
            key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let name = format!("{}{{{}}}", key.name(), labels.join(","));
        Arc::clone(map.lock().unwrap().entry(name).or_default())
    }

    fn counter(&self, name: &str) -> u64 {
        self.counters.lock().unwrap()[name].load(Ordering::Relaxed)
    }

    fn gauge(&self, name: &str) -> f64 {
        f64::from_bits(self.gauges.lock().unwrap()[name].load(Ordering::Relaxed))
    }
}

impl Recorder for Series {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Self::slot(&self.counters, key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(Self::slot(&self.gauges, key))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn outcomes_ejections_and_panic_are_counted() {
    let series = Series::default();
    let config = Config {
        endpoints: vec!["a:1".parse().unwrap(), "b:1".parse().unwrap()],
        policy: Policy::RoundRobin,
        ..Config::default()
    };
    let upstream = Upstream::builder("shop").config(config);
    let upstream = with_local_recorder(&series, || upstream.build().unwrap());
    let held = upstream.pick().unwrap();
    assert!((series.gauge("vbalance_in_flight{upstream=shop,endpoint=a:1}") - 1.0).abs() < 0.1);
    drop(held);
    for _ in 0..6 {
        let mut lease = upstream.pick().unwrap();
        let outcome = match &**lease.address().name() {
            "a:1" => Outcome::Unreachable,
            _ => Outcome::Success,
        };
        lease.report(outcome);
    }
    let requests = |labels: &str| series.counter(&format!("vbalance_requests_total{{{labels}}}"));
    assert_eq!(requests("upstream=shop,endpoint=a:1,outcome=abandoned"), 1);
    assert_eq!(requests("upstream=shop,endpoint=a:1,outcome=unreachable"), 3);
    assert_eq!(requests("upstream=shop,endpoint=b:1,outcome=success"), 3);
    assert_eq!(series.counter("vbalance_ejections_total{upstream=shop,endpoint=a:1}"), 1);
    let healthy = |name: &str| {
        series.gauge(&format!("vbalance_endpoint_healthy{{upstream=shop,endpoint={name}}}"))
    };
    assert!(healthy("a:1") < 0.5 && healthy("b:1") > 0.5);
    // The last one stays, however it fails.
    for _ in 0..3 {
        upstream.pick().unwrap().report(Outcome::Unreachable);
    }
    assert_eq!(series.counter("vbalance_ejections_refused_total{upstream=shop}"), 1);
    // Only an ejected endpoint is left: marks are ignored.
    upstream.drain(&"b:1".parse().unwrap(), true);
    assert_eq!(series.counter("vbalance_panics_total{upstream=shop}"), 1);
    assert!(series.gauge("vbalance_panic{upstream=shop}") > 0.5);
    upstream.drain(&"b:1".parse().unwrap(), false);
    assert!(series.gauge("vbalance_panic{upstream=shop}") < 0.5);
}
