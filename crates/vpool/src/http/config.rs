//! The settings of the HTTP client.

use std::time::Duration;

use crate::http::error::BuildError;
#[cfg(feature = "tls")]
use crate::http::tls::TlsConfig;

/// Where HTTP/2 is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Http2 {
    /// Nowhere: HTTP/1.1 only.
    #[default]
    Off,
    /// Where an `https` origin chooses it (ALPN, RFC 9113 §3.2); plain `http` is HTTP/1.1.
    Alpn,
    /// Everywhere, plain `http` too (RFC 9113 §3.3). An origin that does not speak it fails.
    PriorKnowledge,
}

/// The settings of a [`Client`](crate::http::Client).
///
/// ```
/// # #[cfg(feature = "http")] {
/// use vpool::http::Config;
/// let config = Config { max_connections: 32, ..Config::default() };
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Config {
    /// Longest time to open a connection: name look-up, TCP and TLS together. Default: 2 s.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub connect_timeout: Duration,
    /// Most connections to one origin, idle and opening ones included; upgraded ones have left
    /// the pool and do not count. Default: 256. Each costs a socket and 16 KiB while idle, up to
    /// `max_buf_size` while it reads.
    pub max_connections: usize,
    /// Most idle connections kept to one origin; the longest idle goes first. Default: 64.
    pub max_idle: usize,
    /// A connection idle for longer is not used again. Default: 4 s. Must stay below the
    /// origin's own keep-alive time, or requests race with its close: Node.js, Apache httpd and
    /// uvicorn close after 5 s. Raise it to just below your origins' where you know it.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub idle_timeout: Duration,
    /// Most requests that wait for a connection to one origin; one more fails at once as
    /// [`Busy`](crate::http::ErrorKind::Busy). Default: 1024. Zero: nobody waits.
    pub max_waiting: usize,
    /// Longest wait for a connection when `max_connections` are open. Default: 1 s.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub wait_timeout: Duration,
    /// Most origins remembered; the least recently used one without traffic makes room.
    /// Default: 1024.
    pub max_origins: usize,
    /// Largest response head, and largest trailers, in bytes; above it the answer is an error.
    /// Default: 64 KiB.
    #[cfg_attr(feature = "serde", serde(with = "vunit::size"))]
    pub max_header_bytes: u64,
    /// Most fields in an HTTP/1 response head. Default: 100. Any other number costs an
    /// allocation for each response.
    pub max_headers: usize,
    /// Largest read buffer of an HTTP/1 connection; it starts at 8 KiB, which is also the
    /// minimum, and grows while reads fill it. Default: 256 KiB. The bound of memory per busy
    /// connection.
    #[cfg_attr(feature = "serde", serde(with = "vunit::size"))]
    pub max_buf_size: u64,
    /// Sends small packets at once (TCP_NODELAY). Default: true. Off saves packets and can add
    /// 40 ms to a request.
    pub tcp_nodelay: bool,
    /// Where HTTP/2 is spoken. Default: off.
    pub http2: Http2,
    /// Most requests at a time on one HTTP/2 connection before another is opened. Default: 100.
    pub http2_max_streams: usize,
    /// How often a busy HTTP/2 connection is pinged; a ping unanswered for as long closes it.
    /// Default: 10 s. Without it a dead path would swallow every request.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub http2_ping_interval: Duration,
    /// Whom to trust on `https`.
    #[cfg(feature = "tls")]
    pub tls: TlsConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            max_connections: 256,
            max_idle: 64,
            idle_timeout: Duration::from_secs(4),
            max_waiting: 1024,
            wait_timeout: Duration::from_secs(1),
            max_origins: 1024,
            max_header_bytes: 64 * 1024,
            max_headers: HYPER_MAX_HEADERS,
            max_buf_size: 256 * 1024,
            tcp_nodelay: true,
            http2: Http2::Off,
            http2_max_streams: 100,
            http2_ping_interval: Duration::from_secs(10),
            #[cfg(feature = "tls")]
            tls: TlsConfig::default(),
        }
    }
}

/// hyper's own bound, for which it needs no allocation.
pub(crate) const HYPER_MAX_HEADERS: usize = 100;

/// hyper's smallest read buffer.
const HYPER_MIN_BUF: u64 = 8 * 1024;

impl Config {
    /// Whether every setting makes sense, alone and together.
    pub(crate) fn check(&self) -> Result<(), BuildError> {
        for (name, zero) in [
            ("connect_timeout", self.connect_timeout.is_zero()),
            ("idle_timeout", self.idle_timeout.is_zero()),
            ("max_connections", self.max_connections == 0),
            ("max_origins", self.max_origins == 0),
            ("max_header_bytes", self.max_header_bytes == 0),
            ("max_headers", self.max_headers == 0),
            ("http2_max_streams", self.http2_max_streams == 0),
            ("http2_ping_interval", self.http2_ping_interval.is_zero()),
        ] {
            if zero {
                return Err(BuildError::Zero(name));
            }
        }
        if self.max_buf_size < HYPER_MIN_BUF {
            return Err(BuildError::BufferTooSmall(self.max_buf_size));
        }
        if self.max_header_bytes > self.max_buf_size {
            return Err(BuildError::HeadAboveBuffer {
                head: self.max_header_bytes,
                buffer: self.max_buf_size,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_fit() {
        Config::default().check().unwrap();
    }

    #[test]
    fn contradictions_are_refused() {
        let zero = Config { max_connections: 0, ..Config::default() };
        assert!(matches!(zero.check(), Err(BuildError::Zero("max_connections"))));
        let small = Config { max_buf_size: 100, ..Config::default() };
        assert!(matches!(small.check(), Err(BuildError::BufferTooSmall(100))));
        let head = Config { max_header_bytes: 1 << 20, ..Config::default() };
        assert!(matches!(head.check(), Err(BuildError::HeadAboveBuffer { .. })));
    }
}
