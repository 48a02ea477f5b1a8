//! One request over a socket of its own, to prove that contenders do the same job.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// `Content-Encoding`, or `identity`.
    pub coding: String,
    /// Bytes of head and body.
    pub bytes: usize,
}

/// Asks once, on a connection that ends with the answer.
///
/// # Errors
///
/// Fails when the server cannot be reached, is silent for ten seconds, or speaks no HTTP.
pub fn get(address: SocketAddr, path: &str, headers: &[&str]) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for header in headers {
        request += &format!("{header}\r\n");
    }
    stream.write_all(format!("{request}\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    read(&answer).ok_or_else(|| io::Error::other(format!("{address}{path}: no HTTP answer")))
}

fn read(answer: &[u8]) -> Option<Answer> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(answer.get(..end)?).into_owned();
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let fields = lines.filter_map(|line| line.split_once(':'));
    let mut codings = fields.filter(|(name, _)| name.eq_ignore_ascii_case("content-encoding"));
    let coding = codings.next().map_or("identity", |(_, value)| value.trim()).to_owned();
    Some(Answer { status, coding, bytes: answer.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read() {
        let gzip = read(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\nabc").unwrap();
        assert_eq!((gzip.status, gzip.coding.as_str(), gzip.bytes), (200, "gzip", 46));
        assert_eq!(read(b"HTTP/1.1 404 Not Found\r\n\r\n").unwrap().coding, "identity");
        assert_eq!(read(b"SSH-2.0\r\n"), None);
    }
}
