//! The foreign recorder works behind the same facade.
#![cfg(feature = "exporter")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use vmetrics::exporter::{ExporterError, install};

// One test, because a process has one recorder.
#[test]
fn it_is_installed_once_and_within_a_runtime() {
    assert_eq!(install().unwrap_err(), ExporterError::NoRuntime);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let exporter = install().unwrap();
        assert_eq!(install().unwrap_err(), ExporterError::Installed);
        metrics::counter!("sent_total").increment(3);
        metrics::histogram!("wait_seconds").record(0.3);
        let text = exporter.render();
        assert!(text.contains("sent_total 3"), "{text}");
        assert!(text.contains("wait_seconds_bucket{le=\"0.5\"} 1"), "{text}");
        exporter.stop().await;
    });
}
