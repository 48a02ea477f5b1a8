//! Prometheus' own tool finds nothing to complain about in a scrape.
#![cfg(feature = "http")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::convert::Infallible;
use std::io::Write;
use std::process::{Command, Stdio};

use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use vhttp::Body;
use vmetrics::{MetricsLayer, Recorder};

/// Runs `promtool check metrics` over `text`; what it complains about, if anything.
fn complaints(text: &str) -> Option<String> {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is needed by this test: apt-get install prometheus");
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    (!output.status.success()).then(|| String::from_utf8(told).unwrap())
}

#[tokio::test]
async fn a_full_scrape_is_clean() {
    let recorder = Recorder::new();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        metrics::counter!("jobs.done", "queue" => "a\"b\\c\nd", "__name__" => "x").increment(1);
        metrics::gauge!("depth", "9lives" => "ü").set(f64::NEG_INFINITY);
        metrics::histogram!("size_bytes", "le" => "mine").record(1e6);
        metrics::describe_gauge!("depth", "A help\nof two \\ lines.");
    });
    let layer = MetricsLayer::new(&handle).first_byte(true);
    let service = layer.layer(service_fn(|_: Request<Body>| async {
        Ok::<_, Infallible>(Response::new(Body::full("x")))
    }));
    let request = Request::get("/").body(Body::empty()).unwrap();
    service.oneshot(request).await.unwrap();
    #[cfg(feature = "runtime")]
    handle.watch_runtime("main").unwrap();

    let text = handle.render();
    let told = complaints(&text);
    assert_eq!(told, None, "{text}");
}

#[test]
fn the_tool_does_complain_about_bad_text() {
    assert!(complaints("x_total{ 1\n").is_some());
    assert!(complaints("# TYPE x counter\nx 1\n").is_some());
}
