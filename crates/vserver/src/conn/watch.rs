//! A transport that tells what the client sends, and closes without losing the last answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::conn::activity::Activity;
use crate::conn::sniff::First;

/// How long to go on reading from a client that is still sending when we close.
const LINGER: Duration = Duration::from_secs(1);
/// How much to go on reading.
const LINGER_BYTES: usize = 1024 * 1024;

/// A transport that tells the [`Activity`] what is read, above TLS.
///
/// Closing a socket with unread bytes makes the kernel send a reset, which can destroy an answer
/// that the client has not read yet, such as a 431. So when the client may be sending still, its
/// bytes are read and thrown away for a moment after our side has ended (RFC 9112 §9.6).
pub(crate) struct Watch<IO> {
    io: IO,
    first: First,
    activity: Arc<Activity>,
    shut: bool,
    discarded: usize,
    linger: Option<Pin<Box<Sleep>>>,
}

impl<IO> Watch<IO> {
    /// `first` was read from `io` already, and is what hyper reads first.
    pub(crate) const fn new(io: IO, first: First, activity: Arc<Activity>) -> Self {
        Self { io, first, activity, shut: false, discarded: 0, linger: None }
    }
}

impl<IO: AsyncRead + Unpin> Watch<IO> {
    /// Reads and throws away until the client has ended, or long enough.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut bytes = [0; 2048];
        while self.discarded < LINGER_BYTES {
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.io).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.discarded += buffer.filled().len();
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => {
                    let linger = self.linger.get_or_insert_with(|| Box::pin(sleep(LINGER)));
                    return linger.as_mut().poll(cx);
                }
            }
        }
        Poll::Ready(())
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Watch<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        if !this.first.give(buffer) {
            ready!(Pin::new(&mut this.io).poll_read(cx, buffer))?;
        }
        this.activity.read(buffer.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watch<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.shut {
            ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
            this.shut = true;
        }
        if this.activity.unread() {
            ready!(this.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}
