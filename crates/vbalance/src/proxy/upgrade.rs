//! WebSocket upgrades: after a checked 101, bytes are carried both ways by an owned task.

use std::fmt;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use vhttp::{Body, Reject, hop};

use crate::balance::{Lease, Upstream};
use crate::proxy::forward::offer_websocket;

/// How long a client may take to let go of its connection after the 101.
const HAND_OVER: Duration = Duration::from_secs(10);

/// The open tunnels of one or more proxies, and their owner: dropping the last clone ends them.
///
/// Give the proxies of a new configuration the `Tunnels` of the old one, so that connections
/// opened before stay open.
#[derive(Clone)]
pub struct Tunnels {
    shared: Arc<Shared>,
}

struct Shared {
    tasks: Mutex<JoinSet<()>>,
    open: AtomicUsize,
    max: usize,
}

impl Tunnels {
    /// Lets at most `max` tunnels be open at a time.
    #[must_use]
    pub fn new(max: usize) -> Self {
        let shared = Shared { tasks: Mutex::new(JoinSet::new()), open: AtomicUsize::new(0), max };
        Self { shared: Arc::new(shared) }
    }

    /// How many are open now, those being opened included.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// Cuts every tunnel and waits until all are gone.
    ///
    /// Cancel safety: dropped, it has cut them all the same.
    pub async fn close(&self) {
        let mut tasks = std::mem::take(&mut *self.lock());
        tasks.shutdown().await;
    }

    /// A place for one tunnel; `None` when all are taken.
    fn reserve(&self) -> Option<Place> {
        let taken = |open: usize| (open < self.shared.max).then_some(open + 1);
        let order = Ordering::Relaxed;
        self.shared.open.fetch_update(order, order, taken).ok()?;
        Some(Place { shared: Arc::downgrade(&self.shared) })
    }

    fn spawn(&self, tunnel: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.lock();
        // Takes away what has ended, so that the set is no larger than the tunnels ever were.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(tunnel);
    }

    fn lock(&self) -> MutexGuard<'_, JoinSet<()>> {
        let lock = self.shared.tasks.lock();
        lock.unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Tunnels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnels")
            .field("open", &self.open())
            .field("max", &self.shared.max)
            .finish()
    }
}

/// One tunnel's place. Weak, because the tunnels own the task that holds it.
struct Place {
    shared: Weak<Shared>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A client's wish to change to WebSocket.
pub(crate) struct Wish {
    client: OnUpgrade,
    place: Place,
    tunnels: Tunnels,
}

impl Wish {
    /// The wish that stands in a request; `None` when there is none that may be passed on.
    pub(crate) fn of(
        request: &mut Request<Body>,
        tunnels: &Tunnels,
    ) -> Result<Option<Self>, Reject> {
        if !is_websocket_request(request) {
            return Ok(None);
        }
        let client = hyper::upgrade::on(request);
        let Some(place) = tunnels.reserve() else {
            let reject = Reject::new(StatusCode::SERVICE_UNAVAILABLE, "tunnels-full");
            return Err(reject.retry_after(Duration::from_secs(1)));
        };
        Ok(Some(Self { client, place, tunnels: tunnels.clone() }))
    }

    /// Opens the tunnel that an accepting answer promises, and makes the client's 101.
    pub(crate) fn grant<B>(
        self,
        response: Response<B>,
        lease: Lease,
        idle: Duration,
    ) -> Response<Body> {
        let (parts, origin) = split(response);
        let open = Open { upstream: lease.upstream().clone(), _lease: lease, _place: self.place };
        open.upstream.inner.set.meters.tunnel_opened();
        let client = self.client;
        self.tunnels.spawn(async move {
            carry(client, origin, idle).await;
            drop(open);
        });
        Response::from_parts(parts, Body::empty())
    }
}

/// Whether an answer agrees to change to WebSocket: the status and the protocol are both checked.
pub(crate) fn accepts<B>(response: &Response<B>) -> bool {
    response.status() == StatusCode::SWITCHING_PROTOCOLS && is_websocket(response.headers())
}

fn is_websocket(headers: &HeaderMap) -> bool {
    let protocol = hop::upgrade(headers).map(HeaderValue::as_bytes);
    protocol.is_some_and(|p| p.trim_ascii().eq_ignore_ascii_case(b"websocket"))
}

/// A GET over HTTP/1.1 without a body that asks for WebSocket and nothing else (RFC 6455 §4.1).
pub(crate) fn is_websocket_request<B: http_body::Body>(request: &Request<B>) -> bool {
    let empty = request.body().is_end_stream() && !request.headers().contains_key(CONTENT_LENGTH);
    request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && empty
        && is_websocket(request.headers())
}

fn split<B>(mut response: Response<B>) -> (http::response::Parts, OnUpgrade) {
    let origin = hyper::upgrade::on(&mut response);
    let (mut parts, _) = response.into_parts();
    hop::remove(&mut parts.headers);
    parts.headers.remove(CONTENT_LENGTH);
    offer_websocket(&mut parts.headers);
    parts.extensions.clear();
    (parts, origin)
}

/// What a tunnel holds while it is open.
struct Open {
    upstream: Upstream,
    _lease: Lease,
    _place: Place,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.upstream.inner.set.meters.tunnel_closed();
    }
}

/// Carries bytes both ways until both sides have ended, one fails, or nothing moves.
async fn carry(client: OnUpgrade, origin: OnUpgrade, idle: Duration) {
    let both = async { Ok::<_, hyper::Error>((client.await?, origin.await?)) };
    let Ok(Ok((client, origin))) = timeout(HAND_OVER, both).await else {
        return;
    };
    let moved = Arc::new(Moved::new());
    let (mut client, mut origin) = (Watched::new(client, &moved), Watched::new(origin, &moved));
    let mut copy = pin!(copy_bidirectional(&mut client, &mut origin));
    // The sides may end as they like: to us a tunnel that breaks has ended.
    while timeout_at(moved.due(idle), copy.as_mut()).await.is_err() {
        if moved.due(idle) <= Instant::now() {
            return;
        }
    }
}

/// When a byte moved last, either way.
struct Moved {
    began: Instant,
    /// Milliseconds after `began`.
    last: AtomicU64,
}

impl Moved {
    fn new() -> Self {
        Self { began: Instant::now(), last: AtomicU64::new(0) }
    }

    fn now(&self) {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(ms, Ordering::Relaxed);
    }

    /// When it will have stood still for `idle`, unless it moves again.
    fn due(&self, idle: Duration) -> Instant {
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        let due = self.began.checked_add(last.saturating_add(idle));
        due.unwrap_or(self.began)
    }
}

/// One side of a tunnel, which notes that bytes move.
struct Watched {
    io: TokioIo<Upgraded>,
    moved: Arc<Moved>,
}

impl Watched {
    fn new(io: Upgraded, moved: &Arc<Moved>) -> Self {
        Self { io: TokioIo::new(io), moved: Arc::clone(moved) }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.moved.now();
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, buf);
        if matches!(polled, Poll::Ready(Ok(n)) if n > 0) {
            self.moved.now();
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
