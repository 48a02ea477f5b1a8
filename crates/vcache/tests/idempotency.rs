//! What clients see of idempotent replay, with keys and answers in memory.
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
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::{Semaphore, mpsc};
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};
use vcache::http::idempotency::{Config, Idempotency, IdempotencyLayer};
use vhttp::{Body, Phase, ReplayVerdict, Timeline};

type Client = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// What an origin does, and what it was asked.
struct Origin {
    asked: Arc<AtomicUsize>,
    /// One permit for each answer that it may begin.
    gate: Arc<Semaphore>,
}

impl Origin {
    fn count(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// An origin that answers with what `respond` makes of the number and the content, when the gate
/// lets it.
fn origin(
    config: Config,
    respond: impl Fn(usize, Bytes) -> Response<Body> + Clone + Send + Sync + 'static,
) -> (Client, Idempotency, Origin) {
    let (asked, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(1000)));
    let origin = Origin { asked: Arc::clone(&asked), gate: Arc::clone(&gate) };
    let service = service_fn(move |request: Request<Body>| {
        let (asked, gate, respond) = (Arc::clone(&asked), Arc::clone(&gate), respond.clone());
        async move {
            let number = asked.fetch_add(1, Ordering::SeqCst) + 1;
            let content = request.into_body().collect().await.unwrap().to_bytes();
            gate.acquire().await.unwrap().forget();
            Ok::<_, Infallible>(respond(number, content))
        }
    });
    let idempotency = Idempotency::new(config).unwrap();
    let service = IdempotencyLayer::new(idempotency.clone()).layer(service);
    (BoxCloneSyncService::new(service), idempotency, origin)
}

fn created(number: usize, _: Bytes) -> Response<Body> {
    let response = Response::builder().status(201).header("location", format!("/orders/{number}"));
    response.body(Body::full(format!("order {number}"))).unwrap()
}

fn with_status(status: u16) -> impl Fn(usize, Bytes) -> Response<Body> + Clone + Send + Sync {
    move |number, _| {
        Response::builder().status(status).body(Body::full(format!("{number}"))).unwrap()
    }
}

fn post(key: &str, content: &str) -> Request<Body> {
    let request = Request::post("http://shop.example/orders").header("idempotency-key", key);
    request.body(Body::full(content.to_owned())).unwrap()
}

/// Status, fields and content.
async fn ask(client: &Client, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    let response = client.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let content = body.collect().await.unwrap().to_bytes();
    (parts.status, parts.headers, String::from_utf8(content.to_vec()).unwrap())
}

/// Lets everything else go on until it waits.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_request_gets_the_first_ones_answer() {
    let (client, idempotency, origin) = origin(Config::default(), created);
    let (status, first, content) = ask(&client, post("\"k\"", "tea")).await;
    assert_eq!((status, content.as_str()), (StatusCode::CREATED, "order 1"));
    assert!(!first.contains_key("idempotency-replayed"));
    for _ in 0..3 {
        let (status, headers, content) = ask(&client, post("k", "tea")).await;
        assert_eq!((status, content.as_str()), (StatusCode::CREATED, "order 1"));
        assert_eq!(headers["location"], "/orders/1");
        assert_eq!(headers["idempotency-replayed"], "true");
        assert!(headers.contains_key("date"));
    }
    assert_eq!(origin.count(), 1);
    assert_eq!((idempotency.stats().ran, idempotency.stats().replayed), (1, 3));
    let (_, _, content) = ask(&client, post("other", "tea")).await;
    assert_eq!(content, "order 2");
}

#[tokio::test(start_paused = true)]
async fn the_content_reaches_the_origin_whole() {
    let echo = |_, content: Bytes| Response::new(Body::full(content));
    let (client, _, _) = origin(Config::default(), echo);
    let pieces =
        ["one ", "two ", "three"].map(|p| Ok::<_, Infallible>(Frame::data(Bytes::from(p))));
    let body = Body::new(StreamBody::new(futures_util::stream::iter(pieces)));
    let request = Request::post("/").header("idempotency-key", "k").body(body).unwrap();
    assert_eq!(ask(&client, request).await.2, "one two three");
}

#[tokio::test(start_paused = true)]
async fn another_content_under_the_same_key_is_422() {
    let config =
        Config { documentation: Some("https://docs.example/keys".to_owned()), ..Config::default() };
    let (client, idempotency, origin) = origin(config, created);
    ask(&client, post("k", "tea")).await;
    let (status, headers, problem) = ask(&client, post("k", "coffee")).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(headers["content-type"], "application/problem+json");
    assert_eq!(headers["link"], "<https://docs.example/keys>; rel=\"describedby\"");
    assert!(problem.contains("idempotency-key-reused"), "{problem}");
    assert_eq!((origin.count(), idempotency.stats().mismatches), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn another_content_is_422_also_while_the_first_is_under_way() {
    let (client, _, origin) = origin(Config::default(), created);
    origin.gate.forget_permits(1000);
    let first = tokio::spawn(client.clone().oneshot(post("k", "tea")));
    settle().await;
    assert_eq!(ask(&client, post("k", "coffee")).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    origin.gate.add_permits(1);
    assert_eq!(first.await.unwrap().unwrap().status(), 201);
}

#[tokio::test(start_paused = true)]
async fn keys_belong_to_caller_method_and_target() {
    let config = Config {
        caller: vec!["authorization".to_owned(), "cookie:sid".to_owned()],
        ..Config::default()
    };
    let (client, _, origin) = origin(config, created);
    let request = |method: &str, uri: &str, who: &str, cookie: &str| {
        let request = Request::builder().method(method).uri(uri).header("idempotency-key", "k");
        let request = request.header("authorization", who).header("cookie", cookie);
        request.body(Body::full("x")).unwrap()
    };
    ask(&client, request("POST", "http://a/x", "me", "sid=1; seen=2")).await;
    for (request, replayed) in [
        (request("POST", "http://a/x", "me", "seen=3; sid=1"), true),
        (request("POST", "http://a/x", "you", "sid=1"), false),
        (request("POST", "http://a/x", "me", "sid=2"), false),
        (request("PUT", "http://a/x", "me", "sid=1"), false),
        (request("POST", "http://a/y", "me", "sid=1"), false),
        (request("POST", "http://b/x", "me", "sid=1"), false),
    ] {
        let (_, headers, _) = ask(&client, request).await;
        assert_eq!(headers.contains_key("idempotency-replayed"), replayed);
    }
    assert_eq!(origin.count(), 6);
}

#[tokio::test(start_paused = true)]
async fn concurrent_ones_wait_and_the_origin_is_asked_once() {
    let (client, idempotency, origin) = origin(Config::default(), created);
    origin.gate.forget_permits(1000);
    let all: Vec<_> = (0..50)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { ask(&client, post("k", "tea")).await })
        })
        .collect();
    settle().await;
    assert_eq!((idempotency.stats().running, idempotency.stats().waiting), (1, 49));
    origin.gate.add_permits(1);
    let mut replayed = 0;
    for one in all {
        let (status, headers, content) = one.await.unwrap();
        assert_eq!((status, content.as_str()), (StatusCode::CREATED, "order 1"));
        replayed += usize::from(headers.contains_key("idempotency-replayed"));
    }
    assert_eq!((origin.count(), replayed), (1, 49));
    assert_eq!((idempotency.stats().running, idempotency.stats().waiting), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_wait_has_an_end_and_then_it_is_409() {
    let config = Config { wait: Duration::from_secs(3), ..Config::default() };
    let (client, _, origin) = origin(config, created);
    origin.gate.forget_permits(1000);
    let first = tokio::spawn(client.clone().oneshot(post("k", "tea")));
    settle().await;
    let began = tokio::time::Instant::now();
    let (status, headers, problem) = ask(&client, post("k", "tea")).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(headers["retry-after"], "1");
    assert!(problem.contains("idempotency-in-progress"), "{problem}");
    // Paused time: it is exact to the timer's millisecond.
    assert_eq!(began.elapsed().as_secs(), 3);
    origin.gate.add_permits(1);
    assert_eq!(first.await.unwrap().unwrap().status(), 201);
}

#[tokio::test(start_paused = true)]
async fn without_a_wait_and_without_room_to_wait_it_is_409_at_once() {
    for config in [
        Config { wait: Duration::ZERO, ..Config::default() },
        Config { max_waiting: 0, ..Config::default() },
    ] {
        let (client, _, origin) = origin(config, created);
        origin.gate.forget_permits(1000);
        let _first = tokio::spawn(client.clone().oneshot(post("k", "tea")));
        settle().await;
        let began = tokio::time::Instant::now();
        assert_eq!(ask(&client, post("k", "tea")).await.0, StatusCode::CONFLICT);
        assert!(began.elapsed().is_zero());
    }
}

#[tokio::test(start_paused = true)]
async fn answers_that_invite_to_try_again_are_not_remembered() {
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let (client, _, origin) = origin(Config::default(), with_status(status));
        for number in 1..=2 {
            let (got, headers, content) = ask(&client, post("k", "tea")).await;
            assert_eq!((got.as_u16(), content), (status, number.to_string()));
            assert!(!headers.contains_key("idempotency-replayed"));
        }
        assert_eq!(origin.count(), 2, "{status}");
    }
    for status in [200, 204, 303, 400, 401, 404, 409, 422] {
        let (client, _, origin) = origin(Config::default(), with_status(status));
        for _ in 0..2 {
            assert_eq!(ask(&client, post("k", "tea")).await.0.as_u16(), status);
        }
        assert_eq!(origin.count(), 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_one_waiter_at_a_time_tries() {
    let fails_twice = |number, content| match number {
        1 | 2 => Response::builder().status(500).body(Body::empty()).unwrap(),
        _ => created(number, content),
    };
    let (client, _, origin) = origin(Config::default(), fails_twice);
    origin.gate.forget_permits(1000);
    let all: Vec<_> = (0..10)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { ask(&client, post("k", "tea")).await })
        })
        .collect();
    for asked in 1..=3 {
        settle().await;
        assert_eq!(origin.count(), asked);
        origin.gate.add_permits(1);
    }
    let mut statuses = Vec::new();
    for one in all {
        statuses.push(one.await.unwrap().0.as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [[201; 8].as_slice(), &[500; 2]].concat());
    assert_eq!(origin.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_finds_its_answer_when_it_comes_again() {
    let (client, _, origin) = origin(Config::default(), created);
    origin.gate.forget_permits(1000);
    let first = tokio::spawn(client.clone().oneshot(post("k", "tea")));
    settle().await;
    first.abort();
    settle().await;
    origin.gate.add_permits(1);
    let (status, headers, content) = ask(&client, post("k", "tea")).await;
    assert_eq!((status, content.as_str()), (StatusCode::CREATED, "order 1"));
    assert_eq!(headers["idempotency-replayed"], "true");
    assert_eq!(origin.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_its_client_a_request_goes_on_for_a_while_only() {
    let config = Config {
        finish_timeout: Duration::from_secs(2),
        wait: Duration::from_secs(60),
        ..Config::default()
    };
    let (client, idempotency, origin) = origin(config, created);
    origin.gate.forget_permits(1000);
    let first = tokio::spawn(client.clone().oneshot(post("k", "tea")));
    settle().await;
    first.abort();
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { ask(&client, post("k", "tea")).await }
    });
    tokio::time::sleep(Duration::from_millis(1900)).await;
    assert_eq!(origin.count(), 1);
    // It is given up, and the one that waits is not stranded.
    tokio::time::sleep(Duration::from_millis(200)).await;
    settle().await;
    assert_eq!((origin.count(), idempotency.stats().running), (2, 1));
    origin.gate.add_permits(1);
    assert_eq!(waiting.await.unwrap().2, "order 2");
}

#[tokio::test(start_paused = true)]
async fn a_panic_frees_the_key() {
    let panics_once = |number, content| match number {
        1 => panic!("as wanted"),
        _ => created(number, content),
    };
    let (client, _, _) = origin(Config::default(), panics_once);
    let (status, _, problem) = ask(&client, post("k", "tea")).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(problem.contains("idempotency-ended"), "{problem}");
    assert_eq!(ask(&client, post("k", "tea")).await.2, "order 2");
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_service_passes_and_frees_the_key() {
    let asked = Arc::new(AtomicUsize::new(0));
    let service = service_fn(move |_: Request<Body>| {
        let number = asked.fetch_add(1, Ordering::SeqCst);
        async move {
            match number {
                0 => Err("refused"),
                _ => Ok(Response::new(Body::full("ok"))),
            }
        }
    });
    let idempotency = Idempotency::new(Config::default()).unwrap();
    let service = IdempotencyLayer::new(idempotency).layer(service);
    assert_eq!(service.clone().oneshot(post("k", "")).await.err(), Some("refused"));
    assert_eq!(service.oneshot(post("k", "")).await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_forgotten_after_its_time() {
    let config = Config { ttl: Duration::from_secs(60), ..Config::default() };
    let (client, _, _) = origin(config, created);
    ask(&client, post("k", "tea")).await;
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(ask(&client, post("k", "tea")).await.2, "order 1");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(ask(&client, post("k", "tea")).await.2, "order 2");
}

#[tokio::test(start_paused = true)]
async fn a_long_request_keeps_its_key_beyond_the_lease() {
    let config = Config {
        lease: Duration::from_secs(3),
        wait: Duration::from_secs(600),
        ..Config::default()
    };
    let (client, _, origin) = origin(config, created);
    origin.gate.forget_permits(1000);
    let first = tokio::spawn(client.clone().oneshot(post("k", "tea")));
    settle().await;
    let second = tokio::spawn({
        let client = client.clone();
        async move { ask(&client, post("k", "tea")).await }
    });
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(origin.count(), 1);
    origin.gate.add_permits(1);
    assert_eq!(first.await.unwrap().unwrap().status(), 201);
    assert_eq!(second.await.unwrap().2, "order 1");
}

#[tokio::test(start_paused = true)]
async fn bad_and_missing_keys_are_400() {
    let config = Config { required: true, ..Config::default() };
    let (client, idempotency, origin) = origin(config, created);
    for (key, reason) in [
        (None, "idempotency-key-missing"),
        (Some("\"open"), "idempotency-key-malformed"),
        (Some(""), "idempotency-key-malformed"),
    ] {
        let mut request = post("k", "tea");
        request.headers_mut().remove("idempotency-key");
        if let Some(key) = key {
            request.headers_mut().insert("idempotency-key", key.parse().unwrap());
        }
        let (status, headers, problem) = ask(&client, request).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(headers["content-type"], "application/problem+json");
        assert!(problem.contains(reason), "{problem}");
    }
    assert_eq!((origin.count(), idempotency.stats().refused), (0, 3));
    let get = Request::get("/").body(Body::empty()).unwrap();
    assert_eq!(ask(&client, get).await.0, StatusCode::CREATED);
}

#[tokio::test(start_paused = true)]
async fn contents_are_bounded() {
    let config = Config { max_body: 4, ..Config::default() };
    let (client, _, origin) = origin(config, created);
    assert_eq!(ask(&client, post("k", "12345")).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let pieces = ["123", "45"].map(|p| Ok::<_, Infallible>(Frame::data(Bytes::from(p))));
    let mut request = post("k", "");
    *request.body_mut() = Body::new(StreamBody::new(futures_util::stream::iter(pieces)));
    assert_eq!(ask(&client, request).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(origin.count(), 0);
    assert_eq!(ask(&client, post("k", "1234")).await.0, StatusCode::CREATED);
    let cut = [Ok(Frame::data(Bytes::from("1"))), Err("cut")];
    let mut request = post("l", "");
    *request.body_mut() = Body::new(StreamBody::new(futures_util::stream::iter(cut)));
    assert_eq!(ask(&client, request).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test(start_paused = true)]
async fn those_under_way_are_bounded() {
    let config = Config { max_running: 1, ..Config::default() };
    let (client, idempotency, origin) = origin(config, created);
    origin.gate.forget_permits(1000);
    let first = tokio::spawn(client.clone().oneshot(post("k", "tea")));
    settle().await;
    let (status, headers, _) = ask(&client, post("other", "tea")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(headers.contains_key("retry-after"));
    origin.gate.add_permits(2);
    first.await.unwrap().unwrap().into_body().collect().await.unwrap();
    settle().await;
    assert_eq!(ask(&client, post("other", "tea")).await.0, StatusCode::CREATED);
    assert_eq!(idempotency.stats().unavailable, 1);
}

#[tokio::test(start_paused = true)]
async fn without_a_key_the_content_can_be_the_key() {
    let config = Config { digest: true, ..Config::default() };
    let (client, _, origin) = origin(config, created);
    let order = |content: &str, who: &str| {
        let mut request = post("k", content);
        request.headers_mut().remove("idempotency-key");
        request.headers_mut().insert("authorization", who.parse().unwrap());
        request
    };
    assert_eq!(ask(&client, order("tea", "me")).await.2, "order 1");
    assert_eq!(ask(&client, order("tea", "me")).await.2, "order 1");
    assert_eq!(ask(&client, order("coffee", "me")).await.2, "order 2");
    assert_eq!(ask(&client, order("tea", "you")).await.2, "order 3");
    // A key says more than the content.
    assert_eq!(ask(&client, post("k", "tea")).await.2, "order 4");
    assert_eq!(origin.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_large_answer_passes_and_is_not_asked_for_again() {
    let config = Config { max_answer: 10, ..Config::default() };
    let announced = |_, _| Response::new(Body::full("more than ten bytes"));
    let streamed = |_, _| {
        let pieces = ["more than", " ten ", "bytes"];
        let pieces = pieces.map(|p| Ok::<_, Infallible>(Frame::data(Bytes::from(p))));
        Response::new(Body::new(StreamBody::new(futures_util::stream::iter(pieces))))
    };
    for (client, _, origin) in [origin(config.clone(), announced), origin(config, streamed)] {
        assert_eq!(ask(&client, post("k", "tea")).await.2, "more than ten bytes");
        let (status, _, problem) = ask(&client, post("k", "tea")).await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert!(problem.contains("idempotency-answer-too-large"), "{problem}");
        assert_eq!(origin.count(), 1);
    }
}

/// A body of the pieces that are sent.
fn streamed() -> (mpsc::UnboundedSender<Result<Frame<Bytes>, &'static str>>, Body) {
    let (send, mut pieces) = mpsc::unbounded_channel();
    let stream = futures_util::stream::poll_fn(move |cx| pieces.poll_recv(cx));
    (send, Body::new(StreamBody::new(stream)))
}

/// A client of an origin that answers with `bodies`, one after the other.
fn streaming(bodies: Vec<Body>) -> Client {
    let bodies = Arc::new(std::sync::Mutex::new(bodies.into_iter()));
    let respond = move |_, _| Response::new(bodies.lock().unwrap().next().unwrap());
    origin(Config::default(), respond).0
}

#[tokio::test(start_paused = true)]
async fn an_answer_reaches_its_client_as_it_comes() {
    let (send, body) = streamed();
    let client = streaming(vec![body]);
    let mut first = client.clone().oneshot(post("k", "tea")).await.unwrap().into_body();
    for piece in ["a", "b"] {
        send.send(Ok(Frame::data(Bytes::from(piece)))).unwrap();
        assert_eq!(first.frame().await.unwrap().unwrap().into_data().unwrap(), piece);
    }
    let trailers = HeaderMap::from_iter([(
        http::HeaderName::from_static("x-sum"),
        http::HeaderValue::from_static("2"),
    )]);
    send.send(Ok(Frame::trailers(trailers.clone()))).unwrap();
    assert_eq!(first.frame().await.unwrap().unwrap().into_trailers().unwrap(), trailers);
    drop(send);
    assert!(first.frame().await.is_none());
    let again = client.oneshot(post("k", "tea")).await.unwrap();
    let again = again.into_body().collect().await.unwrap();
    assert_eq!(again.trailers(), Some(&trailers));
    assert_eq!(again.to_bytes(), "ab");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_amid_the_answer_loses_nothing() {
    let (send, body) = streamed();
    let client = streaming(vec![body]);
    let mut first = client.clone().oneshot(post("k", "tea")).await.unwrap().into_body();
    send.send(Ok(Frame::data(Bytes::from("a")))).unwrap();
    first.frame().await.unwrap().unwrap();
    drop(first);
    send.send(Ok(Frame::data(Bytes::from("b")))).unwrap();
    drop(send);
    assert_eq!(ask(&client, post("k", "tea")).await.2, "ab");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_off_is_not_remembered() {
    let ((send, cut), (send_whole, whole)) = (streamed(), streamed());
    let client = streaming(vec![cut, whole]);
    let first = client.clone().oneshot(post("k", "tea")).await.unwrap().into_body();
    send.send(Ok(Frame::data(Bytes::from("half")))).unwrap();
    send.send(Err("cut")).unwrap();
    assert!(first.collect().await.is_err());
    send_whole.send(Ok(Frame::data(Bytes::from("whole")))).unwrap();
    drop(send_whole);
    assert_eq!(ask(&client, post("k", "tea")).await.2, "whole");
}

#[tokio::test(start_paused = true)]
async fn with_the_last_handle_what_is_under_way_ends() {
    let (client, idempotency, origin) = origin(Config::default(), created);
    origin.gate.forget_permits(1000);
    let first = tokio::spawn(client.clone().oneshot(post("k", "tea")));
    settle().await;
    first.abort();
    settle().await;
    let permits = Arc::strong_count(&origin.gate);
    drop((client, idempotency));
    settle().await;
    assert!(Arc::strong_count(&origin.gate) < permits, "the origin is still held");
}

#[tokio::test(start_paused = true)]
async fn the_timeline_tells() {
    let (client, _, _) = origin(Config::default(), created);
    for expected in [ReplayVerdict::Ran, ReplayVerdict::Replayed] {
        let timeline = Timeline::new();
        let mut request = post("k", "tea");
        request.extensions_mut().insert(timeline.clone());
        ask(&client, request).await;
        assert_eq!(timeline.read().replay, Some(expected));
        assert!(timeline.read().time(Phase::Replay).is_some());
    }
}
