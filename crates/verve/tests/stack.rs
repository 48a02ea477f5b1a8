//! The layers together, around a service that a test steps.
#![cfg(feature = "stack")]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::{Service, ServiceExt, service_fn};
use verve::Stack;
use verve::cache::http::idempotency::{Config as IdempotencyConfig, Idempotency, IdempotencyLayer};
use verve::cache::http::{CacheLayer, Config as CacheConfig, HttpCache};
use verve::http::{Body, CacheVerdict, Reason, ReplayVerdict, Timeline};
use verve::metrics::{MetricsLayer, Recorder};
use verve::ratelimit::{Config as LimitConfig, Limiter, RateLimitLayer};

fn request(path: &str) -> Request<Body> {
    Request::builder().uri(path).header("host", "test").body(Body::empty()).unwrap()
}

fn text() -> String {
    "a text that is worth coding. ".repeat(200)
}

#[tokio::test]
async fn a_hit_is_coded_once_and_the_service_is_asked_once() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let stack = Stack::new()
        .compress(verve::compress::Config::default())
        .unwrap()
        .cache(CacheLayer::new(HttpCache::new(CacheConfig::default()).unwrap()));
    let service = stack.service(service_fn(move |_: Request<Body>| {
        counted.fetch_add(1, Ordering::SeqCst);
        async {
            Ok::<_, Infallible>(
                Response::builder()
                    .header("cache-control", "max-age=60")
                    .header("content-type", "text/plain")
                    .body(Body::full(text()))
                    .unwrap(),
            )
        }
    }));
    for coding in [None, Some("gzip"), Some("br"), Some("gzip")] {
        let mut request = request("/");
        let timeline = Timeline::new();
        request.extensions_mut().insert(timeline.clone());
        if let Some(coding) = coding {
            request.headers_mut().insert("accept-encoding", coding.parse().unwrap());
        }
        let answer = service.clone().oneshot(request).await.unwrap();
        let got = answer.headers().get("content-encoding").map(|v| v.to_str().unwrap().to_owned());
        assert_eq!(got.as_deref(), coding);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body.len() == text().len(), coding.is_none());
        let verdict = if coding.is_none() { CacheVerdict::Miss } else { CacheVerdict::Hit };
        assert_eq!(timeline.read().cache, Some(verdict));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_repeated_answer_is_coded_for_its_client_and_invalidates_nothing() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let idempotency = Idempotency::new(IdempotencyConfig::default()).unwrap();
    let stack = Stack::new()
        .compress(verve::compress::Config::default())
        .unwrap()
        .idempotency(IdempotencyLayer::new(idempotency))
        .cache(CacheLayer::new(HttpCache::new(CacheConfig::default()).unwrap()));
    let service = stack.service(service_fn(move |_: Request<Body>| {
        counted.fetch_add(1, Ordering::SeqCst);
        let answer = Response::builder().header("cache-control", "max-age=60");
        let answer = answer.header("content-type", "text/plain").body(Body::full(text()));
        async { Ok::<_, Infallible>(answer.unwrap()) }
    }));
    for (method, coding, verdict) in [
        ("GET", None, (Some(CacheVerdict::Miss), None)),
        ("POST", None, (Some(CacheVerdict::Bypass), Some(ReplayVerdict::Ran))),
        ("GET", None, (Some(CacheVerdict::Miss), None)),
        ("POST", Some("gzip"), (None, Some(ReplayVerdict::Replayed))),
        ("GET", None, (Some(CacheVerdict::Hit), None)),
    ] {
        let (mut request, timeline) = (request("/"), Timeline::new());
        *request.method_mut() = method.parse().unwrap();
        request.extensions_mut().insert(timeline.clone());
        request.headers_mut().insert("idempotency-key", "k".parse().unwrap());
        if let Some(coding) = coding {
            request.headers_mut().insert("accept-encoding", coding.parse().unwrap());
        }
        let answer = service.clone().oneshot(request).await.unwrap();
        let got = answer.headers().get("content-encoding").map(|v| v.to_str().unwrap().to_owned());
        assert_eq!(got.as_deref(), coding);
        answer.into_body().collect().await.unwrap();
        let record = timeline.read();
        assert_eq!((record.cache, record.replay), verdict);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_panic_is_500_for_one_request_and_is_measured() {
    let metrics = Recorder::new().handle();
    let mut service = Stack::new().metrics(MetricsLayer::new(&metrics).route("r")).service(
        service_fn(|request: Request<Body>| async move {
            assert_ne!(request.uri().path(), "/panic", "as the test wants");
            Ok::<_, Infallible>(Response::new(Body::full("fine")))
        }),
    );
    let answer = service.ready().await.unwrap().call(request("/panic")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.extensions().get(), Some(&Reason("panic")));
    drop(answer);
    let answer = service.ready().await.unwrap().call(request("/")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    drop(answer.into_body().collect().await.unwrap());
    let text = metrics.render();
    assert!(text.contains(r#"route="r",status="500"} 1"#), "{text}");
    assert!(text.contains(r#"route="r",status="200"} 1"#), "{text}");
}

#[tokio::test(start_paused = true)]
async fn after_the_deadline_it_is_504() {
    let service =
        Stack::new().deadline(Duration::from_secs(2)).service(service_fn(|_: Request<Body>| {
            std::future::pending::<Result<Response<Body>, Infallible>>()
        }));
    let answer = service.oneshot(request("/")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_denied_request_reaches_nothing_below() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let limit = LimitConfig {
        rate: "1/m".parse().unwrap(),
        burst: std::num::NonZeroU32::new(2),
        ..LimitConfig::default()
    };
    let layer = RateLimitLayer::from_config(Limiter::new(&limit).unwrap(), &limit).unwrap();
    let service = Stack::new().rate_limit(layer).service(service_fn(move |_: Request<Body>| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, Infallible>(Response::new(Body::empty())) }
    }));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(service.clone().oneshot(request("/")).await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 429, 429]);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[cfg(all(feature = "balance", feature = "pool"))]
#[test]
fn only_what_was_never_sent_counts_as_not_sent() {
    use verve::balance::Failure;
    let foreign: verve::http::BoxError = "what is this".into();
    assert!(matches!(verve::classify(&foreign), Failure::Other));
}
