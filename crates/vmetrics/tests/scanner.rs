//! Whoever tries 20,000 paths makes no 20,000 series.
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

use http::{Request, Response, StatusCode};
use tower::{Layer, Service, ServiceExt, service_fn};
use vhttp::{Body, Timeline};
use vmetrics::{Config, Handle, MetricsLayer, Recorder};

const PATHS: usize = 20_000;

fn lines(handle: &Handle) -> usize {
    handle.render().lines().filter(|line| !line.starts_with('#')).count()
}

/// Sends a request for each path; `timeline` says what a router left in it.
async fn scan(layer: &MetricsLayer, timeline: impl Fn(&str) -> Option<Timeline>) {
    let mut service = layer.layer(service_fn(|_: Request<Body>| async {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_FOUND;
        Ok::<_, Infallible>(response)
    }));
    for n in 0..PATHS {
        let path = format!("/wp-admin/{n}.php");
        let mut request = Request::get(&path).body(Body::empty()).unwrap();
        if let Some(timeline) = timeline(&path) {
            request.extensions_mut().insert(timeline);
        }
        service.ready().await.unwrap().call(request).await.unwrap();
    }
}

#[tokio::test]
async fn unmatched_paths_share_one_route() {
    let handle = Recorder::new().handle();
    let before = lines(&handle);
    scan(&MetricsLayer::new(&handle), |_| None).await;
    // 17 lines of a histogram, one counter, one gauge.
    assert_eq!(lines(&handle), before + 19);
    assert!(handle.render().contains(
        "http_requests_total{cache=\"none\",method=\"GET\",route=\"unmatched\",status=\"404\"} 20000\n"
    ));
}

#[tokio::test]
async fn even_a_router_that_names_paths_as_routes_is_bounded() {
    let handle = Recorder::new().handle();
    let before = lines(&handle);
    let layer = MetricsLayer::new(&handle).max_routes(50);
    scan(&layer, |path| {
        let timeline = Timeline::new();
        timeline.update(|record| record.route = Some(path.into()));
        Some(timeline)
    })
    .await;
    // 50 routes and the one for the rest.
    assert_eq!(lines(&handle), before + 51 * 19);
    assert!(handle.render().contains(
        "http_requests_total{cache=\"none\",method=\"GET\",route=\"overflow\",status=\"404\"} 19950\n"
    ));
}

#[test]
fn labels_of_foreign_crates_are_bounded() {
    let recorder = Recorder::with_config(Config {
        max_series_per_metric: 100,
        process: false,
        ..Config::default()
    })
    .unwrap();
    metrics::with_local_recorder(&recorder, || {
        for n in 0..PATHS {
            metrics::counter!("hits_total", "path" => n.to_string()).increment(1);
        }
    });
    let handle = recorder.handle();
    assert_eq!(handle.series_held(), 100);
    assert_eq!(handle.series_dropped(), 19_900);
    assert_eq!(lines(&handle), 100 + 1 + 2);
    let text = handle.render();
    assert!(text.contains("hits_total{overflow=\"true\"} 19900\n"));
    assert!(text.contains("vmetrics_series_dropped_total 19900\n"));
}
