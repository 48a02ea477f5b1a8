//! WebSocket upgrades are tunnelled when both sides agree, and only then.

use std::time::Duration;

use http::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, split};
use vbalance::{Proxy, ProxyConfig, Tunnels};
use vhttp::Body;

use crate::origin::{HttpClient, front, open, read_all, read_head, serve};

const ASK: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n\
                   Upgrade: WebSocket\r\nSec-WebSocket-Key: abc\r\n\r\n";

/// An origin that agrees to the upgrade and sends every byte back.
async fn echo(mut request: Request<Body>) -> Response<Body> {
    if request.headers().get("upgrade").is_none() {
        return Response::new(Body::full("no upgrade"));
    }
    assert_eq!(request.headers()["sec-websocket-key"], "abc");
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let (mut reader, mut writer) = split(TokioIo::new(upgraded.await.unwrap()));
        copy(&mut reader, &mut writer).await.unwrap();
        writer.shutdown().await.unwrap();
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    for (name, value) in
        [("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", "xyz")]
    {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

fn in_flight(proxy: &Proxy<HttpClient>) -> u32 {
    proxy.upstream().status().endpoints[0].in_flight
}

#[tokio::test]
async fn bytes_go_both_ways_until_both_sides_end() {
    let origin = serve(echo).await;
    let (front, proxy) = front(&[origin], ProxyConfig::default()).await;
    // Bytes sent at once are held until the upgrade is agreed on.
    let mut stream = open(front, &format!("{ASK}early")).await;
    let head = read_head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("sec-websocket-accept: xyz\r\n"), "{head}");
    let mut bytes = [0; 5];
    stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"early");
    assert_eq!((in_flight(&proxy), proxy.tunnels().open()), (1, 1));
    stream.write_all(b"hello").await.unwrap();
    stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"hello");
    // A half that closes is passed on, and the other half still delivers.
    stream.write_all(b"bye").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(read_all(&mut stream).await, "bye");
    while proxy.tunnels().open() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(in_flight(&proxy), 0);
}

#[tokio::test]
async fn what_the_origin_refuses_stays_http() {
    let origin = serve(|request: Request<Body>| async move {
        Response::new(Body::full(request.uri().path().to_owned()))
    })
    .await;
    let (front, proxy) = front(&[origin], ProxyConfig::default()).await;
    let next = "GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let mut stream = open(front, &format!("{ASK}{next}")).await;
    let answers = read_all(&mut stream).await;
    assert!(answers.contains("\r\n\r\n/chat"), "{answers}");
    assert!(answers.ends_with("\r\n\r\n/next"), "{answers}");
    assert_eq!(proxy.tunnels().open(), 0);
}

#[tokio::test]
async fn other_protocols_and_switched_off_upgrades_are_not_offered() {
    let origin = serve(echo).await;
    let off = ProxyConfig { upgrade: false, ..ProxyConfig::default() };
    for (config, protocol) in [
        (ProxyConfig::default(), "h2c"),
        (ProxyConfig::default(), "spdy"),
        (ProxyConfig::default(), "websocket, spdy"),
        (off, "websocket"),
    ] {
        let (front, _proxy) = front(&[origin], config).await;
        let request = format!(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, close\r\nUpgrade: {protocol}\r\n\r\n"
        );
        let mut stream = open(front, &request).await;
        let answer = read_all(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.ends_with("no upgrade"), "{protocol}: {answer}");
    }
}

#[tokio::test]
async fn an_upgrade_to_something_else_is_502() {
    let origin = serve(|_| async {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert("connection", "upgrade".parse().unwrap());
        headers.insert("upgrade", "h2c".parse().unwrap());
        response
    })
    .await;
    let (front, proxy) = front(&[origin], ProxyConfig::default()).await;
    let mut stream = open(front, ASK).await;
    let head = read_head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 502 "), "{head}");
    assert_eq!(proxy.tunnels().open(), 0);
}

#[tokio::test]
async fn tunnels_are_bounded() {
    let origin = serve(echo).await;
    let config = ProxyConfig { max_tunnels: 1, ..ProxyConfig::default() };
    let (front, _proxy) = front(&[origin], config).await;
    let mut first = open(front, ASK).await;
    assert!(read_head(&mut first).await.starts_with("HTTP/1.1 101 "));
    let mut second = open(front, ASK).await;
    let head = read_head(&mut second).await;
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert!(head.contains("retry-after: 1\r\n"), "{head}");
}

#[tokio::test]
async fn an_idle_tunnel_is_closed() {
    let origin = serve(echo).await;
    let config = ProxyConfig { tunnel_idle: Duration::from_millis(20), ..ProxyConfig::default() };
    let (front, proxy) = front(&[origin], config).await;
    let mut stream = open(front, ASK).await;
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 101 "));
    assert_eq!(read_all(&mut stream).await, "");
    assert_eq!(proxy.tunnels().open(), 0);
}

#[tokio::test]
async fn tunnels_outlive_their_proxy_and_end_with_their_owner() {
    let origin = serve(echo).await;
    let tunnels = Tunnels::new(10);
    let upstream = crate::support::upstream(&[&origin.to_string()]);
    let proxy =
        Proxy::builder(upstream, crate::origin::client()).tunnels(tunnels.clone()).build().unwrap();
    let once = std::sync::Mutex::new(Some(proxy));
    let once = std::sync::Arc::new(once);
    let front = serve(move |request| {
        // The only proxy there is goes with its only request.
        let proxy = once.lock().unwrap().take().unwrap();
        async move { tower::ServiceExt::oneshot(proxy, request).await.unwrap() }
    })
    .await;
    let mut stream = open(front, ASK).await;
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 101 "));
    let mut bytes = [0; 5];
    stream.write_all(b"still").await.unwrap();
    stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!((&bytes, tunnels.open()), (b"still", 1));
    tunnels.close().await;
    assert_eq!(tunnels.open(), 0);
    assert_eq!(stream.read(&mut bytes).await.unwrap_or(0), 0);
}
