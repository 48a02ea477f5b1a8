//! Which HTTP a cleartext client speaks, told by its first bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::conn::activity::Times;
use crate::conn::drive::waited_out;
use crate::fault::Fault;
use crate::tls::Protocol;

/// What an HTTP/2 client sends first (RFC 9113 §3.4); no HTTP/1 request begins like it.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A transport whose first bytes were read already, and are read again.
pub(crate) struct Sniffed<IO> {
    io: IO,
    first: [u8; PREFACE.len()],
    given: usize,
    filled: usize,
}

/// Reads until it is clear which protocol the client speaks; none when it left, or when the drain
/// had begun some time ago, before a byte had come.
pub(crate) async fn sniff<IO>(
    io: IO,
    times: &Times,
    drain: &CancellationToken,
) -> Result<Option<(Sniffed<IO>, Protocol)>, Fault>
where
    IO: AsyncRead + Unpin,
{
    let mut sniffed = Sniffed { io, first: [0; PREFACE.len()], given: 0, filled: 0 };
    let first = tokio::select! {
        biased;
        first = timeout(times.first_byte, sniffed.fill()) => first,
        () = waited_out(drain) => return Ok(None),
    };
    let first = first.map_err(|_| Fault::FirstByteTimeout)?;
    if first.map_err(|_| Fault::Io)? == 0 {
        return Ok(None);
    }
    let protocol = timeout(times.head, sniffed.decide())
        .await
        .map_err(|_| Fault::HeaderTimeout)?
        .map_err(|_| Fault::Io)?;
    Ok(Some((sniffed, protocol)))
}

impl<IO> Sniffed<IO> {
    fn seen(&self) -> &[u8] {
        self.first.get(..self.filled).unwrap_or_default()
    }
}

impl<IO: AsyncRead + Unpin> Sniffed<IO> {
    async fn fill(&mut self) -> io::Result<usize> {
        let rest = self.first.get_mut(self.filled..).unwrap_or_default();
        let read = self.io.read(rest).await?;
        self.filled += read;
        Ok(read)
    }

    async fn decide(&mut self) -> io::Result<Protocol> {
        while PREFACE.starts_with(self.seen()) {
            if self.filled == PREFACE.len() {
                return Ok(Protocol::Http2);
            }
            if self.fill().await? == 0 {
                break;
            }
        }
        Ok(Protocol::Http1)
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Sniffed<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let left = this.first.get(this.given..this.filled).unwrap_or_default();
        if left.is_empty() {
            return Pin::new(&mut this.io).poll_read(cx, buffer);
        }
        let (now, _) = left.split_at(left.len().min(buffer.remaining()));
        buffer.put_slice(now);
        this.given += now.len();
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Sniffed<IO> {
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
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    const TIMES: Times = Times {
        first_byte: Duration::from_secs(1),
        head: Duration::from_secs(2),
        idle: Duration::from_secs(3),
    };

    /// Sends `pieces` with a pause between them and says what is sniffed, and what is then read.
    async fn sniffed(pieces: &'static [&'static str]) -> (Protocol, String) {
        let (mut client, server) = duplex(64);
        let sent = tokio::spawn(async move {
            for piece in pieces {
                client.write_all(piece.as_bytes()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        let drain = CancellationToken::new();
        let (mut io, protocol) = sniff(server, &TIMES, &drain).await.unwrap().unwrap();
        let mut text = String::new();
        io.read_to_string(&mut text).await.unwrap();
        sent.await.unwrap();
        (protocol, text)
    }

    #[tokio::test(start_paused = true)]
    async fn the_preface_tells_the_protocol_and_is_read_again() {
        let preface = std::str::from_utf8(PREFACE).unwrap();
        assert_eq!(
            sniffed(&["PRI * HTTP", "/2.0\r\n\r\nSM\r\n\r\n", "more"]).await,
            (Protocol::Http2, format!("{preface}more"))
        );
        for request in [&["P", "OST / HTTP/1.1\r\n\r\n"], &["PRI * HTTP/1.1\r\n", "\r\n"]] {
            assert_eq!(sniffed(request).await, (Protocol::Http1, request.concat()), "{request:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn neither_the_first_byte_nor_the_rest_is_waited_for_without_end() {
        let drain = CancellationToken::new();
        let (mut client, server) = duplex(64);
        let late = sniff(server, &TIMES, &drain).await.map(drop);
        assert_eq!(late, Err(Fault::FirstByteTimeout));
        assert!(client.write_all(b"P").await.is_err());

        let (mut client, server) = duplex(64);
        client.write_all(b"PR").await.unwrap();
        let late = sniff(server, &TIMES, &drain).await.map(drop);
        assert_eq!(late, Err(Fault::HeaderTimeout));
    }
}
