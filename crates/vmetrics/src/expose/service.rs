//! `ExposeService`: answers scrapes.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec::IntoIter;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use tower_service::Service;
use vhttp::Reject;

use crate::expose::prometheus;
use crate::expose::source::Source;
use crate::handle::Handle;

/// Chunks of a scrape are at least this long, the last one aside.
const CHUNK_BYTES: usize = 16 * 1024;

/// Answers GET and HEAD with everything measured; a router mounts it, say at `/metrics`.
///
/// The text format is written metric by metric as the connection takes it, so that a scrape
/// neither holds the whole text in memory nor blocks a worker for long. Other methods get 405.
/// Who can ask sees routes, sizes and rates: mount it where only the operator comes.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # let _inside = runtime.enter();
/// use vmetrics::{ExposeService, Recorder};
///
/// let measured = Recorder::new().handle();
/// let app: axum::Router = axum::Router::new()
///     .route_service("/metrics", ExposeService::prometheus(&measured))
///     .route_service("/metrics.json", ExposeService::json(&measured));
/// # let _ = app;
/// ```
#[derive(Debug, Clone)]
pub struct ExposeService {
    handle: Handle,
    format: Format,
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Prometheus,
    Json,
}

impl ExposeService {
    /// Answers in Prometheus' text format 0.0.4.
    #[must_use]
    pub fn prometheus(handle: &Handle) -> Self {
        Self { handle: handle.clone(), format: Format::Prometheus }
    }

    /// Answers as JSON; see [`Handle::json`].
    #[must_use]
    pub fn json(handle: &Handle) -> Self {
        Self { handle: handle.clone(), format: Format::Json }
    }

    fn answer(&self, method: &Method) -> Response<vhttp::Body> {
        let reads = *method == Method::GET || *method == Method::HEAD;
        if !reads {
            let mut refused =
                Reject::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed").into_response();
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        let body = if *method == Method::HEAD { vhttp::Body::empty() } else { self.body() };
        let mut response = Response::new(body);
        let media_type = match self.format {
            Format::Prometheus => prometheus::MEDIA_TYPE,
            Format::Json => "application/json",
        };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    fn body(&self) -> vhttp::Body {
        match self.format {
            Format::Prometheus => {
                vhttp::Body::new(Text { sources: self.handle.sources().into_iter() })
            }
            Format::Json => vhttp::Body::full(self.handle.json()),
        }
    }
}

impl<B> Service<Request<B>> for ExposeService {
    type Response = Response<vhttp::Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(request.method())))
    }
}

/// The text format, written as it is read.
struct Text {
    sources: IntoIter<Source>,
}

impl Body for Text {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut chunk = String::new();
        for source in self.get_mut().sources.by_ref() {
            prometheus::write(&source.into_metric(), &mut chunk);
            if chunk.len() >= CHUNK_BYTES {
                break;
            }
        }
        let frame = (!chunk.is_empty()).then(|| Ok(Frame::data(chunk.into())));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.sources.len() == 0
    }
}
