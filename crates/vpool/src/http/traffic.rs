//! What has passed over a connection since its request began, and the socket that notes it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Flags of one connection; the request under way resets them.
///
/// Relaxed is enough: whoever reads them was woken by the connection's task through a channel,
/// which orders the two.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    read: AtomicBool,
    written: AtomicBool,
    uploading: AtomicBool,
}

impl Traffic {
    /// Forgets the request before; `uploading` says whether the new one has a body.
    pub(crate) fn begin(&self, uploading: bool) {
        self.read.store(false, Ordering::Relaxed);
        self.written.store(false, Ordering::Relaxed);
        self.uploading.store(uploading, Ordering::Relaxed);
    }

    /// The request's body is sent, or given up.
    pub(crate) fn upload_ended(&self) {
        self.uploading.store(false, Ordering::Relaxed);
    }

    pub(crate) fn has_read(&self) -> bool {
        self.read.load(Ordering::Relaxed)
    }

    pub(crate) fn has_written(&self) -> bool {
        self.written.load(Ordering::Relaxed)
    }

    pub(crate) fn is_uploading(&self) -> bool {
        self.uploading.load(Ordering::Relaxed)
    }

    fn note(flag: &AtomicBool, bytes: usize) {
        // The load keeps the line shared when the flag is up already.
        if bytes > 0 && !flag.load(Ordering::Relaxed) {
            flag.store(true, Ordering::Relaxed);
        }
    }
}

/// A connected socket, encrypted or not.
#[derive(Debug)]
pub(crate) enum Socket {
    /// Plain TCP.
    Tcp(TcpStream),
    /// TLS on TCP; boxed, because its state is a kilobyte and most sockets are plain.
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

/// Sends the call on to whichever stream the socket is.
macro_rules! on_stream {
    ($socket:expr, $stream:ident => $call:expr) => {
        match $socket {
            Socket::Tcp($stream) => $call,
            #[cfg(feature = "tls")]
            Socket::Tls($stream) => $call,
        }
    };
}

/// A socket that notes what passes.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) socket: Socket,
    pub(crate) traffic: Arc<Traffic>,
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let polled = on_stream!(&mut this.socket, s => Pin::new(s).poll_read(cx, buf));
        Traffic::note(&this.traffic.read, buf.filled().len().saturating_sub(before));
        polled
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = on_stream!(&mut this.socket, s => Pin::new(s).poll_write(cx, buf));
        if let Poll::Ready(Ok(bytes)) = polled {
            Traffic::note(&this.traffic.written, bytes);
        }
        polled
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = on_stream!(&mut this.socket, s => Pin::new(s).poll_write_vectored(cx, bufs));
        if let Poll::Ready(Ok(bytes)) = polled {
            Traffic::note(&this.traffic.written, bytes);
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        on_stream!(&self.socket, s => s.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(&mut self.get_mut().socket, s => Pin::new(s).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(&mut self.get_mut().socket, s => Pin::new(s).poll_shutdown(cx))
    }
}
