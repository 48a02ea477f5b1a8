//! Requests are measured to the end of their answers, whatever that end is.
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
use std::future::{Ready, ready};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::channel::Sender;
use http_body_util::{BodyExt, Channel};
use tower::{Layer, ServiceExt, service_fn};
use vhttp::{Body, CacheVerdict, Timeline};
use vmetrics::{Config, Handle, MetricsLayer, Recorder};

const IDLE: &str = "http_requests_in_flight{route=\"r\"} 0";
const BUSY: &str = "http_requests_in_flight{route=\"r\"} 1";

fn handle() -> Handle {
    let config = Config { process: false, ..Config::default() };
    Recorder::with_config(config).unwrap().handle()
}

fn request(method: Method) -> Request<Body> {
    Request::builder().method(method).body(Body::empty()).unwrap()
}

#[track_caller]
fn has(handle: &Handle, line: &str) {
    let text = handle.render();
    assert!(text.lines().any(|have| have == line), "no {line} in\n{text}");
}

/// The line of one finished GET of the route `r`.
fn finished(status: &str) -> String {
    format!(
        "http_requests_total{{cache=\"none\",method=\"GET\",route=\"r\",status=\"{status}\"}} 1"
    )
}

type Answer = Response<Channel<Bytes, std::io::Error>>;

/// An answer with one chunk of three bytes, and whoever sends the rest.
fn streamed() -> (Sender<Bytes, std::io::Error>, Answer) {
    let (mut sender, body) = Channel::new(4);
    sender.try_send(Frame::data("abc".into())).unwrap();
    (sender, Response::new(body))
}

/// Sends `request` through a layer for the route `r` around a service that gives `answer`.
async fn through(handle: &Handle, request: Request<Body>, answer: Answer) -> Response<Body> {
    let slot = std::sync::Mutex::new(Some(answer));
    let inner = service_fn(move |_: Request<Body>| -> Ready<Result<Answer, Infallible>> {
        ready(Ok(slot.lock().unwrap().take().unwrap()))
    });
    let service = MetricsLayer::new(handle).route("r").layer(inner);
    service.oneshot(request).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn times_reach_to_the_head_and_to_the_end_of_the_body() {
    let handle = handle();
    let (sender, answer) = streamed();
    let slot = std::sync::Mutex::new(Some(answer));
    let inner = service_fn(move |_: Request<Body>| {
        let answer = slot.lock().unwrap().take().unwrap();
        async move {
            tokio::time::sleep(Duration::from_millis(250)).await;
            Ok::<_, Infallible>(answer)
        }
    });
    let layer = MetricsLayer::new(&handle).first_byte(true).route("r");
    let response = layer.layer(inner).oneshot(request(Method::GET));
    let response = response.await.unwrap();
    has(&handle, BUSY);
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop(sender);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "abc");
    has(&handle, IDLE);
    has(&handle, &finished("200"));
    let labels = "{method=\"GET\",route=\"r\"}";
    has(&handle, &format!("http_request_first_byte_seconds_sum{labels} 0.25"));
    has(&handle, &format!("http_request_duration_seconds_sum{labels} 0.75"));
    let labels = "{method=\"GET\",route=\"r\",le=\"0.75\"}";
    has(&handle, &format!("http_request_duration_seconds_bucket{labels} 1"));
}

#[tokio::test]
async fn a_body_dropped_half_way_is_a_client_gone() {
    let handle = handle();
    let (_sender, answer) = streamed();
    let mut response = through(&handle, request(Method::GET), answer).await;
    response.body_mut().frame().await.unwrap().unwrap();
    has(&handle, BUSY);
    drop(response);
    has(&handle, IDLE);
    has(&handle, &finished("499"));
}

#[tokio::test]
async fn a_body_dropped_after_its_announced_length_is_complete() {
    let handle = handle();
    let (_sender, mut answer) = streamed();
    let headers = answer.headers_mut();
    headers.insert("content-length", 3.into());
    let mut response = through(&handle, request(Method::GET), answer).await;
    response.body_mut().frame().await.unwrap().unwrap();
    drop(response);
    has(&handle, &finished("200"));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error() {
    let handle = handle();
    let (sender, answer) = streamed();
    sender.abort(std::io::Error::other("reset"));
    let response = through(&handle, request(Method::GET), answer).await;
    response.into_body().collect().await.unwrap_err();
    has(&handle, IDLE);
    has(&handle, &finished("error"));
}

#[tokio::test]
async fn answers_that_send_no_body_end_with_their_heads() {
    for (method, status) in [
        (Method::HEAD, StatusCode::OK),
        (Method::GET, StatusCode::NOT_MODIFIED),
        (Method::GET, StatusCode::NO_CONTENT),
        (Method::GET, StatusCode::SWITCHING_PROTOCOLS),
    ] {
        let handle = handle();
        let (_sender, mut answer) = streamed();
        *answer.status_mut() = status;
        let line = finished(status.as_str()).replace("GET", method.as_str());
        let _response = through(&handle, request(method), answer).await;
        has(&handle, IDLE);
        has(&handle, &line);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_dropped_before_its_answer_is_a_client_gone() {
    let handle = handle();
    let inner = service_fn(|_: Request<Body>| std::future::pending::<Result<Answer, Infallible>>());
    let service = MetricsLayer::new(&handle).route("r").layer(inner);
    let waiting = tokio::spawn(service.oneshot(request(Method::GET)));
    tokio::time::sleep(Duration::from_millis(1)).await;
    has(&handle, BUSY);
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    has(&handle, IDLE);
    has(&handle, &finished("499"));
}

#[tokio::test]
async fn a_failing_and_a_panicking_service_are_errors() {
    let failing = handle();
    let inner = service_fn(|_: Request<Body>| ready(Err::<Answer, _>("no")));
    let service = MetricsLayer::new(&failing).route("r").layer(inner);
    service.oneshot(request(Method::GET)).await.unwrap_err();
    has(&failing, IDLE);
    has(&failing, &finished("error"));

    let panicking = handle();
    let inner = service_fn(|_: Request<Body>| async {
        assert!(std::hint::black_box(false), "on purpose");
        Ok::<Answer, Infallible>(streamed().1)
    });
    let service = MetricsLayer::new(&panicking).route("r").layer(inner);
    let panicked = tokio::spawn(AssertUnwindSafe(service.oneshot(request(Method::GET))).0).await;
    assert!(panicked.unwrap_err().is_panic());
    has(&panicking, IDLE);
    has(&panicking, &finished("error"));
}

#[tokio::test]
async fn the_timeline_gives_route_and_cache_even_when_written_inside() {
    let handle = handle();
    let inner = service_fn(|request: Request<Body>| {
        let timeline = request.extensions().get::<Timeline>().unwrap();
        timeline.update(|record| {
            record.route = Some("late".into());
            record.cache = Some(CacheVerdict::Hit);
        });
        ready(Ok::<_, Infallible>(Response::new(Body::full("x"))))
    });
    let mut asked = request(Method::from_bytes(b"BREW").unwrap());
    asked.extensions_mut().insert(Timeline::new());
    let service = MetricsLayer::new(&handle).layer(inner);
    service.oneshot(asked).await.unwrap();
    has(
        &handle,
        "http_requests_total{cache=\"hit\",method=\"_OTHER\",route=\"late\",status=\"200\"} 1",
    );
    has(&handle, "http_requests_in_flight{route=\"late\"} 0");
    has(&handle, "http_requests_in_flight{route=\"unmatched\"} 0");
}

#[tokio::test]
async fn axum_tells_its_routes() {
    use axum::extract::MatchedPath;
    use axum::routing::get;

    let handle = handle();
    let layer = MetricsLayer::new(&handle)
        .route_from(|extensions| extensions.get::<MatchedPath>().map(MatchedPath::as_str));
    let app: axum::Router =
        axum::Router::new().route("/users/{id}", get(|| async { "someone" })).layer(layer);
    for path in ["/users/1", "/users/2", "/nowhere"] {
        let request = Request::get(path).body(axum::body::Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        response.into_body().collect().await.unwrap();
    }
    let line = |route: &str, status: &str, count: u32| {
        format!(
            "http_requests_total{{cache=\"none\",method=\"GET\",route=\"{route}\",\
             status=\"{status}\"}} {count}"
        )
    };
    has(&handle, &line("/users/{id}", "200", 2));
    has(&handle, &line("unmatched", "404", 1));
}
