//! Over real sockets, through hyper-util's client.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use http_body_util::channel::Channel;
use tokio::io::AsyncWriteExt;
use tokio::sync::oneshot;
use vbalance::ProxyConfig;
use vhttp::{Body, BodyError};

use crate::origin::{client, collect, front, nobody, open, raw, read_all, read_head, serve};

fn get(url: String) -> Request<Body> {
    Request::get(url).body(Body::empty()).unwrap()
}

/// An origin that says what it was asked.
async fn echo(request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let mut fields: Vec<_> = parts
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()))
        .collect();
    fields.sort();
    let line = format!("{} {}\n", parts.method, parts.uri);
    let text = format!("{line}{}\n{}", fields.concat(), body.escape_ascii());
    Response::new(Body::full(text))
}

#[tokio::test]
async fn a_request_arrives_whole_and_clean() {
    let origin = serve(echo).await;
    let (front, _proxy) = front(&[origin], ProxyConfig::default()).await;
    let mut stream = open(
        front,
        "POST /a%2Fb?c HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\
         Connection: close, X-Mine\r\nX-Mine: 1\r\nX-Forwarded-For: 6.6.6.6\r\nTE: trailers\r\n\
         Expect: 100-continue\r\n\r\n",
    )
    .await;
    // The server under the proxy meets the expectation when the body is asked for.
    assert_eq!(read_head(&mut stream).await, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"3\r\nabc\r\n0\r\n\r\n").await.unwrap();
    let answer = read_all(&mut stream).await;
    let (_, text) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(
        text,
        "POST /a%2Fb?c\nhost: shop.example\ntransfer-encoding: chunked\nvia: 1.1 verve\n\
         x-forwarded-for: 127.0.0.1\nx-forwarded-host: shop.example\nx-forwarded-proto: http\n\
         \nabc"
    );
}

#[tokio::test]
async fn ambiguous_framing_is_refused() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let origin = serve(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        async { Response::new(Body::empty()) }
    })
    .await;
    let (front, _proxy) = front(&[origin], ProxyConfig::default()).await;
    for coding in ["gzip, chunked", ", chunked", "chunked, chunked"] {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: {coding}\r\n\
             \r\n0\r\n\r\n"
        );
        let mut stream = open(front, &request).await;
        let answer = read_all(&mut stream).await;
        let refused = answer.starts_with("HTTP/1.1 501") || answer.starts_with("HTTP/1.1 400");
        assert!(refused, "{coding}: {answer}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_dead_endpoint_loses_no_request() {
    let origin = serve(echo).await;
    let (_held, dead) = nobody();
    let (front, proxy) = front(&[dead, origin], ProxyConfig::default()).await;
    let client = client();
    for _ in 0..20 {
        let answer = client.request(get(format!("http://{front}/"))).await;
        assert_eq!(answer.unwrap().status(), 200);
        // A stream cannot be sent twice, but none of it was sent.
        let (mut sender, body) = Channel::<Bytes, BodyError>::new(1);
        let post = Request::post(format!("http://{front}/")).body(Body::new(body));
        let answer = client.request(post.unwrap());
        let feed = async {
            sender.send_data(Bytes::from_static(b"order")).await.unwrap();
            drop(sender);
        };
        let (answer, ()) = tokio::join!(answer, feed);
        assert!(collect(answer.unwrap()).await.ends_with(b"order"));
    }
    let dead = &proxy.upstream().status().endpoints[0];
    assert!(dead.ejected, "{dead:?}");
    assert!(dead.failures >= 3, "{dead:?}");
}

#[tokio::test]
async fn a_post_is_never_executed_twice() {
    let executed = Arc::new(AtomicUsize::new(0));
    let mut origins = Vec::new();
    for _ in 0..2 {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        origins.push(listener.local_addr().unwrap());
        let executed = Arc::clone(&executed);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                read_head(&mut stream).await;
                executed.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let (front, _proxy) = front(&origins, ProxyConfig::default()).await;
    for (method, executions) in [(Method::POST, 1), (Method::GET, 2)] {
        executed.store(0, Ordering::Relaxed);
        let request =
            Request::builder().method(&method).uri(format!("http://{front}/")).body(Body::empty());
        let answer = client().request(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), 502);
        let text = collect(answer).await;
        assert!(text.windows(15).any(|w| w == b"upstream-closed"), "{text:?}");
        assert_eq!(executed.load(Ordering::Relaxed), executions, "{method}");
    }
}

#[tokio::test]
async fn the_first_chunk_comes_before_the_last_is_sent() {
    let (more, wait) = oneshot::channel::<()>();
    let wait = Arc::new(std::sync::Mutex::new(Some(wait)));
    let origin = serve(move |_| {
        let wait = wait.lock().unwrap().take().unwrap();
        let (mut sender, body) = Channel::<Bytes, BodyError>::new(1);
        tokio::spawn(async move {
            sender.send_data(Bytes::from_static(b"first")).await.unwrap();
            wait.await.unwrap();
            sender.send_data(Bytes::from_static(b"last")).await.unwrap();
        });
        async { Response::new(Body::new(body)) }
    })
    .await;
    let (front, proxy) = front(&[origin], ProxyConfig::default()).await;
    let answer = client().request(get(format!("http://{front}/"))).await;
    let mut body = answer.unwrap().into_body();
    let first = body.frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "first");
    assert_eq!(proxy.upstream().status().endpoints[0].in_flight, 1);
    more.send(()).unwrap();
    assert_eq!(body.collect().await.unwrap().to_bytes(), "last");
}

#[tokio::test]
async fn the_upload_streams_too() {
    let origin = serve(|request: Request<Body>| async { Response::new(request.into_body()) }).await;
    let (front, _proxy) = front(&[origin], ProxyConfig::default()).await;
    let (mut sender, body) = Channel::<Bytes, BodyError>::new(1);
    let post = Request::post(format!("http://{front}/")).body(Body::new(body));
    sender.send_data(Bytes::from_static(b"ping")).await.unwrap();
    let answer = client().request(post.unwrap()).await.unwrap();
    let mut body = answer.into_body();
    let first = body.frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "ping");
    sender.send_data(Bytes::from_static(b"pong")).await.unwrap();
    drop(sender);
    assert_eq!(body.collect().await.unwrap().to_bytes(), "pong");
}

#[tokio::test]
async fn broken_origins_are_502_or_visibly_cut() {
    for answer in [
        &b"SSH-2.0-OpenSSH\r\n"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: ",
    ] {
        let origin = raw(answer).await;
        let (front, _proxy) = front(&[origin], ProxyConfig::default()).await;
        let response = client().request(get(format!("http://{front}/"))).await;
        assert_eq!(response.unwrap().status(), 502, "{}", answer.escape_ascii());
    }
    for answer in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
    ] {
        let origin = raw(answer).await;
        let (front, proxy) = front(&[origin], ProxyConfig::default()).await;
        let response = client().request(get(format!("http://{front}/"))).await;
        assert!(response.unwrap().into_body().collect().await.is_err());
        assert_eq!(proxy.upstream().status().endpoints[0].failures, 1);
    }
}

#[tokio::test]
async fn a_body_delimited_by_the_end_of_the_connection_is_delivered() {
    let origin = raw(b"HTTP/1.0 200 OK\r\n\r\nold but whole").await;
    let (front, _proxy) = front(&[origin], ProxyConfig::default()).await;
    let response = client().request(get(format!("http://{front}/"))).await;
    assert_eq!(collect(response.unwrap()).await, "old but whole");
}

#[tokio::test]
async fn head_keeps_its_length_and_no_body() {
    let origin = serve(|_| async {
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.insert("content-length", "1234".parse().unwrap());
        response
    })
    .await;
    let (front, proxy) = front(&[origin], ProxyConfig::default()).await;
    let head = Request::head(format!("http://{front}/")).body(Body::empty());
    let answer = client().request(head.unwrap()).await.unwrap();
    assert_eq!(answer.headers()["content-length"], "1234");
    assert_eq!(collect(answer).await, "");
    assert_eq!(proxy.upstream().status().endpoints[0].in_flight, 0);
}

#[tokio::test]
async fn a_silent_body_ends_visibly() {
    let origin = serve(|_| async {
        let (sender, body) = Channel::<Bytes, BodyError>::new(1);
        tokio::spawn(async move {
            let _open = sender;
            std::future::pending::<()>().await;
        });
        Response::new(Body::new(body))
    })
    .await;
    let config = ProxyConfig { idle_timeout: Duration::from_millis(20), ..ProxyConfig::default() };
    let (front, _proxy) = front(&[origin], config).await;
    let answer = client().request(get(format!("http://{front}/"))).await;
    assert!(answer.unwrap().into_body().collect().await.is_err());
}
