//! The response fields that the layer writes, in an axum application and around plain services.
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
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, StreamBody};
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};
use vcache::http::headers::{Directives, ResponseHeadersLayer, Tagging};
use vhttp::Body;

type Client = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

fn minute() -> Directives {
    Directives::public().max_age(Duration::from_secs(60))
}

/// A service that answers with what `respond` makes of the method.
fn service(
    layer: &ResponseHeadersLayer,
    respond: impl Fn(&Method) -> Response<Body> + Clone + Send + Sync + 'static,
) -> Client {
    let service = service_fn(move |request: Request<Body>| {
        let response = respond(request.method());
        async move { Ok::<_, Infallible>(response) }
    });
    BoxCloneSyncService::new(layer.layer(service))
}

async fn ask(client: &Client, method: &str, fields: &[(&str, &str)]) -> Response<Body> {
    let mut request = Request::builder().method(method).uri("/");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    client.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

fn with(
    status: u16,
    fields: &[(&'static str, &'static str)],
    body: &'static str,
) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    response.body(Body::full(body)).unwrap()
}

fn pieces(pieces: &[&'static str]) -> Body {
    let frames: Vec<_> =
        pieces.iter().map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::from(*piece)))).collect();
    Body::new(StreamBody::new(futures_util::stream::iter(frames)))
}

async fn text(response: Response<Body>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn cache_control_is_said_where_nothing_is_said() {
    let layer = ResponseHeadersLayer::new().cache_control(minute()).errors(Directives::no_store());
    let ours = "public, max-age=60";
    for (status, said, expected) in [
        (200, None, Some(ours)),
        (204, None, Some(ours)),
        (301, None, Some(ours)),
        (304, None, Some(ours)),
        (302, None, None),
        (404, None, Some("no-store")),
        (500, None, Some("no-store")),
        (200, Some(("cache-control", "private")), Some("private")),
        (200, Some(("expires", "0")), None),
        (500, Some(("cache-control", "max-age=1")), Some("max-age=1")),
    ] {
        let client = service(&layer, move |_| with(status, said.as_slice(), ""));
        for method in ["GET", "HEAD"] {
            let response = ask(&client, method, &[]).await;
            let got = response.headers().get("cache-control").map(|value| value.to_str().unwrap());
            assert_eq!(got, expected, "{method} {status} {said:?}");
        }
    }
    let client = service(&layer, |_| with(200, &[], ""));
    assert!(!ask(&client, "POST", &[]).await.headers().contains_key("cache-control"));
}

#[tokio::test]
async fn overriding_leaves_one_word_only() {
    let layer = ResponseHeadersLayer::new().cache_control(minute()).overriding();
    let client = service(&layer, |_| {
        with(200, &[("cache-control", "no-store"), ("expires", "0"), ("pragma", "no-cache")], "")
    });
    let response = ask(&client, "GET", &[]).await;
    let expected: HeaderMap =
        [("cache-control".parse().unwrap(), "public, max-age=60".parse().unwrap())]
            .into_iter()
            .collect();
    assert_eq!(*response.headers(), expected);
}

#[tokio::test]
async fn a_tag_names_the_content() {
    for (tagging, prefix) in [(Tagging::Strong, "\""), (Tagging::Weak, "W/\"")] {
        let layer = ResponseHeadersLayer::new().entity_tags(tagging).streams(true);
        let tag = async |body: fn() -> Body| {
            let client = service(&layer, move |_| Response::new(body()));
            let response = ask(&client, "GET", &[]).await;
            let tag = response.headers()["etag"].to_str().unwrap().to_owned();
            (tag, text(response).await)
        };
        let (whole, content) = tag(|| Body::full("hello")).await;
        assert!(whole.starts_with(prefix), "{whole}");
        assert_eq!(content, "hello");
        // The same content has the same tag, however it comes.
        assert_eq!(tag(|| pieces(&["he", "", "llo"])).await, (whole.clone(), content));
        assert_ne!(tag(|| Body::full("hellO")).await.0, whole);
        assert!(!tag(Body::empty).await.0.is_empty());
    }
}

#[tokio::test]
async fn what_has_a_tag_or_is_not_stored_or_is_no_whole_success_gets_none() {
    let layer = ResponseHeadersLayer::new().entity_tags(Tagging::Strong);
    for (method, response) in [
        ("GET", (200, [("etag", "\"own\"")])),
        ("GET", (200, [("cache-control", "no-store")])),
        ("GET", (206, [("content-range", "bytes 0-0/9")])),
        ("GET", (404, [("x-a", "1")])),
        ("POST", (200, [("x-a", "1")])),
    ] {
        let (status, fields) = response;
        let client = service(&layer, move |_| with(status, &fields, "x"));
        let response = ask(&client, method, &[]).await;
        let tag = response.headers().get("etag").map(|tag| tag.to_str().unwrap());
        assert_eq!(tag, (fields[0].0 == "etag").then_some("\"own\""), "{method} {fields:?}");
        assert_eq!(text(response).await, "x");
    }
}

#[tokio::test]
async fn large_content_and_streams_pass_untouched() {
    let small = ResponseHeadersLayer::new().entity_tags(Tagging::Strong).max_body(4);
    for (layer, body, content, tagged) in [
        (small.clone(), (|| Body::full("1234")) as fn() -> Body, "1234", true),
        (small.clone(), || Body::full("12345"), "12345", false),
        (small.clone(), || pieces(&["1"]), "1", false),
        (small.clone().streams(true), || pieces(&["1", "234"]), "1234", true),
        (small.streams(true), || pieces(&["12", "34", "56", "78"]), "12345678", false),
    ] {
        let client = service(&layer, move |_| Response::new(body()));
        let response = ask(&client, "GET", &[]).await;
        assert_eq!(response.headers().contains_key("etag"), tagged, "{content}");
        assert_eq!(text(response).await, content);
    }
}

#[tokio::test]
async fn content_that_breaks_off_breaks_off_for_the_client() {
    let layer = ResponseHeadersLayer::new().entity_tags(Tagging::Strong).streams(true);
    let client = service(&layer, |_| {
        let cut = [Ok(Frame::data(Bytes::from("half"))), Err("cut")];
        Response::new(Body::new(StreamBody::new(futures_util::stream::iter(cut))))
    });
    let response = ask(&client, "GET", &[]).await;
    assert!(!response.headers().contains_key("etag"));
    let mut body = response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "half");
    assert!(body.frame().await.unwrap().is_err());
}

#[tokio::test]
async fn who_has_it_gets_304_with_the_fields_that_matter() {
    let layer = ResponseHeadersLayer::new().entity_tags(Tagging::Strong).cache_control(minute());
    let client = service(&layer, |_| {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let fields = [
            ("content-type", "text/plain"),
            ("content-language", "en"),
            ("last-modified", date),
            ("vary", "accept"),
            ("x-own", "1"),
        ];
        with(200, &fields, "hello")
    });
    let tag = ask(&client, "GET", &[]).await.headers()["etag"].to_str().unwrap().to_owned();
    for method in ["GET", "HEAD"] {
        let response = ask(&client, method, &[("if-none-match", &tag)]).await;
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
        let mut names: Vec<_> = response.headers().keys().map(http::HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["cache-control", "etag", "vary", "x-own"]);
        assert_eq!(text(response).await, "");
        let response = ask(&client, method, &[("if-match", "\"other\"")]).await;
        assert_eq!(response.status(), StatusCode::PRECONDITION_FAILED);
        let since = "Sun, 06 Nov 1994 08:49:37 GMT";
        let response = ask(&client, method, &[("if-modified-since", since)]).await;
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
    }
    // What a POST depends on is the service's to check.
    let response = ask(&client, "POST", &[("if-none-match", &tag)]).await;
    assert_eq!(response.status(), StatusCode::OK);
    let layer = layer.conditional(false);
    let client = service(&layer, |_| with(200, &[], "hello"));
    assert_eq!(ask(&client, "GET", &[("if-none-match", &tag)]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn head_has_the_fields_of_get_and_no_content() {
    let layer = ResponseHeadersLayer::new().entity_tags(Tagging::Strong).cache_control(minute());
    let client =
        service(&layer, |method| with(200, &[], if method == "GET" { "hello" } else { "" }));
    let whole = ask(&client, "GET", &[]).await;
    let head = ask(&client, "HEAD", &[]).await;
    for name in ["etag", "cache-control"] {
        assert_eq!(head.headers()[name], whole.headers()[name]);
    }
    assert_eq!(head.headers()["content-length"], "5");
    assert_eq!(text(head).await, "");
    // Without a length none is invented.
    let client = service(&layer, |_| Response::new(pieces(&["hello"])));
    let head = ask(&client, "HEAD", &[]).await;
    assert!(!head.headers().contains_key("content-length"));
    assert_eq!(head.body().size_hint().exact(), None);
    assert_eq!(text(head).await, "");
    // Without tags the service is asked as the client asked.
    let plain = ResponseHeadersLayer::new();
    let client = service(&plain, |method| with(200, &[], if method == "HEAD" { "" } else { "no" }));
    assert_eq!(text(ask(&client, "HEAD", &[]).await).await, "");
}

#[tokio::test]
async fn an_axum_application_answers_conditionally() {
    let layer = ResponseHeadersLayer::new().cache_control(minute()).entity_tags(Tagging::Weak);
    let app: Router = Router::new().route("/", get(|| async { "hello" })).layer(layer);
    let ask = async |method: &str, tag: Option<&str>| {
        let mut request = Request::builder().method(method).uri("/");
        if let Some(tag) = tag {
            request = request.header("if-none-match", tag);
        }
        let request = request.body(axum::body::Body::empty()).unwrap();
        app.clone().oneshot(request).await.unwrap()
    };
    let first = ask("GET", None).await;
    assert_eq!(first.headers()["cache-control"], "public, max-age=60");
    let tag = first.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(first.into_body().collect().await.unwrap().to_bytes(), "hello");
    let head = ask("HEAD", None).await;
    assert_eq!(head.headers()["etag"], tag.as_str());
    assert_eq!(head.headers()["content-length"], "5");
    assert!(head.into_body().collect().await.unwrap().to_bytes().is_empty());
    assert_eq!(ask("GET", Some(&tag)).await.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(ask("HEAD", Some(&tag)).await.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(ask("GET", Some("\"other\"")).await.status(), StatusCode::OK);
}
