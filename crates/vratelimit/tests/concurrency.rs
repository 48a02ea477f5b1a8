//! The concurrency limit: places, the queue, and what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::{Instant, advance};
use vratelimit::{ConcurrencyConfig, ConcurrencyLimit, Shed};

fn limit(max_in_flight: u32, max_queue: u32) -> ConcurrencyLimit {
    let config = ConcurrencyConfig {
        max_in_flight: NonZeroU32::new(max_in_flight).unwrap(),
        max_queue,
        queue_timeout: Duration::from_millis(100),
        ..ConcurrencyConfig::default()
    };
    ConcurrencyLimit::new("test", config).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_queue_has_a_bound_and_an_end() {
    let limit = limit(1, 1);
    let held = limit.acquire().await.unwrap();
    let start = Instant::now();
    let waiter = tokio::spawn({
        let limit = limit.clone();
        async move { limit.acquire().await.map(drop) }
    });
    tokio::task::yield_now().await;
    assert_eq!(limit.stats().queued, 1);
    assert_eq!(limit.acquire().await.unwrap_err(), Shed::QueueFull);
    assert_eq!(start.elapsed(), Duration::ZERO, "refused at once");
    assert_eq!(waiter.await.unwrap(), Err(Shed::QueueTimeout));
    assert_eq!(start.elapsed().as_millis(), 100);
    let stats = limit.stats();
    assert_eq!((stats.in_flight, stats.queued), (1, 0));
    assert_eq!((stats.admitted, stats.shed), (1, 2));
    drop(held);
    assert_eq!(limit.stats().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn places_go_to_who_has_waited_longest() {
    let limit = limit(1, 8);
    let mut held = Some(limit.acquire().await.unwrap());
    let (sender, mut order) = tokio::sync::mpsc::unbounded_channel();
    let mut waiters = Vec::new();
    for n in 0..4 {
        let (limit, sender) = (limit.clone(), sender.clone());
        waiters.push(tokio::spawn(async move {
            let permit = limit.acquire().await.unwrap();
            sender.send(n).unwrap();
            drop(permit);
        }));
        tokio::task::yield_now().await;
    }
    assert!(limit.try_acquire().is_none());
    held.take();
    // Whoever comes now is behind all who wait.
    assert!(limit.try_acquire().is_none());
    for n in 0..4 {
        assert_eq!(order.recv().await, Some(n));
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_leaves_the_queue() {
    let limit = limit(1, 1);
    let held = limit.acquire().await.unwrap();
    let waiter = tokio::spawn({
        let limit = limit.clone();
        async move { limit.acquire().await.map(drop) }
    });
    tokio::task::yield_now().await;
    waiter.abort();
    assert!(waiter.await.unwrap_err().is_cancelled());
    assert_eq!(limit.stats().queued, 0);
    drop(held);
    assert!(limit.try_acquire().is_some());
}

#[tokio::test(start_paused = true)]
async fn without_a_queue_nobody_waits() {
    let limit = limit(1, 0);
    let _held = limit.acquire().await.unwrap();
    assert_eq!(limit.acquire().await.unwrap_err(), Shed::QueueFull);
    advance(Duration::from_secs(1)).await;
    assert_eq!(limit.stats().shed, 1);
}

#[cfg(feature = "http")]
mod layer {
    use std::convert::Infallible;

    use bytes::Bytes;
    use http::{Request, Response, StatusCode};
    use http_body::Body as _;
    use http_body_util::{BodyExt, Channel};
    use tower::{Layer, ServiceExt, service_fn};
    use vhttp::{Body, LimitVerdict, Phase, Reason, Timeline};
    use vratelimit::ConcurrencyLimitLayer;

    use super::*;

    fn with_timeline() -> (Request<()>, Timeline) {
        let (mut request, timeline) = (Request::new(()), Timeline::new());
        request.extensions_mut().insert(timeline.clone());
        (request, timeline)
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_held_until_the_body_has_ended() {
        let limit = limit(1, 0);
        let layer = ConcurrencyLimitLayer::new(limit.clone());
        let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
        let body = std::sync::Arc::new(std::sync::Mutex::new(Some(body)));
        let app = layer.layer(service_fn(move |_: Request<()>| {
            let body = body.lock().unwrap().take().unwrap();
            async move { Ok::<_, Infallible>(Response::new(body)) }
        }));
        let response = app.clone().oneshot(Request::new(())).await.unwrap();
        assert_eq!(limit.stats().in_flight, 1);

        let (request, timeline) = with_timeline();
        let refused = app.oneshot(request).await.unwrap();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.headers()["retry-after"], "1");
        assert_eq!(refused.extensions().get(), Some(&Reason("overloaded")));
        assert_eq!(timeline.read().limit, Some(LimitVerdict::Shed));

        let mut body = response.into_body();
        sender.send_data(Bytes::from("a")).await.unwrap();
        body.frame().await.unwrap().unwrap();
        assert_eq!(limit.stats().in_flight, 1);
        drop(sender);
        assert!(body.frame().await.is_none());
        assert_eq!(limit.stats().in_flight, 0, "ended, though not dropped");
    }

    #[tokio::test]
    async fn a_place_is_free_when_the_body_is_dropped_or_its_last_frame_is_out() {
        let limit = limit(1, 0);
        let layer = ConcurrencyLimitLayer::new(limit.clone());
        let app = layer.layer(service_fn(|_: Request<()>| async {
            Ok::<_, Infallible>(Response::new(Body::full("hello")))
        }));
        let response = app.clone().oneshot(Request::new(())).await.unwrap();
        assert_eq!(response.body().size_hint().exact(), Some(5));
        assert_eq!(limit.stats().in_flight, 1);
        drop(response);
        assert_eq!(limit.stats().in_flight, 0);
        let mut body = app.oneshot(Request::new(())).await.unwrap().into_body();
        body.frame().await.unwrap().unwrap();
        assert_eq!(limit.stats().in_flight, 0);
    }

    #[tokio::test]
    async fn an_error_and_an_empty_body_free_the_place() {
        let limit = limit(1, 0);
        let layer = ConcurrencyLimitLayer::new(limit.clone());
        let failing = layer.layer(service_fn(|_: Request<()>| async {
            Err::<Response<Body>, _>(std::io::Error::other("cut"))
        }));
        assert!(failing.oneshot(Request::new(())).await.is_err());
        assert_eq!(limit.stats().in_flight, 0);
        let empty = layer.layer(service_fn(|_: Request<()>| async {
            Ok::<_, Infallible>(Response::new(Body::empty()))
        }));
        let _response = empty.oneshot(Request::new(())).await.unwrap();
        assert_eq!(limit.stats().in_flight, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_its_turn_and_the_timeline_knows() {
        let limit = limit(1, 1);
        let layer = ConcurrencyLimitLayer::new(limit.clone());
        let app = layer.layer(service_fn(|_: Request<()>| async {
            Ok::<_, Infallible>(Response::new(Body::empty()))
        }));
        let held = limit.try_acquire().unwrap();
        let (request, timeline) = with_timeline();
        let waiting = tokio::spawn(app.clone().oneshot(request));
        tokio::task::yield_now().await;
        advance(Duration::from_millis(40)).await;
        drop(held);
        let response = waiting.await.unwrap().unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let waited = timeline.read().time(Phase::Queue).unwrap();
        assert_eq!(waited.as_millis(), 40);

        let _held = limit.try_acquire().unwrap();
        let (request, timeline) = with_timeline();
        let late = app.oneshot(request).await.unwrap();
        assert_eq!(late.status(), StatusCode::SERVICE_UNAVAILABLE);
        let waited = timeline.read().time(Phase::Queue).unwrap();
        assert_eq!(waited.as_millis(), 100);
    }

    #[tokio::test]
    async fn it_fits_axum() {
        let app: axum::Router = axum::Router::new()
            .route("/", axum::routing::get(|| async { "hello" }))
            .layer(ConcurrencyLimitLayer::new(limit(1, 0)));
        for _ in 0..3 {
            let request = Request::new(axum::body::Body::empty());
            let response = app.clone().oneshot(request).await.unwrap();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, "hello");
        }
    }
}
