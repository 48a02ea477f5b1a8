//! A scripted origin behind the cache, and requests to it.
#![allow(dead_code, reason = "each test uses its part")]

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, Method, Request, Response, StatusCode, request};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt};
use vcache::http::{Cache, CacheLayer, Config, HttpCache};
use vhttp::Body;

/// The origin is not there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Down;

pub(crate) type Answer = Result<Response<Body>, Down>;
pub(crate) type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// What reached the origin.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<request::Parts>>>);

impl Log {
    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub(crate) fn last(&self) -> request::Parts {
        self.0.lock().unwrap().last().unwrap().clone()
    }
}

type Script = dyn Fn(&request::Parts, usize) -> Answering + Send + Sync;

/// A service that answers by a script, which sees the number of the request too.
#[derive(Clone)]
pub(crate) struct Origin {
    log: Log,
    script: Arc<Script>,
}

impl Service<Request<Body>> for Origin {
    type Response = Response<Body>;
    type Error = Down;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Down>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answering {
        let (parts, _) = request.into_parts();
        let mut log = self.log.0.lock().unwrap();
        log.push(parts.clone());
        (self.script)(&parts, log.len())
    }
}

/// A cache before an origin.
pub(crate) fn stack<F>(config: Config, script: F) -> (Cache<Origin>, Log, HttpCache)
where
    F: Fn(&request::Parts, usize) -> Answering + Send + Sync + 'static,
{
    let cache = HttpCache::new(config).unwrap();
    let (service, log) = behind(&CacheLayer::new(cache.clone()), script);
    (service, log, cache)
}

pub(crate) fn behind<F>(layer: &CacheLayer, script: F) -> (Cache<Origin>, Log)
where
    F: Fn(&request::Parts, usize) -> Answering + Send + Sync + 'static,
{
    let log = Log::default();
    let origin = Origin { log: log.clone(), script: Arc::new(script) };
    (layer.layer(origin), log)
}

/// An answer that is there at once.
pub(crate) fn now(response: Response<Body>) -> Answering {
    Box::pin(std::future::ready(Ok(response)))
}

/// An answer after a while.
pub(crate) fn after(wait: Duration, response: Response<Body>) -> Answering {
    Box::pin(async move {
        tokio::time::sleep(wait).await;
        Ok(response)
    })
}

pub(crate) fn down() -> Answering {
    Box::pin(std::future::ready(Err(Down)))
}

pub(crate) fn response(
    status: u16,
    fields: &[(&str, &str)],
    body: impl Into<Body>,
) -> Response<Body> {
    let mut builder = Response::builder().status(status);
    for (name, value) in fields {
        builder = builder.header(*name, *value);
    }
    builder.body(body.into()).unwrap()
}

pub(crate) fn ok(fields: &[(&str, &str)], body: impl Into<Body>) -> Response<Body> {
    response(200, fields, body)
}

/// A body that comes in several chunks, or breaks off.
pub(crate) fn chunks(parts: &[Result<&'static str, &'static str>]) -> Body {
    let frames: Vec<_> = parts
        .iter()
        .map(|part| {
            part.map(|text| http_body::Frame::data(bytes::Bytes::from_static(text.as_bytes())))
                .map_err(std::io::Error::other)
        })
        .collect();
    Body::new(http_body_util::StreamBody::new(futures_util::stream::iter(frames)))
}

pub(crate) fn get(path: &str, fields: &[(&str, &str)]) -> Request<Body> {
    ask(Method::GET, path, fields)
}

pub(crate) fn ask(method: Method, path: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let mut builder = Request::builder().method(method).uri(path);
    builder = builder.header("host", "a.test");
    for (name, value) in fields {
        builder = builder.header(*name, *value);
    }
    builder.body(Body::empty()).unwrap()
}

/// An answer that was read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// What the body was, and `None` when it broke off.
    pub(crate) body: Option<String>,
}

impl Reply {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.headers.get_all(name).iter();
        let first = lines.next()?;
        assert!(lines.next().is_none(), "{name} is there twice");
        Some(first.to_str().unwrap())
    }

    pub(crate) fn cache_status(&self) -> &str {
        self.field("cache-status").unwrap_or("")
    }

    pub(crate) fn body(&self) -> &str {
        self.body.as_deref().unwrap()
    }
}

pub(crate) async fn send(service: &Cache<Origin>, request: Request<Body>) -> Result<Reply, Down> {
    let (parts, body) = service.clone().oneshot(request).await?.into_parts();
    let body = body.collect().await.ok().map(|all| {
        let bytes = all.to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    });
    Ok(Reply { status: parts.status, headers: parts.headers, body })
}

pub(crate) async fn fetch(service: &Cache<Origin>, path: &str) -> Reply {
    send(service, get(path, &[])).await.unwrap()
}

pub(crate) async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}
