//! The proxy tries again what cannot have happened twice, and answers for every failure.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio::time::{Instant, advance};
use tower::ServiceExt;
use vbalance::{Failure, Proxy, ProxyConfig};
use vhttp::{Body, BodyError, Phase, Reason, Timeline};

use crate::support::{Call, Client, proxy};

const STALE: Failure = Failure::ClosedBeforeAnswer { reused: true };
const RESET: Failure = Failure::ClosedBeforeAnswer { reused: false };
const TWO: [&str; 2] = ["a:1", "b:1"];

fn request(method: Method, body: Body) -> Request<Body> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = "/path?query".parse().unwrap();
    request
}

fn get() -> Request<Body> {
    request(Method::GET, Body::empty())
}

fn stream() -> (Sender<Bytes, BodyError>, Body) {
    let (sender, body) = Channel::new(8);
    (sender, Body::new(body))
}

fn send(proxy: &Proxy<Client>, request: Request<Body>) -> JoinHandle<Response<Body>> {
    let proxy = proxy.clone();
    tokio::spawn(async move { proxy.oneshot(request).await.unwrap() })
}

/// Status, reason and `Retry-After` of an answer.
fn verdict(response: &Response<Body>) -> (u16, &str, Option<&str>) {
    let reason = response.extensions().get::<Reason>().unwrap().0;
    let wait = response.headers().get("retry-after");
    let wait = wait.map(|wait| wait.to_str().unwrap());
    (response.status().as_u16(), reason, wait)
}

fn failures(proxy: &Proxy<Client>) -> u64 {
    let endpoints = proxy.upstream().status().endpoints;
    endpoints.iter().map(|e| e.failures).sum()
}

fn in_flight(proxy: &Proxy<Client>) -> u32 {
    let endpoints = proxy.upstream().status().endpoints;
    endpoints.iter().map(|e| e.in_flight).sum()
}

async fn next(calls: &mut UnboundedReceiver<Call>) -> Call {
    calls.recv().await.unwrap()
}

#[tokio::test]
async fn what_was_not_sent_goes_to_another_endpoint_body_and_all() {
    let (proxy, mut calls) = proxy(&TWO, ProxyConfig::default());
    let (mut sender, body) = stream();
    let answer = send(&proxy, request(Method::POST, body));
    let first = next(&mut calls).await;
    let tried = first.endpoint();
    first.fail(Failure::NotSent);
    let second = next(&mut calls).await;
    assert_ne!(second.endpoint(), tried);
    sender.send_data(Bytes::from_static(b"order")).await.unwrap();
    drop(sender);
    let (parts, body) = second.request.into_parts();
    assert_eq!(parts.uri.path_and_query().unwrap(), "/path?query");
    assert_eq!(body.collect().await.unwrap().to_bytes(), "order");
    second.answer.send(Ok(Response::new(Body::full("done")))).unwrap();
    assert_eq!(answer.await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_post_that_may_have_arrived_is_never_sent_again() {
    for failure in [STALE, RESET] {
        let (proxy, mut calls) = proxy(&TWO, ProxyConfig::default());
        let answer = send(&proxy, request(Method::POST, Body::full("order")));
        next(&mut calls).await.fail(failure);
        let response = answer.await.unwrap();
        assert_eq!(verdict(&response), (502, "upstream-closed", None));
        assert!(calls.try_recv().is_err());
    }
}

#[tokio::test]
async fn a_body_that_was_read_of_is_not_sent_again() {
    let (proxy, mut calls) = proxy(&TWO, ProxyConfig::default());
    let (mut sender, body) = stream();
    let answer = send(&proxy, request(Method::PUT, body));
    let mut call = next(&mut calls).await;
    sender.send_data(Bytes::from_static(b"half")).await.unwrap();
    call.request.body_mut().frame().await.unwrap().unwrap();
    call.fail(RESET);
    assert_eq!(verdict(&answer.await.unwrap()).1, "upstream-closed");
    assert!(calls.try_recv().is_err());
}

#[tokio::test]
async fn idempotent_requests_go_to_each_endpoint_once() {
    let (proxy, mut calls) = proxy(&TWO, ProxyConfig::default());
    let answer = send(&proxy, get());
    let first = next(&mut calls).await;
    let tried = first.endpoint();
    first.fail(RESET);
    let second = next(&mut calls).await;
    assert_ne!(second.endpoint(), tried);
    second.fail(RESET);
    assert_eq!(verdict(&answer.await.unwrap()).1, "upstream-closed");
    assert!(calls.try_recv().is_err());
    assert_eq!(failures(&proxy), 2);
}

#[tokio::test]
async fn a_stale_connection_of_the_only_endpoint_is_replaced() {
    let (proxy, mut calls) = proxy(&["a:1"], ProxyConfig::default());
    let answer = send(&proxy, get());
    next(&mut calls).await.fail(STALE);
    next(&mut calls).await.succeed("fresh");
    assert_eq!(answer.await.unwrap().status(), StatusCode::OK);
    assert_eq!(failures(&proxy), 0, "closing an idle connection is no failure");
}

#[tokio::test]
async fn the_only_endpoint_unreachable_is_an_answer_at_once() {
    let (proxy, mut calls) = proxy(&["a:1"], ProxyConfig::default());
    let answer = send(&proxy, get());
    next(&mut calls).await.fail(Failure::NotSent);
    let response = answer.await.unwrap();
    assert_eq!(verdict(&response), (502, "upstream-unreachable", Some("1")));
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert!(calls.try_recv().is_err());
}

#[tokio::test]
async fn tries_are_limited() {
    let config = ProxyConfig { tries: 2, ..ProxyConfig::default() };
    let (proxy, mut calls) = proxy(&["a:1", "b:1", "c:1", "d:1"], config);
    let timeline = Timeline::new();
    let mut request = get();
    request.extensions_mut().insert(timeline.clone());
    let answer = send(&proxy, request);
    next(&mut calls).await.fail(Failure::NotSent);
    let second = next(&mut calls).await;
    let asked_last = second.endpoint();
    second.fail(Failure::NotSent);
    assert_eq!(answer.await.unwrap().status(), StatusCode::BAD_GATEWAY);
    assert!(calls.try_recv().is_err());
    let record = timeline.read();
    assert_eq!(record.attempts, 2);
    assert_eq!(record.upstream.as_deref(), Some(&*asked_last));
    assert_eq!(record.reason, Some("upstream-unreachable"));
    assert!(record.time(Phase::Upstream).is_some());
}

#[tokio::test]
async fn a_busy_client_and_no_endpoint_are_503() {
    let (proxy, mut calls) = proxy(&["a:1"], ProxyConfig::default());
    let answer = send(&proxy, get());
    next(&mut calls).await.fail(Failure::Busy);
    assert_eq!(verdict(&answer.await.unwrap()), (503, "upstream-busy", Some("1")));
    assert_eq!(failures(&proxy), 0);
    proxy.upstream().drain(&"a:1".parse().unwrap(), true);
    let response = send(&proxy, get()).await.unwrap();
    assert_eq!(verdict(&response), (503, "no-endpoint", Some("1")));
}

#[tokio::test]
async fn a_broken_answer_is_502() {
    let (proxy, mut calls) = proxy(&TWO, ProxyConfig::default());
    let answer = send(&proxy, get());
    next(&mut calls).await.fail(Failure::Other);
    assert_eq!(verdict(&answer.await.unwrap()), (502, "upstream-bad-answer", None));
    let endpoints = proxy.upstream().status().endpoints;
    let errors: Vec<_> = endpoints.iter().filter_map(|e| e.last_error.as_deref()).collect();
    assert_eq!(errors, ["scripted Other"]);
}

#[tokio::test]
async fn a_change_of_protocol_that_nobody_asked_for_is_502() {
    let (proxy, mut calls) = proxy(&TWO, ProxyConfig::default());
    let answer = send(&proxy, get());
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    next(&mut calls).await.respond(response);
    assert_eq!(verdict(&answer.await.unwrap()).1, "upstream-bad-answer");
    assert_eq!((failures(&proxy), in_flight(&proxy)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn silence_is_504_after_the_time_for_the_head() {
    let (proxy, mut calls) = proxy(&TWO, ProxyConfig::default());
    let began = Instant::now();
    let answer = send(&proxy, get());
    let silent = next(&mut calls).await;
    let response = answer.await.unwrap();
    assert_eq!(verdict(&response), (504, "upstream-timeout", None));
    assert_eq!(began.elapsed(), Duration::from_secs(30));
    assert_eq!((failures(&proxy), in_flight(&proxy)), (1, 0));
    assert!(silent.answer.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_does_not_use_up_the_origin_s_time() {
    let (proxy, mut calls) = proxy(&TWO, ProxyConfig::default());
    let (mut sender, body) = stream();
    let answer = send(&proxy, request(Method::PUT, body));
    let mut call = next(&mut calls).await;
    let reader = tokio::spawn(async move {
        while let Some(frame) = call.request.body_mut().frame().await {
            frame.unwrap();
        }
        call
    });
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_secs(20)).await;
        sender.send_data(Bytes::from_static(b"x")).await.unwrap();
    }
    drop(sender);
    let _call = reader.await.unwrap();
    let sent = Instant::now();
    assert_eq!(verdict(&answer.await.unwrap()).0, 504);
    assert_eq!(sent.elapsed(), Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_covers_all_tries() {
    let config = ProxyConfig { deadline: Some(Duration::from_secs(3)), ..ProxyConfig::default() };
    let (proxy, mut calls) = proxy(&TWO, config);
    let began = Instant::now();
    let answer = send(&proxy, get());
    let first = next(&mut calls).await;
    advance(Duration::from_secs(2)).await;
    first.fail(Failure::NotSent);
    let _second = next(&mut calls).await;
    assert_eq!(verdict(&answer.await.unwrap()).1, "upstream-timeout");
    assert_eq!(began.elapsed(), Duration::from_secs(3));
}

#[tokio::test]
async fn a_client_that_goes_away_is_nobody_s_failure() {
    let (proxy, mut calls) = proxy(&["a:1"], ProxyConfig::default());
    let answer = send(&proxy, get());
    let call = next(&mut calls).await;
    assert_eq!(in_flight(&proxy), 1);
    answer.abort();
    assert!(answer.await.is_err());
    assert!(call.answer.is_closed());
    assert_eq!((failures(&proxy), in_flight(&proxy)), (0, 0));

    let (mut sender, body) = stream();
    let answer = send(&proxy, request(Method::POST, body));
    let mut call = next(&mut calls).await;
    sender.send_data(Bytes::from_static(b"half")).await.unwrap();
    call.request.body_mut().frame().await.unwrap().unwrap();
    sender.abort(BodyError::new("client gone"));
    assert!(call.request.body_mut().frame().await.unwrap().is_err());
    call.fail(RESET);
    assert_eq!(verdict(&answer.await.unwrap()), (400, "request-incomplete", None));
    assert_eq!((failures(&proxy), in_flight(&proxy)), (0, 0));
}
