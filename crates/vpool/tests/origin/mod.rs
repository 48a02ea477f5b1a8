//! Small origins on loopback ports: an HTTP server, and sockets that do as the test says.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;
use vhttp::Body;
use vpool::http::{Client, ClientError, OriginStats};

/// An origin that counts the connections it accepted.
pub struct Origin {
    pub addr: SocketAddr,
    accepted: Arc<AtomicUsize>,
    _accepting: vtask::Task,
}

impl Origin {
    /// Hands every connection, numbered from 0, to `serve`.
    pub async fn sockets<F, Fut>(serve: F) -> Self
    where
        F: Fn(TcpStream, usize) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let accepting = vtask::Task::spawn(async move {
            let mut running = tokio::task::JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                running.spawn(serve(socket, count.fetch_add(1, Ordering::SeqCst)));
            }
        });
        Self { addr, accepted, _accepting: accepting }
    }

    /// Speaks HTTP/1.1 through `answer`.
    pub async fn http<F, Fut>(answer: F) -> Self
    where
        F: Fn(Request<Incoming>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Response<Body>> + Send + 'static,
    {
        Self::sockets(move |socket, _| {
            let answer = answer.clone();
            async move {
                let service = service_fn(move |request| {
                    let answered = answer(request);
                    async move { Ok::<_, Infallible>(answered.await) }
                });
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(socket), service)
                    .with_upgrades()
                    .await;
            }
        })
        .await
    }

    /// Answers every request with its own body, path and host.
    pub async fn echo() -> Self {
        Self::http(|request| async move {
            let path = request.uri().to_string();
            let host = request.headers()["host"].clone();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Response::builder()
                .header("x-path", path)
                .header("x-host", host)
                .body(Body::full(body))
                .unwrap()
        })
        .await
    }

    /// Sends `answer`, byte for byte, after each head it reads, and then does as `after` says.
    pub async fn raw(answer: &'static [u8], after: After) -> Self {
        Self::sockets(move |mut socket, _| async move {
            loop {
                if read_head(&mut socket).await.is_none() {
                    return;
                }
                let _ = socket.write_all(answer).await;
                match after {
                    After::Close => return,
                    After::Reset => return reset(&socket),
                    After::Hold => std::future::pending().await,
                    After::Again => {}
                }
            }
        })
        .await
    }

    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    pub fn uri(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }
}

/// What an origin does after its answer.
#[derive(Clone, Copy)]
pub enum After {
    Close,
    Reset,
    Hold,
    Again,
}

/// Makes the close a reset.
pub fn reset(socket: &TcpStream) {
    socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO)).unwrap();
}

/// Reads up to the empty line; `None` at the end of the connection.
pub async fn read_head(socket: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}

pub async fn get(client: &Client, uri: &str) -> Result<Response<Body>, ClientError> {
    let request = Request::get(uri).body(Body::empty()).unwrap();
    client.clone().oneshot(request).await
}

/// Reads a response's body to its end.
pub async fn text(response: Response<Body>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The only origin's numbers.
pub fn stats(client: &Client) -> OriginStats {
    let [stats] = client.stats().try_into().unwrap();
    stats
}

/// Lets other tasks run until `done`, as long as it takes.
pub async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        tokio::task::yield_now().await;
    }
}
