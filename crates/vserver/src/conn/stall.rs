//! A transport whose writes give up when they make no progress.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::conn::hold::Hold;

const FLOWING: u8 = 0;
const BLOCKED: u8 = 1;
const STALLED: u8 = 2;

/// Whether writes get through; shared with the driver.
#[derive(Clone, Default)]
pub(crate) struct Flow(Arc<AtomicU8>);

impl Flow {
    /// Whether something written waits for the client.
    pub(crate) fn is_blocked(&self) -> bool {
        self.0.load(Relaxed) != FLOWING
    }

    /// Whether the client took nothing for too long.
    pub(crate) fn is_stalled(&self) -> bool {
        self.0.load(Relaxed) == STALLED
    }
}

/// A transport whose writes fail once they have waited for `limit` without sending a byte.
///
/// It stands below TLS, where progress is what the socket takes. It also carries what is held as
/// long as the connection lives, upgrades included.
pub(crate) struct Stall<IO> {
    io: IO,
    limit: Duration,
    /// Set while a write waits.
    timer: Option<Pin<Box<Sleep>>>,
    flow: Flow,
    _hold: Hold,
}

impl<IO> Stall<IO> {
    pub(crate) fn new(io: IO, limit: Duration, hold: Hold) -> (Self, Flow) {
        let flow = Flow::default();
        let stall = Self { io, limit, timer: None, flow: flow.clone(), _hold: hold };
        (stall, flow)
    }

    /// Passes a write's progress on, and turns a wait that lasts too long into an error.
    fn watch<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            if self.timer.take().is_some() {
                self.flow.0.store(FLOWING, Relaxed);
            }
            return written;
        }
        let limit = self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        self.flow.0.store(BLOCKED, Relaxed);
        ready!(timer.as_mut().poll(cx));
        self.flow.0.store(STALLED, Relaxed);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Stall<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(cx, buffer)
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
