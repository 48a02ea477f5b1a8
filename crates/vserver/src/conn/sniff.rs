//! Which HTTP a cleartext client speaks, told by its first bytes.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::conn::activity::Times;
use crate::conn::drive::waited_out;
use crate::fault::Fault;
use crate::tls::Protocol;

/// What an HTTP/2 client sends first (RFC 9113 §3.4); no HTTP/1 request begins like it.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The first bytes of a connection, which were read already and are to be read again.
#[derive(Debug, Default)]
pub(crate) struct First {
    bytes: [u8; PREFACE.len()],
    given: usize,
    filled: usize,
}

impl First {
    /// Gives what is left, as much as fits; whether there was something left.
    pub(crate) fn give(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let left = self.bytes.get(self.given..self.filled).unwrap_or_default();
        let (now, _) = left.split_at(left.len().min(buffer.remaining()));
        buffer.put_slice(now);
        self.given += now.len();
        !left.is_empty()
    }

    async fn fill<IO: AsyncRead + Unpin>(&mut self, io: &mut IO) -> io::Result<usize> {
        let rest = self.bytes.get_mut(self.filled..).unwrap_or_default();
        let read = io.read(rest).await?;
        self.filled += read;
        Ok(read)
    }

    async fn decide<IO: AsyncRead + Unpin>(&mut self, io: &mut IO) -> io::Result<Protocol> {
        while PREFACE.starts_with(self.bytes.get(..self.filled).unwrap_or_default()) {
            if self.filled == PREFACE.len() {
                return Ok(Protocol::Http2);
            }
            if self.fill(io).await? == 0 {
                break;
            }
        }
        Ok(Protocol::Http1)
    }
}

/// Reads until it is clear which protocol the client speaks; none when it left, or when the drain
/// had begun some time ago, before a byte had come.
pub(crate) async fn sniff<IO>(
    io: &mut IO,
    times: &Times,
    drain: &CancellationToken,
) -> Result<Option<(First, Protocol)>, Fault>
where
    IO: AsyncRead + Unpin,
{
    let mut first = First::default();
    let came = tokio::select! {
        biased;
        came = timeout(times.first_byte, first.fill(io)) => came,
        () = waited_out(drain, times.closing) => return Ok(None),
    };
    if came.map_err(|_| Fault::FirstByteTimeout)?.map_err(|_| Fault::Io)? == 0 {
        return Ok(None);
    }
    let protocol = timeout(times.head, first.decide(io))
        .await
        .map_err(|_| Fault::HeaderTimeout)?
        .map_err(|_| Fault::Io)?;
    Ok(Some((first, protocol)))
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
        closing: Duration::from_secs(4),
    };

    /// Sends `pieces` with a pause between them and says what is sniffed, and what is then read.
    async fn sniffed(pieces: &'static [&'static str]) -> (Protocol, String) {
        let (mut client, mut server) = duplex(64);
        let sent = tokio::spawn(async move {
            for piece in pieces {
                client.write_all(piece.as_bytes()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        let drain = CancellationToken::new();
        let (mut first, protocol) = sniff(&mut server, &TIMES, &drain).await.unwrap().unwrap();
        let (mut bytes, mut text) = ([0; 7], String::new());
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            if !first.give(&mut buffer) {
                break;
            }
            text.push_str(std::str::from_utf8(buffer.filled()).unwrap());
        }
        server.read_to_string(&mut text).await.unwrap();
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
        let (mut client, mut server) = duplex(64);
        let late = sniff(&mut server, &TIMES, &drain).await.map(drop);
        assert_eq!(late, Err(Fault::FirstByteTimeout));
        drop(server);
        assert!(client.write_all(b"P").await.is_err());

        let (mut client, mut server) = duplex(64);
        client.write_all(b"PR").await.unwrap();
        let late = sniff(&mut server, &TIMES, &drain).await.map(drop);
        assert_eq!(late, Err(Fault::HeaderTimeout));
    }
}
