//! Real servers on loopback: origins, and a front that runs the proxy.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tower::ServiceExt;
use vbalance::{Failure, Proxy, ProxyConfig};
use vhttp::{Body, BoxError, Connection};

use crate::support::upstream;

pub type HttpClient = Client<HttpConnector, Body>;

/// A server that ends with the test's runtime.
pub async fn serve<F, A>(answer: F) -> SocketAddr
where
    F: Fn(Request<Body>) -> A + Clone + Send + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let local = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut open = JoinSet::new();
        loop {
            let (stream, peer) = listener.accept().await.unwrap();
            let answer = answer.clone();
            let connection = Connection::new(peer, local, false);
            let service = service_fn(move |request: Request<Incoming>| {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(connection);
                let answer = answer(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let conn = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            open.spawn(conn.with_upgrades());
        }
    });
    local
}

/// A server that answers each connection with these bytes once it has read a request, and closes.
pub async fn raw(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let local = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_head(&mut stream).await;
            stream.write_all(answer).await.unwrap();
        }
    });
    local
}

/// An address where nobody listens, as long as the socket is held: nobody else can take it.
pub fn nobody() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let local = socket.local_addr().unwrap();
    (socket, local)
}

/// A front that runs a proxy before these origins.
pub async fn front(origins: &[SocketAddr], config: ProxyConfig) -> (SocketAddr, Proxy<HttpClient>) {
    let urls: Vec<_> = origins.iter().map(ToString::to_string).collect();
    let urls: Vec<_> = urls.iter().map(String::as_str).collect();
    let proxy = Proxy::builder(upstream(&urls), client())
        .config(config)
        .classify(classify)
        .build()
        .unwrap();
    let inner = proxy.clone();
    let local = serve(move |request| {
        let proxy = inner.clone();
        async move { proxy.oneshot(request).await.unwrap() }
    });
    (local.await, proxy)
}

pub fn client() -> HttpClient {
    Client::builder(TokioExecutor::new()).build_http()
}

fn classify(error: &BoxError) -> Failure {
    let Some(error) = error.downcast_ref::<legacy::Error>() else {
        return Failure::Other;
    };
    if error.is_connect() {
        return Failure::NotSent;
    }
    let cause = std::error::Error::source(error);
    let cause = cause.and_then(|cause| cause.downcast_ref::<hyper::Error>());
    match cause {
        Some(cause) if cause.is_incomplete_message() || cause.is_canceled() => {
            Failure::ClosedBeforeAnswer { reused: false }
        }
        _ => Failure::Other,
    }
}

/// Sends bytes on a fresh connection.
pub async fn open(to: SocketAddr, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    stream
}

/// Reads up to the empty line that ends a head.
pub async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Reads to the end.
pub async fn read_all(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    String::from_utf8(all).unwrap()
}

pub async fn collect(response: Response<Incoming>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}
