//! Why a connection ended other than in peace, as metrics name it.

use std::error::Error as StdError;
use std::io;

/// Why a connection ended other than in peace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing was sent on a new connection.
    FirstByteTimeout,
    /// A request's head did not become complete in time.
    HeaderTimeout,
    /// A request's body did not go on in time.
    BodyTimeout,
    /// A write made no progress in time.
    WriteStall,
    /// A PING was not answered in time.
    PingTimeout,
    /// The TLS handshake did not become complete in time.
    TlsTimeout,
    /// The TLS handshake failed.
    Tls,
    /// The client broke the rules of HTTP, or went over a limit of its head.
    Protocol,
    /// The body of a response failed under way, so the client got part of it.
    Response,
    /// The transport failed or the client left in the middle of something.
    Io,
    /// The service panicked.
    Panic,
    /// The drain's deadline passed.
    Aborted,
}

impl Fault {
    #[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "only metrics count by kind"))]
    pub(crate) const ALL: [Self; 12] = [
        Self::FirstByteTimeout,
        Self::HeaderTimeout,
        Self::BodyTimeout,
        Self::WriteStall,
        Self::PingTimeout,
        Self::TlsTimeout,
        Self::Tls,
        Self::Protocol,
        Self::Response,
        Self::Io,
        Self::Panic,
        Self::Aborted,
    ];

    /// The value of the label `kind`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::FirstByteTimeout => "first_byte_timeout",
            Self::HeaderTimeout => "header_timeout",
            Self::BodyTimeout => "body_timeout",
            Self::WriteStall => "write_stall",
            Self::PingTimeout => "ping_timeout",
            Self::TlsTimeout => "tls_timeout",
            Self::Tls => "tls",
            Self::Protocol => "protocol",
            Self::Response => "response",
            Self::Io => "io",
            Self::Panic => "panic",
            Self::Aborted => "aborted",
        }
    }

    /// Sorts what hyper says of a connection that it gave up.
    pub(crate) fn of(error: &hyper::Error) -> Self {
        if error.is_user() {
            Self::Response
        } else if error.is_timeout() {
            Self::PingTimeout
        } else if error.is_incomplete_message()
            || error.is_closed()
            || error.is_canceled()
            || is_from_the_transport(error)
        {
            Self::Io
        } else {
            Self::Protocol
        }
    }
}

fn is_from_the_transport(error: &hyper::Error) -> bool {
    let mut next = error.source();
    while let Some(error) = next {
        if error.is::<io::Error>() {
            return true;
        }
        next = error.source();
    }
    false
}
