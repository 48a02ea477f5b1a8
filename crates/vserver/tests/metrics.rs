//! The metrics that a connection leaves behind.
#![cfg(feature = "metrics")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    dead_code,
    unreachable_pub,
    reason = "tests"
)]

mod fixture;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use fixture::{LONG, config, echo, raw, serve, until};
use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    with_local_recorder,
};

/// Keeps each series under its name and its labels without the listener.
#[derive(Default)]
struct Recorded(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

impl Recorded {
    fn series(&self, key: &Key) -> Arc<AtomicU64> {
        let mut name = key.name().to_owned();
        for label in key.labels().filter(|label| label.key() != "listener") {
            name.push_str(&format!(" {}={}", label.key(), label.value()));
        }
        self.0.lock().unwrap().entry(name).or_default().clone()
    }

    fn value(&self, name: &str) -> u64 {
        self.0.lock().unwrap()[name].load(SeqCst)
    }
}

impl Recorder for Recorded {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.series(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.series(key))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[tokio::test]
async fn connections_are_counted_by_what_became_of_them() {
    let recorded = Recorded::default();
    let server = with_local_recorder(&recorded, || serve(config(), echo(), LONG));
    let close = "GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
    raw(server.address, close).await;
    raw(server.address, "\u{1}\r\n\r\n").await;
    until(|| {
        server.running.monitor().stats().errors == 1 && server.running.monitor().stats().open == 0
    })
    .await;
    for (name, value) in [
        ("vserver_connections_accepted_total", 2),
        ("vserver_connections_negotiated_total protocol=http1", 2),
        ("vserver_connections_negotiated_total protocol=http2", 0),
        ("vserver_connections_refused_total reason=max_connections", 0),
        ("vserver_connection_errors_total kind=protocol", 1),
        ("vserver_connection_errors_total kind=io", 0),
        ("vserver_tls_handshake_failures_total", 0),
        ("vserver_accept_errors_total kind=resources", 0),
        // The gauge keeps the bits of 0.0.
        ("vserver_connections_open", 0),
    ] {
        assert_eq!(recorded.value(name), value, "{name}");
    }
}
