//! The layer, as a client and an origin see it.
#![cfg(all(feature = "gzip", feature = "brotli"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::convert::Infallible;
use std::io::Read;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body as HttpBody, Frame};
use http_body_util::{BodyExt, Channel, Full, StreamBody};
use tower::{Layer, ServiceExt, service_fn};
use vcompress::{Coding, CompressLayer, Config};
use vhttp::{Body, Phase, Timeline};

const TEXT: &str = "All the king's horses and all the king's men. ";

fn text(repeats: usize) -> String {
    TEXT.repeat(repeats)
}

/// Sends one request through the layer to an origin that gives `response`.
async fn ask(request: Request<()>, response: Response<Body>) -> Response<Body> {
    ask_with(Config::default(), request, response).await
}

async fn ask_with(
    config: Config,
    request: Request<()>,
    response: Response<Body>,
) -> Response<Body> {
    let response = std::sync::Mutex::new(Some(response));
    let origin = service_fn(move |_: Request<()>| {
        let response = response.lock().unwrap().take().unwrap();
        async move { Ok::<_, Infallible>(response) }
    });
    let layer = CompressLayer::new(config).unwrap();
    layer.layer(origin).oneshot(request).await.unwrap()
}

fn get(accept: &str) -> Request<()> {
    let request = Request::get("/").header("accept-encoding", accept);
    request.body(()).unwrap()
}

fn html(body: impl Into<Body>) -> Response<Body> {
    let response = Response::builder().header("content-type", "text/html");
    response.body(body.into()).unwrap()
}

fn gunzip(coded: &[u8]) -> String {
    let mut plain = String::new();
    let mut decoder = flate2::read::GzDecoder::new(coded);
    decoder.read_to_string(&mut plain).unwrap();
    plain
}

async fn collect(response: Response<Body>) -> (HeaderMap, Bytes) {
    let (parts, body) = response.into_parts();
    (parts.headers, body.collect().await.unwrap().to_bytes())
}

#[tokio::test]
async fn a_whole_body_is_one_frame_with_its_true_length() {
    let mut response = html(text(500));
    for (name, value) in [
        ("content-length", "23000"),
        ("accept-ranges", "bytes"),
        ("etag", "\"v1\""),
        ("vary", "Origin"),
    ] {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    let (headers, body) = collect(ask(get("gzip"), response).await).await;
    assert_eq!(headers["content-encoding"], "gzip");
    assert_eq!(headers["content-length"], body.len().to_string().as_str());
    assert_eq!(headers["etag"], "W/\"v1\"");
    assert_eq!(headers["vary"], "Origin, Accept-Encoding");
    assert!(!headers.contains_key("accept-ranges"));
    assert_eq!(gunzip(&body), text(500));
}

#[tokio::test]
async fn a_foreign_body_that_is_at_hand_is_coded_whole() {
    let body = Body::new(Full::new(Bytes::from(text(100))));
    let (headers, body) = collect(ask(get("gzip"), html(body)).await).await;
    assert_eq!(headers["content-length"], body.len().to_string().as_str());
    assert_eq!(gunzip(&body), text(100));
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_streamed() {
    let config = Config { whole_max: 4096, ..Config::default() };
    let plain = text(20_000);
    let response = ask_with(config, get("gzip"), html(plain.clone())).await;
    let (headers, body) = collect(response).await;
    assert_eq!(headers["content-encoding"], "gzip");
    assert!(!headers.contains_key("content-length"));
    assert_eq!(gunzip(&body), plain);
}

#[tokio::test]
async fn eligible_answers_have_vary_though_plain() {
    for accept in ["", "identity", "gzip;q=0, br;q=0, zstd;q=0", "compress"] {
        let (headers, body) = collect(ask(get(accept), html(text(500))).await).await;
        assert_eq!(headers["vary"], "Accept-Encoding", "{accept}");
        assert!(!headers.contains_key("content-encoding"), "{accept}");
        assert_eq!(body, text(500));
    }
}

#[tokio::test]
async fn answers_that_are_never_coded_pass_untouched() {
    let fields: [&[(&str, &str)]; 6] = [
        &[("content-type", "image/png"), ("etag", "\"v\"")],
        &[("content-type", "text/html"), ("content-encoding", "gzip")],
        &[("content-type", "text/html"), ("cache-control", "no-transform")],
        &[("content-type", "text/html"), ("content-range", "bytes 0-9/99")],
        &[("content-type", "application/grpc+json")],
        &[],
    ];
    for fields in fields {
        let mut response = Response::new(Body::from(text(100)));
        for (name, value) in fields {
            let name: http::HeaderName = name.parse().unwrap();
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        let before = response.headers().clone();
        let (headers, body) = collect(ask(get("gzip"), response).await).await;
        assert_eq!(headers, before);
        assert_eq!(body, text(100));
    }
}

#[tokio::test]
async fn short_bodies_of_unknown_length_are_left_plain() {
    let frames = vec![Some(Frame::data(Bytes::from("short")))];
    let body = Body::new(StreamBody::new(Iter(frames)));
    let (headers, body) = collect(ask(get("gzip"), html(body)).await).await;
    assert!(!headers.contains_key("content-encoding"));
    assert!(!headers.contains_key("vary"));
    assert_eq!(body, "short");
}

/// A stream of what is given, ready at once.
struct Iter(Vec<Option<Frame<Bytes>>>);

impl futures_core::Stream for Iter {
    type Item = Result<Frame<Bytes>, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.0.is_empty() {
            return Poll::Ready(None);
        }
        Poll::Ready(self.0.remove(0).map(Ok))
    }
}

#[tokio::test]
async fn noise_is_sent_as_it_is() {
    let noise: Vec<u8> = (0..5000u32)
        .map(|i| i.wrapping_mul(i).wrapping_mul(0x9E37_79B9).to_be_bytes()[0])
        .collect();
    let coded = vcompress::encode(Coding::Gzip, 9, &Bytes::from(noise.clone()));
    assert_eq!(coded, None, "the noise must not be compressible");
    let (headers, body) = collect(ask(get("gzip"), html(noise.clone())).await).await;
    assert!(!headers.contains_key("content-encoding"));
    assert_eq!(headers["vary"], "Accept-Encoding");
    assert_eq!(body, noise);
}

#[tokio::test]
async fn what_the_origin_has_sent_reaches_the_client_before_the_end() {
    for accept in ["gzip", "br", "deflate", "zstd"] {
        let (mut sender, body) = Channel::<Bytes, Infallible>::new(4);
        let config = Config {
            stream_codings: Coding::ALL.into_iter().filter(|c| c.is_compiled_in()).collect(),
            ..Config::default()
        };
        let response = ask_with(config, get(accept), html(Body::new(body))).await;
        if response.headers().get("content-encoding").is_none() {
            assert!(!Coding::from_name(accept).unwrap().is_compiled_in());
            continue;
        }
        assert_eq!(response.headers()["content-encoding"], accept);
        let (mut body, mut coded) = (response.into_body(), Vec::new());
        for event in 0..5 {
            let event = format!("data: {event}\n\n");
            sender.send_data(Bytes::from(event)).await.unwrap();
            // One event in, one frame out, with the origin still open.
            let frame = body.frame().await.unwrap().unwrap();
            coded.extend_from_slice(&frame.into_data().unwrap());
            assert!(pending(&mut body).await, "{accept}");
        }
        drop(sender);
        coded.extend_from_slice(&body.collect().await.unwrap().to_bytes());
        if accept == "gzip" {
            assert!(gunzip(&coded).ends_with("data: 4\n\n"));
        }
    }
}

/// Whether the body has nothing to give just now.
async fn pending(body: &mut Body) -> bool {
    std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut *body).poll_frame(cx).is_pending())).await
}

#[tokio::test]
async fn trailers_follow_the_coded_body() {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "7".parse().unwrap());
    let frames =
        vec![Some(Frame::data(Bytes::from(text(100)))), Some(Frame::trailers(trailers.clone()))];
    let body = Body::new(StreamBody::new(Iter(frames)));
    let response = ask(get("gzip"), html(body)).await;
    let all = response.into_body().collect().await.unwrap();
    assert_eq!(all.trailers(), Some(&trailers));
    assert_eq!(gunzip(&all.to_bytes()), text(100));
}

#[tokio::test]
async fn an_error_of_the_origin_ends_the_coded_body() {
    let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(4);
    let response = ask(get("gzip"), html(Body::new(body))).await;
    sender.send_data(Bytes::from(text(1))).await.unwrap();
    sender.abort(std::io::Error::other("cut"));
    let error = response.into_body().collect().await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap();
    assert_eq!(cause.to_string(), "cut");
}

#[tokio::test]
async fn head_is_answered_as_get_would_be() {
    let head = |length: &str| {
        let request = Request::head("/").header("accept-encoding", "gzip");
        let mut response = html(Body::empty());
        let fields = response.headers_mut();
        fields.insert("content-length", length.parse().unwrap());
        fields.insert("etag", "\"v1\"".parse().unwrap());
        ask(request.body(()).unwrap(), response)
    };
    let (headers, body) = collect(head("5000").await).await;
    assert_eq!(headers["content-encoding"], "gzip");
    assert_eq!(headers["vary"], "Accept-Encoding");
    assert_eq!(headers["etag"], "W/\"v1\"");
    assert!(!headers.contains_key("content-length"));
    assert!(body.is_empty());
    let (headers, _) = collect(head("50").await).await;
    assert_eq!(headers["content-length"], "50");
    assert!(!headers.contains_key("content-encoding"));
}

#[tokio::test]
async fn a_304_agrees_with_the_200() {
    let mut request = get("gzip");
    let held = "W/\"v1\"".parse().unwrap();
    request.headers_mut().insert("if-none-match", held);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = http::StatusCode::NOT_MODIFIED;
    let tag = "\"v1\"".parse().unwrap();
    response.headers_mut().insert("etag", tag);
    let (headers, _) = collect(ask(request, response).await).await;
    assert_eq!(headers["etag"], "W/\"v1\"");
    assert_eq!(headers["vary"], "Accept-Encoding");
}

#[tokio::test]
async fn a_part_varies_as_the_200_would() {
    for (kind, coding, vary) in [
        ("text/html", None, true),
        ("multipart/byteranges; boundary=x", None, true),
        ("text/html", Some("br"), false),
        ("image/png", None, false),
    ] {
        let mut response = Response::new(Body::from("part"));
        *response.status_mut() = http::StatusCode::PARTIAL_CONTENT;
        response.headers_mut().insert("content-type", kind.parse().unwrap());
        if let Some(coding) = coding {
            response.headers_mut().insert("content-encoding", coding.parse().unwrap());
        }
        let (headers, body) = collect(ask(get("gzip"), response).await).await;
        assert_eq!(headers.contains_key("vary"), vary, "{kind} {coding:?}");
        assert_eq!(body, "part");
    }
}

#[tokio::test]
async fn a_request_may_forbid_it() {
    let mut request = get("gzip");
    let value = "no-transform".parse().unwrap();
    request.headers_mut().insert("cache-control", value);
    let (headers, _) = collect(ask(request, html(text(100))).await).await;
    assert!(!headers.contains_key("content-encoding"));
    assert_eq!(headers["vary"], "Accept-Encoding");
}

#[tokio::test]
async fn the_timeline_tells_the_coding_and_its_time() {
    for whole_max in [0, 1 << 20] {
        let config = Config { whole_max, ..Config::default() };
        let timeline = Timeline::new();
        let mut request = get("gzip");
        request.extensions_mut().insert(timeline.clone());
        collect(ask_with(config, request, html(text(100))).await).await;
        let record = timeline.read();
        assert_eq!(record.coding, Some("gzip"));
        assert!(record.time(Phase::Coding).is_some());
    }
}

#[tokio::test]
async fn it_fits_axum() {
    let app: axum::Router = axum::Router::new()
        .route("/", axum::routing::get(|| async { text(100) }))
        .layer(CompressLayer::default());
    let request = get("gzip").map(|()| axum::body::Body::empty());
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(gunzip(&body), text(100));
}
