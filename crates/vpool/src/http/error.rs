//! Why a request got no response, and why a client could not be built.

use std::fmt;
use std::path::PathBuf;

use vhttp::BoxError;

use crate::http::origin::Origin;

/// What kept a request from its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request cannot be sent as it is: no absolute-form URI, an unknown scheme, CONNECT, or
    /// `https` without the feature `tls`. Nothing was sent.
    Request,
    /// The client was closed. Nothing was sent.
    Closed,
    /// As many requests as allowed wait for a connection to this origin already, or every place
    /// in the table of origins is in use. Nothing was sent.
    Busy,
    /// No connection became free within the wait timeout. Nothing was sent.
    WaitTimeout,
    /// No connection could be opened (name, TCP, TLS), or a fresh one was lost before the
    /// request's first byte. Nothing was sent.
    Connect,
    /// Opening a connection took longer than the connect timeout. Nothing was sent.
    ConnectTimeout,
    /// The origin said that it did not process the request (HTTP/2: REFUSED_STREAM, or a stream
    /// above the last one of a graceful GOAWAY; RFC 9113 §8.7).
    Refused,
    /// The connection was lost after the request was at least partly written and before the
    /// first byte of an answer: the origin may have acted on it.
    Unanswered,
    /// What came back is not a complete response head: not HTTP, over a limit, cut short, or a
    /// 101 that nobody asked for.
    Answer,
    /// The request's own body failed or was cut short while it was sent.
    Upload,
}

impl ErrorKind {
    /// The kind's name: a short lower-case word, as in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "bad-request",
            Self::Closed => "closed",
            Self::Busy => "busy",
            Self::WaitTimeout => "wait-timeout",
            Self::Connect => "connect-failed",
            Self::ConnectTimeout => "connect-timeout",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
            Self::Answer => "bad-answer",
            Self::Upload => "upload-failed",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::Request => "the request cannot be sent",
            Self::Closed => "the client is closed",
            Self::Busy => "too many requests wait for a connection",
            Self::WaitTimeout => "no connection became free in time",
            Self::Connect => "could not connect",
            Self::ConnectTimeout => "connecting took too long",
            Self::Refused => "the origin did not process the request",
            Self::Unanswered => "the connection was lost before an answer",
            Self::Answer => "the answer is not a complete HTTP response head",
            Self::Upload => "the request's body failed",
        }
    }
}

/// Why a request got no response.
///
/// One level of text; what the network or the origin said is in
/// [`source`](std::error::Error::source).
#[derive(Debug)]
pub struct ClientError {
    kind: ErrorKind,
    origin: Option<Origin>,
    reused: bool,
    source: Option<BoxError>,
}

impl ClientError {
    pub(crate) const fn new(kind: ErrorKind, origin: Option<Origin>) -> Self {
        Self { kind, origin, reused: false, source: None }
    }

    pub(crate) fn because(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub(crate) const fn on_reused(mut self, reused: bool) -> Self {
        self.reused = reused;
        self
    }

    /// What happened.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Where the request was to go; `None` when its URI names no origin.
    #[must_use]
    pub const fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// Whether no connection could be opened; nothing was sent.
    #[must_use]
    pub const fn is_connect(&self) -> bool {
        matches!(self.kind, ErrorKind::Connect | ErrorKind::ConnectTimeout)
    }

    /// Whether a time limit of this client ran out: connecting, or waiting for a connection.
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self.kind, ErrorKind::ConnectTimeout | ErrorKind::WaitTimeout)
    }

    /// Whether a bound of this client was reached: too many waiting, or waited too long.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        matches!(self.kind, ErrorKind::Busy | ErrorKind::WaitTimeout)
    }

    /// Whether the connection was lost before the first byte of an answer, the request being at
    /// least partly written: only an idempotent request may be sent again (RFC 9110 §9.2.2).
    #[must_use]
    pub const fn is_closed_before_answer(&self) -> bool {
        matches!(self.kind, ErrorKind::Unanswered)
    }

    /// Whether the connection had carried a request before. Together with
    /// [`is_closed_before_answer`](Self::is_closed_before_answer) it is the race with an origin
    /// that closes an idle connection.
    #[must_use]
    pub const fn is_reused_connection(&self) -> bool {
        self.reused
    }

    /// Whether the origin cannot have acted on the request: nothing was sent, or the origin says
    /// so itself. Any method may be sent again, as far as the body is still there.
    #[must_use]
    pub const fn is_unprocessed(&self) -> bool {
        !matches!(self.kind, ErrorKind::Unanswered | ErrorKind::Answer | ErrorKind::Upload)
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.sentence())?;
        match &self.origin {
            Some(origin) => write!(f, " ({origin})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// Why a client could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A setting that must be at least one is zero.
    #[error("`{0}` must not be zero")]
    Zero(&'static str),
    /// hyper reads in buffers of no less than 8 KiB.
    #[error("`max_buf_size` is {0} bytes, but must be at least 8KiB")]
    BufferTooSmall(u64),
    /// A head must fit into the read buffer.
    #[error("`max_header_bytes` is {head} bytes, but the buffer holds {buffer}")]
    HeadAboveBuffer {
        /// The setting `max_header_bytes`.
        head: u64,
        /// The setting `max_buf_size`.
        buffer: u64,
    },
    /// A size does not fit into this machine's address space.
    #[error("`{0}` is too large for this machine")]
    TooLarge(&'static str),
    /// The file of extra certificate authorities cannot be read, or is not PEM.
    #[error("cannot read certificates from {path}")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What reading it said.
        #[source]
        source: BoxError,
    },
    /// The TLS library refuses the settings.
    #[error("cannot set up TLS")]
    Tls(#[source] BoxError),
}
