//! `Stack` on an axum application: measured, limited, compressed and cached in one layer.
//!
//! ```sh
//! cargo run -p verve --example axum --features full
//! curl -i http://127.0.0.1:3000/          # twice: the second time Cache-Status says hit
//! curl -i http://127.0.0.1:3000/metrics
//! ```

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::header::CACHE_CONTROL;
use axum::middleware::map_request;
use axum::response::IntoResponse;
use axum::routing::get;
use verve::Stack;
use verve::cache::http::{CacheLayer, Config as CacheConfig, HttpCache};
use verve::compress::Config as CompressConfig;
use verve::http::ClientAddr;
use verve::metrics::{ExposeService, MetricsLayer, Recorder};
use verve::ratelimit::{Config as LimitConfig, Limiter, RateLimitLayer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // First of all: handles that were taken before stay silent.
    let metrics = Recorder::new().install()?;

    let limit = LimitConfig { rate: "50/s".parse()?, ..LimitConfig::default() };
    let limiter = Limiter::builder().name("demo").config(limit.clone()).build()?;
    let stack = Stack::new()
        .metrics(MetricsLayer::new(&metrics))
        .deadline(Duration::from_secs(10))
        .rate_limit(RateLimitLayer::from_config(limiter, &limit)?)
        .compress(CompressConfig::default())?
        .cache(CacheLayer::new(HttpCache::new(CacheConfig::default())?));

    let app = Router::new()
        .route("/", get(report))
        .layer(stack)
        // Outside of the stack, whose limit is per client.
        .layer(map_request(tell_client))
        .route_service("/metrics", ExposeService::prometheus(&metrics));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

/// Says who asks; verve's own server does this by itself. Without it all clients share one limit.
/// Behind a proxy, `verve::http::TrustedProxies` finds the client in the fields of the request.
async fn tell_client(ConnectInfo(peer): ConnectInfo<SocketAddr>, mut request: Request) -> Request {
    request.extensions_mut().insert(ClientAddr(peer.ip()));
    request
}

/// A page that is slow to make and may be kept for ten seconds.
async fn report() -> impl IntoResponse {
    tokio::time::sleep(Duration::from_millis(200)).await;
    ([(CACHE_CONTROL, "public, max-age=10")], "a report that took a while\n".repeat(100))
}
