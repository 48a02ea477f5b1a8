//! An answer streams through, holds its place until it ends, and breaks off visibly.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};
use tokio::time::Instant;
use tower::ServiceExt;
use vbalance::{EndpointStatus, Proxy, ProxyConfig};
use vhttp::{Body, BodyError};

use crate::support::{Client, proxy};

fn status(proxy: &Proxy<Client>) -> EndpointStatus {
    proxy.upstream().status().endpoints.remove(0)
}

fn stream() -> (Sender<Bytes, BodyError>, Body) {
    let (sender, body) = Channel::new(8);
    (sender, Body::new(body))
}

/// The answer to a plain GET that the origin answers with `response`.
async fn answer(response: Response<Body>) -> (Proxy<Client>, Response<Body>) {
    let (proxy, mut calls) = proxy(&["a:1"], ProxyConfig::default());
    let asked = proxy.clone().oneshot(Request::new(Body::empty()));
    let origin = async { calls.recv().await.unwrap().respond(response) };
    let (answer, ()) = tokio::join!(asked, origin);
    (proxy, answer.unwrap())
}

#[tokio::test]
async fn the_place_is_kept_until_the_body_ends() {
    let (mut sender, body) = stream();
    let (proxy, answer) = answer(Response::new(body)).await;
    assert_eq!(status(&proxy).in_flight, 1);
    let mut body = answer.into_body();
    sender.send_data(Bytes::from_static(b"first")).await.unwrap();
    let first = body.frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "first");
    assert_eq!(status(&proxy).in_flight, 1);
    drop(sender);
    assert!(body.frame().await.is_none());
    assert_eq!(status(&proxy).in_flight, 0);
}

#[tokio::test]
async fn a_dropped_body_gives_its_place_back() {
    let (_sender, body) = stream();
    let (proxy, answer) = answer(Response::new(body)).await;
    drop(answer);
    let status = status(&proxy);
    assert_eq!((status.in_flight, status.failures), (0, 0));
}

#[tokio::test]
async fn an_empty_body_holds_nothing() {
    let (proxy, answer) = answer(Response::new(Body::empty())).await;
    assert_eq!(status(&proxy).in_flight, 0);
    assert_eq!(answer.into_body().as_bytes().unwrap(), "");
}

#[tokio::test]
async fn a_body_that_breaks_is_an_error_for_both_sides() {
    let (sender, body) = stream();
    let (proxy, answer) = answer(Response::new(body)).await;
    sender.abort(BodyError::new("reset"));
    assert!(answer.into_body().collect().await.is_err());
    let status = status(&proxy);
    assert_eq!((status.in_flight, status.failures), (0, 1));
    assert!(status.last_error.unwrap().contains("reset"));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_pauses_too_long_is_cut_off() {
    let (mut sender, body) = stream();
    let (proxy, answer) = answer(Response::new(body)).await;
    let mut body = answer.into_body();
    // A reader that takes its time is not the origin's fault.
    sender.send_data(Bytes::from_static(b"a")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(300)).await;
    body.frame().await.unwrap().unwrap();
    let paused = Instant::now();
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(paused.elapsed(), Duration::from_secs(60));
    let cause = std::error::Error::source(&error).unwrap();
    assert_eq!(cause.to_string(), "the origin sent nothing for 60s");
    assert_eq!(status(&proxy).in_flight, 0);
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn what_belongs_to_the_origin_s_connection_stays_there() {
    let mut response = Response::new(Body::full("x"));
    *response.version_mut() = Version::HTTP_10;
    for (name, value) in [
        ("connection", "close, x-internal"),
        ("keep-alive", "timeout=5"),
        ("x-internal", "1"),
        ("transfer-encoding", "chunked"),
        ("proxy-authenticate", "Basic"),
        ("upgrade", "h2c"),
        ("content-type", "text/plain"),
    ] {
        response.headers_mut().append(name, value.parse().unwrap());
    }
    let (_proxy, answer) = answer(response).await;
    let names: Vec<_> = answer.headers().keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["content-type"]);
    assert_eq!(answer.version(), Version::HTTP_11);
}

#[tokio::test]
async fn five_bad_answers_in_a_row_eject_whatever_their_bodies() {
    let (proxy, mut calls) = proxy(&["a:1", "b:1"], ProxyConfig::default());
    for _ in 0..10 {
        let asked = proxy.clone().oneshot(Request::new(Body::empty()));
        let origin = async {
            let call = calls.recv().await.unwrap();
            let mut response = Response::new(Body::full("body"));
            if call.endpoint() == "a:1" {
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            }
            call.respond(response);
        };
        let (answer, ()) = tokio::join!(asked, origin);
        // The client sees the origin's own answer.
        let body = answer.unwrap().into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "body");
    }
    let status = status(&proxy);
    assert!(status.ejected);
    assert_eq!((status.failures, status.last_error.as_deref()), (5, Some("status 503")));
}

#[tokio::test]
async fn one_request_is_one_failure_at_most() {
    let (sender, body) = stream();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    let (proxy, answer) = answer(response).await;
    sender.abort(BodyError::new("reset"));
    assert!(answer.into_body().collect().await.is_err());
    assert_eq!(status(&proxy).failures, 1);
}
