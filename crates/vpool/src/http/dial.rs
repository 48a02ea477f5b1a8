//! Opening a connection: name, TCP, TLS, and the start of HTTP.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hyper::client::conn::http1;
use tokio::net::{TcpStream, lookup_host};
use vhttp::BoxError;

use crate::http::config::{Config, HYPER_MAX_HEADERS, Http2 as Where};
use crate::http::conn::{Http1, Http2};
use crate::http::error::{BuildError, ErrorKind};
use crate::http::origin::Origin;
#[cfg(feature = "tls")]
use crate::http::tls::Tls;
use crate::http::traffic::Socket;

/// An open connection.
#[derive(Debug)]
pub(crate) enum Opened {
    /// For one request at a time.
    One(Http1),
    /// For many.
    Many(Http2),
}

/// Why a connection could not be opened.
#[derive(Debug)]
pub(crate) struct DialError {
    pub(crate) kind: ErrorKind,
    pub(crate) source: BoxError,
}

impl DialError {
    fn connect(source: impl Into<BoxError>) -> Self {
        Self { kind: ErrorKind::Connect, source: source.into() }
    }
}

/// Opens connections by one set of settings.
#[derive(Debug)]
pub(crate) struct Dialer {
    http1: http1::Builder,
    http2: Where,
    nodelay: bool,
    timeout: Duration,
    max_header_bytes: u32,
    ping_interval: Duration,
    #[cfg(feature = "tls")]
    tls: Tls,
}

impl Dialer {
    pub(crate) fn new(config: &Config) -> Result<Self, BuildError> {
        let size =
            |bytes: u64, name| usize::try_from(bytes).map_err(|_| BuildError::TooLarge(name));
        let mut http1 = http1::Builder::new();
        http1
            .max_buf_size(size(config.max_buf_size, "max_buf_size")?)
            .max_header_size(size(config.max_header_bytes, "max_header_bytes")?);
        if config.max_headers != HYPER_MAX_HEADERS {
            http1.max_headers(config.max_headers);
        }
        Ok(Self {
            http1,
            http2: config.http2,
            nodelay: config.tcp_nodelay,
            timeout: config.connect_timeout,
            max_header_bytes: u32::try_from(config.max_header_bytes).unwrap_or(u32::MAX),
            ping_interval: config.http2_ping_interval,
            #[cfg(feature = "tls")]
            tls: Tls::new(&config.tls, offer(config.http2))?,
        })
    }

    /// Opens a connection to `origin` within the connect timeout.
    pub(crate) async fn dial(&self, origin: &Origin) -> Result<Opened, DialError> {
        match tokio::time::timeout(self.timeout, self.open(origin)).await {
            Ok(opened) => opened,
            Err(elapsed) => {
                Err(DialError { kind: ErrorKind::ConnectTimeout, source: elapsed.into() })
            }
        }
    }

    async fn open(&self, origin: &Origin) -> Result<Opened, DialError> {
        let tcp = connect(origin).await.map_err(DialError::connect)?;
        tcp.set_nodelay(self.nodelay).map_err(DialError::connect)?;
        let (socket, chosen) = self.secure(origin, tcp).await?;
        if chosen || self.http2 == Where::PriorKnowledge {
            return Http2::start(socket, self.max_header_bytes, self.ping_interval)
                .await
                .map(Opened::Many)
                .map_err(DialError::connect);
        }
        Http1::start(&self.http1, socket).await.map(Opened::One).map_err(DialError::connect)
    }

    #[cfg(feature = "tls")]
    async fn secure(&self, origin: &Origin, tcp: TcpStream) -> Result<(Socket, bool), DialError> {
        if !origin.is_tls() {
            return Ok((Socket::Tcp(tcp), false));
        }
        let connected = self.tls.connect(origin.host(), tcp).await;
        let (stream, chosen) = connected.map_err(DialError::connect)?;
        Ok((Socket::Tls(Box::new(stream)), chosen))
    }

    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_async, reason = "its twin shakes hands")]
    async fn secure(&self, origin: &Origin, tcp: TcpStream) -> Result<(Socket, bool), DialError> {
        if origin.is_tls() {
            return Err(DialError {
                kind: ErrorKind::Request,
                source: "https needs the feature `tls`".into(),
            });
        }
        Ok((Socket::Tcp(tcp), false))
    }
}

/// The protocols for ALPN, first choice first (RFC 9113 §3.2).
#[cfg(feature = "tls")]
const fn offer(http2: Where) -> &'static [&'static [u8]] {
    match http2 {
        Where::Off => &[b"http/1.1"],
        Where::Alpn => &[b"h2", b"http/1.1"],
        Where::PriorKnowledge => &[b"h2"],
    }
}

/// Connects to the first of the host's addresses that answers.
async fn connect(origin: &Origin) -> io::Result<TcpStream> {
    let (host, port) = (origin.host(), origin.port());
    if let Ok(ip) = host.parse::<IpAddr>() {
        return TcpStream::connect(SocketAddr::new(ip, port)).await;
    }
    let addresses: Vec<SocketAddr> = lookup_host((host, port)).await?.collect();
    TcpStream::connect(addresses.as_slice()).await
}
