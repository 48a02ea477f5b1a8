//! What the server knows of the connection that a request came in on.

use std::net::SocketAddr;

/// The connection that a request came in on; the server puts it into the request's extensions.
///
/// The peer is whoever opened the connection: the client, or a proxy in front of us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Connection {
    /// The address of the other side.
    pub peer: SocketAddr,
    /// Our own address.
    pub local: SocketAddr,
    /// Whether the connection is encrypted; the scheme is then `https`.
    pub tls: bool,
}

impl Connection {
    /// A connection from `peer` to `local`, encrypted or not.
    #[must_use]
    pub const fn new(peer: SocketAddr, local: SocketAddr, tls: bool) -> Self {
        Self { peer, local, tls }
    }

    /// `https` when encrypted, else `http`.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }
}
