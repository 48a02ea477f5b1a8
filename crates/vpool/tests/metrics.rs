//! What the pools report through the metrics facade.

#![cfg(all(feature = "metrics", feature = "http"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod objects;
mod origin;

use std::collections::HashMap;

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use objects::Objects;
use origin::{Origin, get, text};
use vpool::http::Client;

/// Every series as `name{label=value,…}`, counters and gauges only.
fn read(snapshotter: &Snapshotter) -> HashMap<String, f64> {
    let series = snapshotter.snapshot().into_vec().into_iter();
    let value = |value| match value {
        #[allow(clippy::cast_precision_loss, reason = "small numbers")]
        DebugValue::Counter(count) => count as f64,
        DebugValue::Gauge(gauge) => gauge.into_inner(),
        #[allow(clippy::cast_precision_loss, reason = "small numbers")]
        DebugValue::Histogram(samples) => samples.len() as f64,
    };
    series
        .map(|(key, _, _, debug)| {
            let mut labels: Vec<_> = key
                .key()
                .labels()
                .map(|label| format!("{}={}", label.key(), label.value()))
                .collect();
            labels.sort();
            (format!("{}{{{}}}", key.key().name(), labels.join(",")), value(debug))
        })
        .collect()
}

#[test]
fn both_pools_tell_what_they_do() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let origin = Origin::echo().await;
            let client = Client::builder().name("shop").build().unwrap();
            for _ in 0..3 {
                text(get(&client, &origin.uri("/")).await.unwrap()).await;
            }
            let pool = vpool::Pool::builder(Objects::default()).name("db").build().unwrap();
            let held = pool.get().await.unwrap();
            drop(pool.get().await.unwrap());

            let series = read(&snapshotter);
            for (name, value) in [
                ("vpool_connections{pool=shop,state=idle}", 1.0),
                ("vpool_connections{pool=shop,state=in-use}", 0.0),
                ("vpool_gets_total{outcome=opened,pool=shop}", 1.0),
                ("vpool_gets_total{outcome=reused,pool=shop}", 2.0),
                ("vpool_wait_seconds{pool=shop}", 3.0),
                ("vpool_connections{pool=db,state=idle}", 1.0),
                ("vpool_connections{pool=db,state=in-use}", 1.0),
                ("vpool_gets_total{outcome=opened,pool=db}", 2.0),
            ] {
                assert_eq!(series.get(name), Some(&value), "{name} in {series:?}");
            }
            drop((client, pool, held));
            // The recorder starts from zero after each look: one less than before.
            let series = read(&snapshotter);
            for gone in ["{pool=shop,state=idle}", "{pool=db,state=in-use}"] {
                let name = format!("vpool_connections{gone}");
                assert_eq!(series.get(&name), Some(&-1.0), "{name}");
            }
        });
    });
}
