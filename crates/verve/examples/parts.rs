//! Each crate alone, without a gateway and without a server.
//!
//! ```sh
//! cargo run -p verve --example parts --features full
//! ```
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::convert::Infallible;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use verve::balance::{Config as BalanceConfig, Outcome, Upstream};
use verve::cache::Memory;
use verve::compress::{Coding, encode};
use verve::metrics::Recorder;
use verve::pool::http::Client;
use verve::ratelimit::{Config as LimitConfig, Limiter};
use verve::task::{Shutdown, every};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // vcache: bounded by weight, with a lifetime.
    let cache = Memory::builder()
        .max_weight(64 << 20)
        .ttl(Some(Duration::from_secs(60)))
        .weigher(|key: &String, value: &String| (key.len() + value.len()) as u64)
        .build()?;
    cache.insert("greeting".to_owned(), "hello".to_owned());
    println!("vcache: {:?}, {} bytes", cache.get("greeting"), cache.weight());

    // vratelimit: ten at once, then one each 100 ms.
    let limit = LimitConfig { rate: "10/s".parse()?, ..LimitConfig::default() };
    let limiter = Limiter::new(&limit)?;
    println!("vratelimit: {:?}", limiter.check_now("somebody"));

    // vcompress: a whole body at once, or nothing when it would not be smaller.
    let text = bytes::Bytes::from("again and ".repeat(500));
    let coded = encode(Coding::Zstd, 3, &text);
    println!("vcompress: {} bytes become {:?}", text.len(), coded.map(|bytes| bytes.len()));

    // vbalance: pick an endpoint, say how it went.
    let endpoints = vec!["http://127.0.0.1:3000".parse()?, "http://127.0.0.1:3001".parse()?];
    let upstream =
        Upstream::builder("app").config(BalanceConfig { endpoints, ..BalanceConfig::default() });
    let upstream = upstream.build()?;
    if let Some(mut lease) = upstream.pick() {
        println!("vbalance: {}", lease.address());
        lease.report(Outcome::Success);
    }

    // vhttp: the client behind the proxies that are trusted.
    let trusted = verve::http::TrustedProxies::parse(["10.0.0.0/8"])?;
    let mut headers = HeaderMap::new();
    headers.insert("x-forwarded-for", HeaderValue::from_static("203.0.113.7, 10.0.0.2"));
    println!("vhttp: {}", trusted.client("10.0.0.1".parse()?, &headers));

    // vmetrics: figures in bounded memory, as Prometheus reads them.
    let metrics = Recorder::new().handle();
    metrics.counter("greetings_total", &[("language", "en")]).increment(1);
    println!("vmetrics: {} bytes of text", metrics.render().len());

    serve_and_ask().await
}

/// vserver, vpool and vtask: a server for a tower service, a client with a pool, and an end.
async fn serve_and_ask() -> Result<(), Box<dyn std::error::Error>> {
    let shutdown = Shutdown::new(Duration::from_secs(5));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let hello = tower::service_fn(|_| async {
        Ok::<_, Infallible>(http::Response::new(verve::http::Body::full("hello")))
    });
    let serving = verve::server::serve_on(listener, hello, Default::default(), shutdown.watch());
    let serving = verve::task::Task::spawn(serving);
    let request =
        http::Request::get(format!("http://{address}/")).body(verve::http::Body::empty())?;
    let answer = tower::ServiceExt::oneshot(Client::builder().build()?, request).await?;
    println!("vserver and vpool: {}", answer.status());

    // vtask: a loop with an owner, and a shutdown with an end.
    let ticks = every(Duration::from_millis(10), 0.1, || async {});
    ticks.stop().await;
    shutdown.begin();
    println!("vtask: {:?}", shutdown.finish().await);
    drop(serving);
    Ok(())
}
