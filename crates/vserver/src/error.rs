//! Why a server could not start, and why a certificate could not be used.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a listener's settings are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A limit or timeout of zero would refuse everything.
    #[error("`{field}` must not be zero")]
    Zero {
        /// The field's name in [`Config`](crate::Config).
        field: &'static str,
    },
    /// A size is outside of what the protocols' implementations take.
    #[error("`{field}` is {value}; it must be from {least} to {most}")]
    OutOfRange {
        /// The field's name in [`Config`](crate::Config).
        field: &'static str,
        /// What was set.
        value: String,
        /// The least that is taken.
        least: String,
        /// The most that is taken.
        most: String,
    },
}

/// Why a server could not be bound; nothing is listening then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// No listener was given.
    #[error("a server needs at least one listener")]
    NoListener,
    /// The settings of the listener at `listen` are refused.
    #[error("the listener on {listen} is not set up right")]
    Config {
        /// The listener's address.
        listen: SocketAddr,
        /// What is wrong.
        source: ConfigError,
    },
    /// The certificate or key of the listener at `listen` cannot be used.
    #[error("the listener on {listen} has no usable certificate")]
    Tls {
        /// The listener's address.
        listen: SocketAddr,
        /// What is wrong.
        source: TlsError,
    },
    /// Somebody else listens there.
    #[error(
        "{listen} is in use; stop the process that listens there (`ss -ltnp 'sport = :{}'` names \
         it) or choose another address",
        listen.port()
    )]
    InUse {
        /// The listener's address.
        listen: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system does not let this process listen there.
    #[error(
        "not allowed to listen on {listen}; for a port below 1024 grant CAP_NET_BIND_SERVICE \
         (systemd: AmbientCapabilities) or lower net.ipv4.ip_unprivileged_port_start"
    )]
    Denied {
        /// The listener's address.
        listen: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// This machine has no such address.
    #[error("{listen} is not an address of this machine; `ip address` lists those that are")]
    NoSuchAddress {
        /// The listener's address.
        listen: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused for another reason.
    #[error("cannot listen on {listen}")]
    Io {
        /// The listener's address.
        listen: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

impl BindError {
    /// Sorts what the system said when asked for a socket on `listen`.
    pub(crate) fn from_io(listen: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { listen, source },
            io::ErrorKind::PermissionDenied => Self::Denied { listen, source },
            io::ErrorKind::AddrNotAvailable => Self::NoSuchAddress { listen, source },
            _ => Self::Io { listen, source },
        }
    }

    /// The address of the listener that is to blame, when it is one.
    #[must_use]
    pub const fn listen(&self) -> Option<SocketAddr> {
        match self {
            Self::NoListener => None,
            Self::Config { listen, .. }
            | Self::Tls { listen, .. }
            | Self::InUse { listen, .. }
            | Self::Denied { listen, .. }
            | Self::NoSuchAddress { listen, .. }
            | Self::Io { listen, .. } => Some(*listen),
        }
    }
}

/// Why a certificate and its key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The crate was built without TLS.
    #[error("TLS is not built in; build with the feature `tls` of vserver")]
    NotBuiltIn,
    /// A file cannot be read.
    #[error("cannot read {}; check the path and who may read it", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file has a PEM section that is cut short or damaged.
    #[error("{} is not valid PEM; copy the file again, from BEGIN to END", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The certificate file holds no certificate.
    #[error(
        "no certificate in {}; it must hold a `-----BEGIN CERTIFICATE-----` section",
        path.display()
    )]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The key file holds no private key.
    #[error(
        "no private key in {}; it must hold a `-----BEGIN PRIVATE KEY-----` section (an encrypted \
         key has to be decrypted first: `openssl pkey -in FILE -out PLAIN`)",
        path.display()
    )]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The key is not the certificate's.
    #[error(
        "the key in {} does not belong to the first certificate in {}; the server's own \
         certificate comes first, the intermediates after it",
        key.display(),
        cert.display()
    )]
    Mismatch {
        /// The certificate file.
        cert: PathBuf,
        /// The key file.
        key: PathBuf,
    },
    /// The certificate or key is of a kind that TLS cannot use here.
    #[error(
        "the certificate in {} with the key in {} cannot be used: {reason}",
        cert.display(),
        key.display()
    )]
    Unusable {
        /// The certificate file.
        cert: PathBuf,
        /// The key file.
        key: PathBuf,
        /// What the TLS library said.
        reason: String,
    },
}

/// Why the workers could not be started; those that were are stopped again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The system gave no thread.
    #[error("cannot start worker {worker}")]
    Thread {
        /// Which worker.
        worker: usize,
        /// What the system said.
        source: io::Error,
    },
    /// The system gave no event queue, or did not let the worker register its sockets.
    #[error("worker {worker} got no event loop")]
    Runtime {
        /// Which worker.
        worker: usize,
        /// What the system said.
        source: io::Error,
    },
    /// The closure that makes the services panicked.
    #[error("worker {worker} panicked while its services were made")]
    Panicked {
        /// Which worker.
        worker: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_becomes_a_fix() {
        let listen = SocketAddr::from(([127, 0, 0, 1], 80));
        let message = |kind: io::ErrorKind| BindError::from_io(listen, kind.into()).to_string();
        assert!(message(io::ErrorKind::AddrInUse).contains("ss -ltnp 'sport = :80'"));
        assert!(message(io::ErrorKind::PermissionDenied).contains("CAP_NET_BIND_SERVICE"));
        assert!(message(io::ErrorKind::AddrNotAvailable).contains("ip address"));
        assert_eq!(message(io::ErrorKind::OutOfMemory), "cannot listen on 127.0.0.1:80");
    }
}
