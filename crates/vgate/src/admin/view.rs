//! What the admin listener answers: metrics, health, status.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use tower_service::Service;
use verve::http::{Body, Reject};
use verve::metrics::health::{Health, HealthService};
use verve::metrics::{ExposeService, Handle};
use verve::server::Monitor;

use crate::admin::explain::explain;
use crate::admin::page::text;
use crate::admin::purge::purge;
use crate::admin::status::status;
use crate::state::State;
use crate::warm::warming::Warming;

/// The pages, over everything that they show.
#[derive(Debug, Clone)]
pub(crate) struct View {
    state: Arc<State>,
    warming: Arc<Warming>,
    prometheus: ExposeService,
    json: ExposeService,
    health: HealthService,
    monitor: Monitor,
    file: Option<Arc<PathBuf>>,
}

type Page = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

const INDEX: &str = "vgate admin\n\n\
    /metrics     figures for Prometheus\n\
    /api/status  routes, endpoints, caches and limits as JSON\n\
    /api/explain ?url=… what would happen to a request; see vgate explain --help\n\
    /api/purge   POST what the caches are to forget; see vgate purge --help\n\
    /api/metrics figures with quantiles as JSON\n\
    /health      what works; ?verbose shows each check\n\
    /ready       whether to send traffic here\n\
    /live        whether the process is well\n";

impl View {
    pub(crate) fn new(
        state: &Arc<State>,
        warming: &Arc<Warming>,
        metrics: &Handle,
        health: &Health,
        monitor: Monitor,
        file: Option<PathBuf>,
    ) -> Self {
        Self {
            state: Arc::clone(state),
            warming: Arc::clone(warming),
            json: ExposeService::json(metrics),
            prometheus: ExposeService::prometheus(metrics),
            health: HealthService::new(health.clone()),
            monitor,
            file: file.map(Arc::new),
        }
    }

    fn answer(&mut self, mut request: Request<Body>) -> Page {
        name_host(&mut request);
        if !is_from_here(request.headers()) {
            let reject = Reject::new(StatusCode::FORBIDDEN, "foreign-host")
                .detail("ask by an address or as localhost");
            return page(reject.into_response());
        }
        match request.uri().path() {
            "/metrics" => Box::pin(self.prometheus.call(request)),
            "/health" | "/healthz" | "/ready" | "/readyz" | "/live" | "/livez" => {
                Box::pin(self.health.call(request))
            }
            "/api/metrics" => Box::pin(self.json.call(request)),
            "/api/purge" => {
                let state = Arc::clone(&self.state);
                Box::pin(async move { Ok(purge(&state, request).await) })
            }
            "/" | "/api/explain" | "/api/status" if !is_read(request.method()) => {
                page(Reject::new(StatusCode::METHOD_NOT_ALLOWED, "method").into_response())
            }
            "/" => page(text("text/plain; charset=utf-8", INDEX.to_owned())),
            "/api/explain" => page(explain(&self.state, &request)),
            "/api/status" => {
                let file = self.file.as_deref().map(PathBuf::as_path);
                let status = status(&self.state, &self.warming, &self.monitor, file);
                page(text("application/json", status))
            }
            _ => page(Reject::new(StatusCode::NOT_FOUND, "no-page").into_response()),
        }
    }
}

fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

/// HTTP/2 names the host in the target. Where both do, and differ, it is nobody's: none is left.
fn name_host(request: &mut Request<Body>) {
    let Some(target) = request.uri().authority() else {
        return;
    };
    let target = HeaderValue::try_from(target.as_str()).ok();
    let headers = request.headers_mut();
    match (headers.get(HOST), target) {
        (None, Some(target)) => drop(headers.insert(HOST, target)),
        (Some(host), Some(target)) if host == target => {}
        _ => drop(headers.remove(HOST)),
    }
}

/// A page of another site can make a browser ask here, under that site's name (DNS rebinding).
fn is_from_here(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|value| value.to_str().ok());
    let Some(authority) = host.and_then(|host| host.parse::<http::uri::Authority>().ok()) else {
        return false;
    };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

fn page(response: Response<Body>) -> Page {
    Box::pin(std::future::ready(Ok(response)))
}

impl Service<Request<Body>> for View {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Page;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Page {
        self.answer(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_localhost_are_from_here() {
        for (host, expected) in [
            ("localhost:9900", true),
            ("127.0.0.1:9900", true),
            ("[::1]:9900", true),
            ("LOCALHOST", true),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
            assert_eq!(is_from_here(&headers), expected, "{host}");
        }
        assert!(!is_from_here(&HeaderMap::new()));
    }

    #[test]
    fn the_host_of_the_target_counts_unless_the_field_says_otherwise() {
        for (target, host, expected) in [
            ("http://localhost:1/", None, true),
            ("http://evil.example/", None, false),
            ("http://localhost:1/", Some("localhost:1"), true),
            ("http://localhost:1/", Some("evil.example"), false),
            ("http://evil.example/", Some("localhost:1"), false),
            ("/", Some("localhost:1"), true),
            ("/", None, false),
        ] {
            let mut request = Request::get(target);
            if let Some(host) = host {
                request = request.header(HOST, host);
            }
            let mut request = request.body(Body::empty()).unwrap();
            name_host(&mut request);
            assert_eq!(is_from_here(request.headers()), expected, "{target} {host:?}");
        }
    }
}
