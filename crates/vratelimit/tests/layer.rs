//! The rate limit as a layer, as a client sees it.
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
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::time::Duration;

use http::{HeaderName, Request, Response, StatusCode};
use tower::util::ServiceFn;
use tower::{Layer, ServiceExt, service_fn};
use vhttp::{Body, ClientAddr, LimitVerdict, Phase, Reason, Timeline};
use vratelimit::{Config, KeyBy, KeySource, Limiter, RateLimit, RateLimitLayer};

fn config(rate: &str, burst: u32) -> Config {
    Config { rate: rate.parse().unwrap(), burst: NonZeroU32::new(burst), ..Config::default() }
}

type Answer = Result<Response<Body>, Infallible>;

async fn hello(_: Request<()>) -> Answer {
    Ok(Response::new(Body::full("hello")))
}

type App = RateLimit<ServiceFn<fn(Request<()>) -> Pin<Box<dyn Future<Output = Answer> + Send>>>>;

fn stack(config: &Config) -> App {
    let limiter = Limiter::builder().name("api").config(config.clone());
    let layer = RateLimitLayer::from_config(limiter.build().unwrap(), config).unwrap();
    layer.layer(service_fn(|request| Box::pin(hello(request))))
}

fn from(address: &str) -> Request<()> {
    let mut request = Request::new(());
    let client = ClientAddr(address.parse().unwrap());
    request.extensions_mut().insert(client);
    request
}

#[tokio::test(start_paused = true)]
async fn the_client_is_told_what_is_left_and_then_to_wait() {
    let app = stack(&Config { x_fields: true, ..config("2/m", 2) });
    let passed = app.clone().oneshot(from("192.0.2.1")).await.unwrap();
    assert_eq!(passed.status(), StatusCode::OK);
    let headers = passed.headers();
    assert_eq!(headers["ratelimit-policy"], "\"api\";q=2;w=60");
    assert_eq!(headers["ratelimit"], "\"api\";r=1;t=30");
    assert_eq!(headers["x-ratelimit-limit"], "2");
    assert_eq!(headers["x-ratelimit-remaining"], "1");
    assert_eq!(headers["x-ratelimit-reset"], "30");

    app.clone().oneshot(from("192.0.2.1")).await.unwrap();
    tokio::time::advance(Duration::from_millis(500)).await;
    let denied = app.clone().oneshot(from("192.0.2.1")).await.unwrap();
    assert_eq!(denied.status(), StatusCode::TOO_MANY_REQUESTS);
    let headers = denied.headers();
    assert_eq!(headers["content-type"], "application/problem+json");
    assert_eq!(headers["retry-after"], "30", "29.5 s, rounded up");
    assert_eq!(headers["ratelimit"], "\"api\";r=0;t=30");
    assert_eq!(headers["x-ratelimit-reset"], "60");
    assert_eq!(denied.extensions().get(), Some(&Reason("rate-limited")));

    let other = app.oneshot(from("192.0.2.2")).await.unwrap();
    assert_eq!(other.status(), StatusCode::OK);
}

/// The number behind `name=` in an item such as `"api";q=3;w=3`.
fn parameter(field: &http::HeaderValue, name: &str) -> u64 {
    let text = field.to_str().unwrap();
    let mut pairs = text.split(';').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).unwrap().1.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_left_is_never_more_than_the_quota() {
    for (rate, burst) in [("1/s", 3), ("1/s", 100), ("100/s", 10), ("7/250ms", 2), ("1/h", 5)] {
        let app = stack(&Config { x_fields: true, ..config(rate, burst) });
        let answer = app.oneshot(from("192.0.2.1")).await.unwrap();
        let headers = answer.headers();
        let quota = parameter(&headers["ratelimit-policy"], "q");
        let left = parameter(&headers["ratelimit"], "r");
        let until = parameter(&headers["ratelimit"], "t");
        assert!(left < quota, "{rate}: one of {quota} is spent, and {left} are left");
        assert!(until <= parameter(&headers["ratelimit-policy"], "w"), "{rate}");
        assert_eq!(headers["x-ratelimit-limit"], quota.to_string(), "{rate}");
        assert_eq!(headers["x-ratelimit-remaining"], left.to_string(), "{rate}");
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_true() {
    let app = stack(&config("2/m", 1));
    let ask = || app.clone().oneshot(from("192.0.2.1"));
    ask().await.unwrap();
    let denied = ask().await.unwrap();
    let wait = denied.headers()["retry-after"].to_str().unwrap();
    tokio::time::advance(Duration::from_secs(wait.parse().unwrap())).await;
    assert_eq!(ask().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_client_has_one_key_for_its_whole_ipv6_network() {
    let app = stack(&config("1/m", 1));
    let status = |address: &'static str| {
        let app = app.clone();
        async move { app.oneshot(from(address)).await.unwrap().status() }
    };
    assert_eq!(status("2001:db8:0:1::1").await, StatusCode::OK);
    assert_eq!(status("2001:db8:0:1::2").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(status("2001:db8:0:2::1").await, StatusCode::OK);
}

#[tokio::test]
async fn keys_by_header_fall_back_to_the_address() {
    let app = stack(&Config { key: KeySource::Header("x-api-key".to_owned()), ..config("1/m", 1) });
    let ask = |key: Option<&'static str>, address: &'static str| {
        let (app, mut request) = (app.clone(), from(address));
        if let Some(key) = key {
            request.headers_mut().insert("x-api-key", key.parse().unwrap());
        }
        async move { app.oneshot(request).await.unwrap().status() }
    };
    assert_eq!(ask(Some("k1"), "192.0.2.1").await, StatusCode::OK);
    assert_eq!(ask(Some("k1"), "192.0.2.2").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(ask(Some("k2"), "192.0.2.1").await, StatusCode::OK);
    assert_eq!(ask(None, "192.0.2.1").await, StatusCode::OK);
    assert_eq!(ask(None, "192.0.2.1").await, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn the_fields_stand_beside_those_of_the_origin() {
    let limiter = Limiter::new(&Config::default()).unwrap();
    let layer = RateLimitLayer::new(limiter, KeyBy::fixed("all"));
    let app = layer.layer(service_fn(|_: Request<()>| async {
        let response = Response::builder().header("ratelimit", "\"origin\";r=1;t=9");
        Answer::Ok(response.body(Body::empty()).unwrap())
    }));
    let response = app.oneshot(Request::new(())).await.unwrap();
    let values: Vec<_> = response.headers().get_all("ratelimit").iter().collect();
    assert_eq!(values, ["\"origin\";r=1;t=9", "\"default\";r=9;t=1"]);
}

#[tokio::test]
async fn fields_can_be_left_out() {
    let app = stack(&Config { fields: false, ..config("1/m", 1) });
    for status in [StatusCode::OK, StatusCode::TOO_MANY_REQUESTS] {
        let response = app.clone().oneshot(from("192.0.2.1")).await.unwrap();
        assert_eq!(response.status(), status);
        let told = |name: &HeaderName| name.as_str().contains("ratelimit");
        assert!(!response.headers().keys().any(told));
    }
}

#[tokio::test]
async fn the_timeline_tells_the_verdict() {
    let app = stack(&config("1/m", 1));
    for verdict in [LimitVerdict::Allowed, LimitVerdict::Denied] {
        let timeline = Timeline::new();
        let mut request = from("192.0.2.1");
        request.extensions_mut().insert(timeline.clone());
        app.clone().oneshot(request).await.unwrap();
        let record = timeline.read();
        assert_eq!(record.limit, Some(verdict));
        assert!(record.time(Phase::Limit).is_some());
    }
}

#[tokio::test]
async fn it_fits_axum_and_one_state_serves_all_clones() {
    let limiter = Limiter::new(&config("1/m", 1)).unwrap();
    let router = || {
        axum::Router::<()>::new()
            .route("/", axum::routing::get(|| async { "hello" }))
            .layer(RateLimitLayer::new(limiter.clone(), KeyBy::client()))
    };
    let ask = |app: axum::Router| app.oneshot(Request::new(axum::body::Body::empty()));
    assert_eq!(ask(router()).await.unwrap().status(), StatusCode::OK);
    let denied = ask(router()).await.unwrap();
    assert_eq!(denied.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(limiter.stats().denied, 1);
}

/// What the README tells users of axum to put around the layer.
async fn tell_client(
    axum::extract::ConnectInfo(peer): axum::extract::ConnectInfo<SocketAddr>,
    mut request: axum::extract::Request,
) -> axum::extract::Request {
    request.extensions_mut().insert(ClientAddr(peer.ip()));
    request
}

#[tokio::test]
async fn under_axum_each_client_has_its_own_quota() {
    let limiter = Limiter::new(&config("1/m", 1)).unwrap();
    let app: axum::Router = axum::Router::new()
        .route("/", axum::routing::get(|| async { "hello" }))
        .layer(RateLimitLayer::new(limiter, KeyBy::client()))
        .layer(axum::middleware::map_request(tell_client));
    let make = app.into_make_service_with_connect_info::<SocketAddr>();
    for (peer, status) in [
        ("192.0.2.1:4711", StatusCode::OK),
        ("192.0.2.2:4711", StatusCode::OK),
        ("192.0.2.1:4712", StatusCode::TOO_MANY_REQUESTS),
        ("[2001:db8::1]:4711", StatusCode::OK),
        ("[2001:db8::2]:4711", StatusCode::TOO_MANY_REQUESTS),
    ] {
        let peer: SocketAddr = peer.parse().unwrap();
        let connection = make.clone().oneshot(peer).await.unwrap();
        let request = Request::new(axum::body::Body::empty());
        assert_eq!(connection.oneshot(request).await.unwrap().status(), status, "{peer}");
    }
}
