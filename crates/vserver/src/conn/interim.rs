//! Interim responses over HTTP/1.1, written between hyper's messages: hyper sends none itself.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::{HeaderMap, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use vhttp::Outbox;

/// A transport that writes interim responses where no other message is under way.
///
/// hyper flushes the transport only when it has written all that it had, so that behind a flush
/// stands the end of a message, or of a chunk of it; and while a request waits for its answer there
/// is no message to be in the middle of. What cannot be written in such a moment is dropped.
pub(crate) struct Interims<IO> {
    io: IO,
    outbox: Outbox,
    /// A head that is being written.
    head: Bytes,
    /// hyper has nothing that it had begun to write.
    is_between: bool,
}

impl<IO> Interims<IO> {
    pub(crate) const fn new(io: IO, outbox: Outbox) -> Self {
        Self { io, outbox, head: Bytes::new(), is_between: true }
    }
}

impl<IO: AsyncWrite + Unpin> Interims<IO> {
    /// Writes all that waits; a head that was begun is always finished.
    fn poll_heads(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            while self.head.has_remaining() {
                let written = ready!(Pin::new(&mut self.io).poll_write(cx, &self.head))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.head.advance(written);
            }
            match self.outbox.take(cx) {
                Some((status, headers)) => self.head = encode(status, &headers),
                None => return Poll::Ready(Ok(())),
            }
        }
    }

    /// What comes before hyper's next bytes.
    fn poll_before(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_between {
            // The next bytes are the beginning of the answer, or of hyper's own 100.
            ready!(self.poll_heads(cx))?;
            self.is_between = false;
        } else if !self.outbox.is_open() {
            self.outbox.clear();
        }
        Poll::Ready(Ok(()))
    }
}

/// The head as it goes over the wire (RFC 9112 §4).
fn encode(status: StatusCode, headers: &HeaderMap) -> Bytes {
    let mut head = Vec::with_capacity(64 + headers.len() * 64);
    head.extend_from_slice(b"HTTP/1.1 ");
    head.extend_from_slice(status.as_str().as_bytes());
    head.push(b' ');
    head.extend_from_slice(status.canonical_reason().unwrap_or("Interim").as_bytes());
    head.extend_from_slice(b"\r\n");
    for (name, value) in headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head.into()
}

impl<IO: AsyncRead + Unpin> AsyncRead for Interims<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(cx, buffer)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Interims<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_before(cx))?;
        Pin::new(&mut this.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_before(cx))?;
        Pin::new(&mut this.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.is_between = true;
        if !this.outbox.is_open() {
            // The answer has been written.
            this.outbox.clear();
        }
        ready!(this.poll_heads(cx))?;
        Pin::new(&mut this.io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    fn hints(link: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("link", HeaderValue::from_static(link));
        headers
    }

    async fn written(io: Interims<Vec<u8>>) -> String {
        String::from_utf8(io.io).unwrap()
    }

    #[tokio::test]
    async fn heads_go_out_at_a_flush_and_before_the_answer_only() {
        let outbox = Outbox::new();
        let mut io = Interims::new(Vec::new(), outbox.clone());
        let interim = outbox.open();
        interim.send(StatusCode::EARLY_HINTS, &hints("</a>"));
        io.flush().await.unwrap();
        interim.send(StatusCode::PROCESSING, &HeaderMap::new());
        outbox.close();
        io.write_all(b"answer").await.unwrap();
        io.flush().await.unwrap();
        let heads = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n";
        assert_eq!(written(io).await, format!("{heads}answer"));
    }

    #[tokio::test]
    async fn none_comes_into_the_middle_of_a_message() {
        let outbox = Outbox::new();
        let mut io = Interims::new(Vec::new(), outbox.clone());
        io.write_all(b"first half, ").await.unwrap();
        // The next request has come in, and the last answer is still being written.
        let interim = outbox.open();
        interim.send(StatusCode::EARLY_HINTS, &hints("</a>"));
        io.write_all(b"second half; ").await.unwrap();
        io.flush().await.unwrap();
        outbox.close();
        io.write_all(b"answer").await.unwrap();
        let head = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
        assert_eq!(written(io).await, format!("first half, second half; {head}answer"));
    }

    #[tokio::test]
    async fn what_comes_too_late_is_dropped() {
        let outbox = Outbox::new();
        let mut io = Interims::new(Vec::new(), outbox.clone());
        io.write_all(b"first half, ").await.unwrap();
        let interim = outbox.open();
        interim.send(StatusCode::EARLY_HINTS, &hints("</a>"));
        outbox.close();
        // In one piece with the answer.
        io.write_all(b"second half; answer").await.unwrap();
        io.flush().await.unwrap();
        assert_eq!(written(io).await, "first half, second half; answer");
    }
}
