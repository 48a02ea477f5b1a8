//! One of the demo's origins: a small server with a speed and a habit of its own.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tower_service::Service;
use verve::http::Body;
use verve::server;
use verve::task::Shutdown;
use verve::unit::duration;

use crate::demo::pages;

/// How an origin behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Habit {
    /// Its name, as in `X-Origin`.
    pub(crate) name: &'static str,
    /// How long every answer takes.
    pub(crate) delay: Duration,
    /// Whether `/flaky` fails here with every second request.
    pub(crate) flaky: bool,
}

/// The three origins.
pub(crate) const HABITS: [Habit; 3] = [
    Habit { name: "swift", delay: Duration::from_millis(1), flaky: false },
    Habit { name: "steady", delay: Duration::from_millis(20), flaky: false },
    Habit { name: "flaky", delay: Duration::from_millis(5), flaky: true },
];

/// Where to ask an origin to stop: `POST /_demo/stop?for=30s`.
pub(crate) const STOP: &str = "/_demo/stop";

/// Serves until the runtime ends; a stop closes the port and every connection, then returns.
pub(crate) async fn serve(habit: Habit, first: TcpListener) -> io::Result<()> {
    let address = first.local_addr()?;
    let mut listener = first;
    loop {
        let (stop, mut stopped) = channel(1);
        let origin = Origin { habit, requests: Arc::default(), stop };
        let pause = serve_until_stopped(listener, origin, &mut stopped).await;
        tracing::info!(origin = habit.name, pause = duration::format(pause), "demo origin stopped");
        tokio::time::sleep(pause).await;
        listener = bind(address)?;
        tracing::info!(origin = habit.name, "demo origin serves again");
    }
}

/// Binds a loopback port; the same one again soon after it was closed.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(1024)
}

async fn serve_until_stopped(
    listener: TcpListener,
    origin: Origin,
    stopped: &mut Receiver<Duration>,
) -> Duration {
    let shutdown = Shutdown::new(Duration::from_millis(50));
    let config = server::Config::default();
    let serving = server::serve_on(listener, origin, config, shutdown.watch());
    let asked = async {
        let pause = stopped.recv().await.unwrap_or(Duration::MAX);
        shutdown.begin();
        pause
    };
    let (_, pause) = tokio::join!(serving, asked);
    pause
}

/// The service of one origin.
#[derive(Debug, Clone)]
struct Origin {
    habit: Habit,
    requests: Arc<AtomicU64>,
    stop: Sender<Duration>,
}

impl Origin {
    async fn answer(self, request: Request<Body>) -> Response<Body> {
        let path = request.uri().path();
        if path == STOP {
            return self.stop(&request);
        }
        let count = self.requests.fetch_add(1, Ordering::Relaxed);
        let extra = if path == "/slow" { Duration::from_millis(500) } else { Duration::ZERO };
        tokio::time::sleep(self.habit.delay + extra).await;
        if path == "/flaky" {
            return self.flaky(count);
        }
        pages::answer(&request, self.habit.name)
    }

    fn flaky(&self, count: u64) -> Response<Body> {
        let mut response = Response::new(Body::full(format!("{} is well\n", self.habit.name)));
        if self.habit.flaky && count.is_multiple_of(2) {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            *response.body_mut() = Body::full("the demo's flaky origin fails every second time\n");
        }
        response.headers_mut().insert("cache-control", http::HeaderValue::from_static("no-store"));
        response
    }

    fn stop(&self, request: &Request<Body>) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        let query = request.uri().query().and_then(|query| query.strip_prefix("for="));
        let pause = duration::parse(query.unwrap_or("30s"));
        match pause {
            Ok(pause) if request.method() == Method::POST => {
                // A second stop while the first is under way changes nothing.
                let _ = self.stop.try_send(pause);
                let text = format!("{} stops for {}\n", self.habit.name, duration::format(pause));
                *response.body_mut() = Body::full(text);
            }
            Ok(_) => *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED,
            Err(error) => {
                *response.status_mut() = StatusCode::BAD_REQUEST;
                *response.body_mut() = Body::full(format!("{error}\n"));
            }
        }
        response
    }
}

impl Service<Request<Body>> for Origin {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let origin = self.clone();
        Box::pin(async move { Ok(origin.answer(request).await) })
    }
}
