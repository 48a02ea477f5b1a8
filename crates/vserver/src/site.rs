//! What all workers of one listener share: its settings, certificates and counters.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use tokio_util::task::TaskTracker;

use crate::config::{Config, TlsConfig};
use crate::conn::{HeadLimits, Rules, Times};
use crate::error::{BindError, TlsError};
use crate::stats::Tally;
use crate::tls::Tls;

/// hyper's own limit of its read buffer, which also bounds a head.
const HYPER_BUFFER: usize = 8 * 1024 + 4 * 1024 * 100;
/// hyper's own limit of fields; with any other it needs an allocation per request.
const HYPER_HEADERS: usize = 100;

/// What all workers of one listener share.
pub(crate) struct Site {
    pub(crate) rules: Rules,
    pub(crate) tally: Arc<Tally>,
    pub(crate) max_connections: usize,
    /// Most connections that can wait to be accepted.
    pub(crate) backlog: u32,
    pub(crate) tcp_nodelay: bool,
    pub(crate) drain_delay: Duration,
    /// Holds a token of every socket that still accepts.
    pub(crate) listening: TaskTracker,
    tls: Option<TlsConfig>,
}

/// Settings that were checked, and their certificates, before anything is bound.
pub(crate) struct Checked {
    pub(crate) config: Config,
    tls: Option<Tls>,
}

impl Checked {
    pub(crate) fn new(config: Config) -> Result<Self, BindError> {
        let listen = config.listen;
        config.check().map_err(|source| BindError::Config { listen, source })?;
        let tls = config.tls.as_ref().map(Tls::load).transpose();
        let tls = tls.map_err(|source| BindError::Tls { listen, source })?;
        Ok(Self { config, tls })
    }

    /// The shared part of the listener that was bound to `local`.
    pub(crate) fn site(self, local: SocketAddr) -> Arc<Site> {
        let Self { config, tls } = self;
        Arc::new(Site {
            rules: rules(&config, tls),
            tally: Arc::new(Tally::new(&local.to_string())),
            max_connections: config.max_connections,
            backlog: config.backlog,
            tcp_nodelay: config.tcp_nodelay,
            drain_delay: config.drain_delay,
            listening: TaskTracker::new(),
            tls: config.tls,
        })
    }
}

impl Site {
    /// Reads the certificate files again; none without TLS.
    pub(crate) fn fresh_tls(&self) -> Result<Option<Tls>, TlsError> {
        self.tls.as_ref().map(Tls::load).transpose()
    }

    /// Lets new handshakes use `fresh`.
    pub(crate) fn replace_tls(&self, fresh: &Tls) {
        if let Some(tls) = &self.rules.tls {
            tls.replace(fresh);
        }
    }
}

fn rules(config: &Config, tls: Option<Tls>) -> Rules {
    Rules {
        tls,
        h2c: config.h2c,
        handshake: config.tls_handshake_timeout,
        body_read: config.body_read_timeout,
        write_stall: config.write_stall_timeout,
        drain_idle: config.drain_idle,
        times: Times {
            first_byte: config.first_byte_timeout,
            head: config.header_read_timeout,
            idle: config.keep_alive_timeout,
            closing: config.drain_keep_alive,
        },
        limits: HeadLimits { uri_bytes: size(config.max_uri_bytes), headers: config.max_headers },
        http1: http1_builder(config),
        http2: config.http2.clone(),
    }
}

fn http1_builder(config: &Config) -> http1::Builder {
    let head = size(config.max_head_bytes);
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // Ours tells the wait for a request from the wait for the rest of its head.
        .header_read_timeout(None)
        .max_header_size(head)
        .max_buf_size(HYPER_BUFFER.max(head));
    if config.max_headers != HYPER_HEADERS {
        builder.max_headers(config.max_headers);
    }
    builder
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
