//! `Config`: what an operator can say about one listener.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::error::ConfigError;

/// hyper refuses a read buffer below this.
const LEAST_HEAD_BYTES: u64 = 8 * 1024;
/// HTTP/2 frames and settings count in `u32`; far below that is already too much.
const MOST_HEAD_BYTES: u64 = 1024 * 1024;

/// One listener: its address, protocols, limits and timeouts.
///
/// Every limit is on, so no client that stands still is waited for, with three exceptions: a
/// response that the service takes its time for (deadlines are the service's), a connection that
/// was upgraded, which is the service's too, and a vanished HTTP/2 client when
/// [`Http2Config::ping_interval`] is none. A client that goes on a little at a time is not
/// standing still: there is no least rate but that of
/// [`write_stall_timeout`](Self::write_stall_timeout) in HTTP/2. What is over a limit is refused with the status that
/// RFC 9110 or RFC 6585 gives it, or the connection is closed, and it is counted.
///
/// ```
/// use std::time::Duration;
///
/// let config = vserver::Config {
///     listen: ([127, 0, 0, 1], 0).into(),
///     keep_alive_timeout: Duration::from_secs(30),
///     ..vserver::Config::default()
/// };
/// # assert_eq!(config.max_headers, 100);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Config {
    /// Address and port to listen on. Default: `0.0.0.0:8080`. Port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Certificate and key for TLS, with HTTP/2 and HTTP/1.1 by ALPN. Default: none, cleartext.
    /// Needs the feature `tls`.
    pub tls: Option<TlsConfig>,
    /// Whether a cleartext listener also speaks HTTP/2 to clients that begin with its preface
    /// (prior knowledge, RFC 9113 §3.3). Default: true. The HTTP/1.1 `Upgrade: h2c` never works.
    pub h2c: bool,
    /// Connections that the kernel keeps until they are accepted. Default: 1024. The kernel cuts
    /// it off at `net.core.somaxconn`; too few lose connections in bursts.
    pub backlog: u32,
    /// Most open connections, over all workers. Default: 10,000. One more is closed at once and
    /// counted. Each idle one costs about 25 KiB after its first request (TLS: 60 KiB) and a file
    /// descriptor.
    pub max_connections: usize,
    /// Whether small writes go out at once (`TCP_NODELAY`). Default: true. Turned off, answers
    /// can wait up to 40 ms for the client's acknowledgement.
    pub tcp_nodelay: bool,
    /// Longest TLS handshake. Default: 10 s.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub tls_handshake_timeout: Duration,
    /// Longest wait for the first byte on a new connection. Default: 10 s.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub first_byte_timeout: Duration,
    /// Longest time from the first byte of a request's head to its last. Default: 10 s. It stops
    /// clients that send their head in drips.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub header_read_timeout: Duration,
    /// Longest wait for the next bytes of a request's body, while the service asks for them.
    /// Default: 30 s. Then the body ends with an error ([`std::io::ErrorKind::TimedOut`]), and
    /// the connection with the answer (HTTP/2: only the stream). It stops clients that announce
    /// a body and do not send it, and hold what the service holds for them. It is no least rate:
    /// a byte in time is enough.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub body_read_timeout: Duration,
    /// Longest time that a connection stays open between two requests. Default: 75 s. Keep it
    /// above the idle timeout of a load balancer in front, or that one sees resets.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub keep_alive_timeout: Duration,
    /// Longest time that a write waits without sending a byte. Default: 30 s. It stops clients
    /// that ask for much and read nothing. In HTTP/2 it is also the longest time that one response
    /// waits while its client keeps the flow control window shut (RFC 9113 §5.2), or takes less
    /// than 16 KiB; then its stream is reset. A response whose service has nothing to send may
    /// take its time.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub write_stall_timeout: Duration,
    /// Most header fields of a request; more is answered with 431. Default: 100. Any other value
    /// costs HTTP/1 an allocation per request.
    pub max_headers: usize,
    /// Most bytes of an HTTP/1 request's head; more is answered with 431. Default: 64 KiB, at
    /// least 8 KiB, at most 1 MiB. HTTP/2: see [`Http2Config::max_header_list_size`].
    #[cfg_attr(feature = "serde", serde(with = "vunit::size"))]
    pub max_head_bytes: u64,
    /// Most bytes of a request's target; more is answered with 414. Default: 16 KiB. A target
    /// that is also longer than a whole head may be is answered with 431.
    #[cfg_attr(feature = "serde", serde(with = "vunit::size"))]
    pub max_uri_bytes: u64,
    /// How long to go on accepting after a drain was asked for. Default: 0. In Kubernetes about
    /// 5 s, because endpoint lists propagate late.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub drain_delay: Duration,
    /// Once the drain has begun, how long an idle HTTP/1 connection stays open for a request that
    /// was on its way (RFC 9112 §9.5), and the longest wait for an HTTP/2 client's consent to the
    /// end. Default: 1 s. Longer than the slowest client's round trip; 0 loses requests that were
    /// sent before their client could know.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub drain_keep_alive: Duration,
    /// Once the drain has begun, the longest time that an upgraded connection (WebSocket) may
    /// move no byte, either way; then it is closed. Default: 5 s. There is no message of ours that
    /// would end one, and an idle one would hold the drain until its deadline. 0 closes each as
    /// soon as it waits.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub drain_idle: Duration,
    /// What is particular to HTTP/2.
    pub http2: Http2Config,
}

/// Certificate chain and private key, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct TlsConfig {
    /// The certificate, then the intermediates that lead to a root.
    pub cert: PathBuf,
    /// The private key of the first certificate (PKCS #8, PKCS #1 or SEC 1), not encrypted.
    pub key: PathBuf,
}

/// Limits of HTTP/2 connections.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Http2Config {
    /// Most requests at once on one connection (RFC 9113 §5.1.2). Default: 128.
    pub max_concurrent_streams: u32,
    /// Most bytes of a request's fields, each counted with 32 more (RFC 9113 §6.5.2). Default:
    /// 64 KiB, at most 1 MiB. More is answered with 431 and the stream is reset, without a word
    /// to the service. Far more (four times as much, or a block in far more CONTINUATION frames
    /// than it needs) ends the connection with GOAWAY.
    #[cfg_attr(feature = "serde", serde(with = "vunit::size"))]
    pub max_header_list_size: u64,
    /// Most bytes of a response that wait for a slow client, per request, give or take 16 KiB.
    /// Default: 128 KiB. Times the streams, this bounds the memory of one connection. A response
    /// whose last bytes are here is over for the service; they wait as long as the connection.
    #[cfg_attr(feature = "serde", serde(with = "vunit::size"))]
    pub max_send_buffer: u64,
    /// How often to ask a silent client whether it is there (PING, RFC 9113 §6.7). Default: 20 s;
    /// none never asks, and a client that vanished keeps its open requests.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration::option"))]
    pub ping_interval: Option<Duration>,
    /// Longest wait for the answer to a PING, then the connection is closed. Default: 20 s.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub ping_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080)),
            tls: None,
            h2c: true,
            backlog: 1024,
            max_connections: 10_000,
            tcp_nodelay: true,
            tls_handshake_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_secs(10),
            header_read_timeout: Duration::from_secs(10),
            body_read_timeout: Duration::from_secs(30),
            keep_alive_timeout: Duration::from_secs(75),
            write_stall_timeout: Duration::from_secs(30),
            max_headers: 100,
            max_head_bytes: 64 * 1024,
            max_uri_bytes: 16 * 1024,
            drain_delay: Duration::ZERO,
            drain_idle: Duration::from_secs(5),
            drain_keep_alive: Duration::from_secs(1),
            http2: Http2Config::default(),
        }
    }
}

impl Default for Http2Config {
    fn default() -> Self {
        Self {
            max_concurrent_streams: 128,
            max_header_list_size: 64 * 1024,
            max_send_buffer: 128 * 1024,
            ping_interval: Some(Duration::from_secs(20)),
            ping_timeout: Duration::from_secs(20),
        }
    }
}

impl Config {
    /// Refuses what would never serve a request or wait for ever, as [`Server::bind`] does first.
    ///
    /// It opens no file and no socket; for the certificates see [`TlsConfig::check`].
    ///
    /// # Errors
    ///
    /// Names the first field that is wrong, and what it may be.
    ///
    /// [`Server::bind`]: crate::Server::bind
    pub fn check(&self) -> Result<(), ConfigError> {
        self.check_times()?;
        let at_least_one = [
            ("backlog", u64::from(self.backlog)),
            ("max_connections", count(self.max_connections)),
            ("max_headers", count(self.max_headers)),
            ("max_uri_bytes", self.max_uri_bytes),
            ("http2.max_concurrent_streams", u64::from(self.http2.max_concurrent_streams)),
            ("http2.max_send_buffer", self.http2.max_send_buffer),
        ];
        for (field, value) in at_least_one {
            if value == 0 {
                return Err(ConfigError::Zero { field });
            }
        }
        between("max_head_bytes", self.max_head_bytes, LEAST_HEAD_BYTES, MOST_HEAD_BYTES)?;
        let list = self.http2.max_header_list_size;
        between("http2.max_header_list_size", list, 1, MOST_HEAD_BYTES)?;
        let buffer = self.http2.max_send_buffer;
        between("http2.max_send_buffer", buffer, 1, u64::from(u32::MAX))
    }

    fn check_times(&self) -> Result<(), ConfigError> {
        let times = [
            ("tls_handshake_timeout", Some(self.tls_handshake_timeout)),
            ("first_byte_timeout", Some(self.first_byte_timeout)),
            ("header_read_timeout", Some(self.header_read_timeout)),
            ("body_read_timeout", Some(self.body_read_timeout)),
            ("keep_alive_timeout", Some(self.keep_alive_timeout)),
            ("write_stall_timeout", Some(self.write_stall_timeout)),
            ("http2.ping_interval", self.http2.ping_interval),
            ("http2.ping_timeout", Some(self.http2.ping_timeout)),
        ];
        match times.into_iter().find(|(_, time)| *time == Some(Duration::ZERO)) {
            Some((field, _)) => Err(ConfigError::Zero { field }),
            None => Ok(()),
        }
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn between(field: &'static str, value: u64, least: u64, most: u64) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(ConfigError::OutOfRange {
            field,
            value: vunit::size::format(value),
            least: vunit::size::format(least),
            most: vunit::size::format(most),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_accepted() {
        assert_eq!(Config::default().check(), Ok(()));
    }

    #[test]
    fn a_wait_without_end_or_start_is_refused() {
        let config = Config { keep_alive_timeout: Duration::ZERO, ..Config::default() };
        let error = config.check().unwrap_err();
        assert_eq!(error.to_string(), "`keep_alive_timeout` must not be zero");
    }

    #[test]
    fn a_head_limit_below_what_hyper_takes_is_refused() {
        let config = Config { max_head_bytes: 1000, ..Config::default() };
        let text = config.check().unwrap_err().to_string();
        assert_eq!(text, "`max_head_bytes` is 1000B; it must be from 8KiB to 1MiB");
    }

    #[cfg(feature = "serde")]
    #[test]
    fn a_file_says_durations_and_sizes_as_people_do() {
        let json = r#"{"listen": "127.0.0.1:0", "max_uri_bytes": "8KiB",
            "tls": {"cert": "a.pem", "key": "b.pem"}, "http2": {"ping_interval": "5s"}}"#;
        let config: Config = serde_json::from_str(json).unwrap();
        assert_eq!(config.max_uri_bytes, 8192);
        assert_eq!(config.http2.ping_interval, Some(Duration::from_secs(5)));
        assert!(serde_json::from_str::<Config>(r#"{"lisen": "127.0.0.1:0"}"#).is_err());
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), config);
    }
}
