//! Scrapes over HTTP say the same as the handle.
#![cfg(feature = "http")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use http::{Method, Request, Response};
use http_body_util::BodyExt;
use tower::ServiceExt;
use vhttp::Body;
use vmetrics::{Config, ExposeService, Handle, Recorder};

fn handle() -> Handle {
    let config = Config { process: false, ..Config::default() };
    let handle = Recorder::with_config(config).unwrap().handle();
    for n in 0..300 {
        let label = n.to_string();
        let histogram = handle.histogram("x_seconds", &[("n", &label)]);
        histogram.record(0.1);
        handle.counter("y_total", &[("n", &label)]).increment(n);
    }
    handle
}

async fn ask(service: ExposeService, method: Method) -> Response<Body> {
    let request = Request::builder().method(method).body(()).unwrap();
    service.oneshot(request).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn the_text_is_what_the_handle_renders_in_several_chunks() {
    let handle = handle();
    let response = ask(ExposeService::prometheus(&handle), Method::GET).await;
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let mut body = response.into_body();
    let (mut chunks, mut got) = (0, Vec::new());
    while let Some(frame) = body.frame().await {
        got.extend_from_slice(&frame.unwrap().into_data().unwrap());
        chunks += 1;
    }
    assert!(chunks > 1);
    assert_eq!(String::from_utf8(got).unwrap(), handle.render());
}

#[tokio::test]
async fn the_json_is_what_the_handle_says() {
    let handle = handle();
    let response = ask(ExposeService::json(&handle), Method::GET).await;
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(text(response).await, handle.json());
}

#[tokio::test]
async fn only_reading_is_allowed() {
    let handle = handle();
    let head = ask(ExposeService::prometheus(&handle), Method::HEAD).await;
    assert_eq!((head.status().as_u16(), text(head).await), (200, String::new()));
    let post = ask(ExposeService::prometheus(&handle), Method::POST).await;
    assert_eq!(post.status(), 405);
    assert_eq!(post.headers()["allow"], "GET, HEAD");
}
