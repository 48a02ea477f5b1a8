//! A transport whose writes give up when they make no progress.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};
use tokio_util::sync::CancellationToken;

use crate::conn::hold::Hold;
use crate::conn::tunnel::Tunnel;

const FLOWING: u8 = 0;
const BLOCKED: u8 = 1;
const STALLED: u8 = 2;

/// Whether writes get through, and whose they are; shared with the driver and the requests.
#[derive(Clone, Default)]
pub(crate) struct Flow(Arc<State>);

#[derive(Default)]
struct State {
    writes: AtomicU8,
    upgraded: AtomicBool,
}

impl Flow {
    /// Whether something written waits for the client.
    pub(crate) fn is_blocked(&self) -> bool {
        self.0.writes.load(Relaxed) != FLOWING
    }

    /// Whether the client took nothing for too long.
    pub(crate) fn is_stalled(&self) -> bool {
        self.0.writes.load(Relaxed) == STALLED
    }

    /// From now on the bytes are no longer HTTP.
    pub(crate) fn upgrade(&self) {
        self.0.upgraded.store(true, Relaxed);
    }
}

/// A transport whose writes fail once they have waited for `limit` without sending a byte.
///
/// It stands below TLS, where progress is what the socket takes. It also carries what is held as
/// long as the connection lives, upgrades included, and ends an upgraded one that is idle at the
/// drain.
pub(crate) struct Stall<IO> {
    io: IO,
    limit: Duration,
    /// Set while a write waits.
    timer: Option<Pin<Box<Sleep>>>,
    flow: Flow,
    last: Last,
    /// Set once the connection is upgraded.
    tunnel: Option<Tunnel>,
    _hold: Hold,
}

/// How an upgraded connection learns of the drain, and how long it may be idle then.
#[derive(Clone)]
pub(crate) struct Last {
    pub(crate) drain: CancellationToken,
    pub(crate) idle: Duration,
}

impl<IO> Stall<IO> {
    pub(crate) fn new(io: IO, limit: Duration, last: Last, hold: Hold) -> (Self, Flow) {
        let flow = Flow::default();
        let shared = flow.clone();
        let stall = Self { io, limit, timer: None, flow, last, tunnel: None, _hold: hold };
        (stall, shared)
    }

    /// Ends an upgraded connection that reads nothing, when it is time.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.flow.0.upgraded.load(Relaxed) {
            return Poll::Pending;
        }
        let last = &self.last;
        let tunnel = self.tunnel.get_or_insert_with(|| Tunnel::new(last.drain.clone(), last.idle));
        ready!(tunnel.poll_end(cx));
        Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
    }

    fn moved(&mut self) {
        if let Some(tunnel) = &mut self.tunnel {
            tunnel.moved();
        }
    }

    /// Passes a write's progress on, and turns a wait that lasts too long into an error.
    fn watch<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.moved();
            if self.timer.take().is_some() {
                self.flow.0.writes.store(FLOWING, Relaxed);
            }
            return written;
        }
        let limit = self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        self.flow.0.writes.store(BLOCKED, Relaxed);
        ready!(timer.as_mut().poll(cx));
        self.flow.0.writes.store(STALLED, Relaxed);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Stall<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let read = Pin::new(&mut this.io).poll_read(cx, buffer);
        if read.is_pending() {
            return this.poll_end(cx);
        }
        this.moved();
        read
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Stall<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write(cx, bytes);
        this.watch(written, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write_vectored(cx, slices);
        this.watch(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    // A socket's flush and shutdown do not wait for the client: nothing to watch. A flush that is
    // ready says nothing about a write that waits.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}
