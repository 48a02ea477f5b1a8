//! TLS of one listener: certificates from files, protocols by ALPN, swapped while serving.

#[cfg(feature = "tls")]
pub(crate) use on::Tls;

#[cfg(not(feature = "tls"))]
pub(crate) use off::Tls;

use crate::config::TlsConfig;
use crate::error::TlsError;

impl TlsConfig {
    /// Reads the certificate and the key and refuses them as [`Server::bind`] would: when a file
    /// cannot be read, is damaged, or the key is not the certificate's.
    ///
    /// It reads files, so call it from a thread that may block. That a certificate has expired or
    /// is for another name is not looked at.
    ///
    /// # Errors
    ///
    /// See [`TlsError`]; each names the file and the fix. Without the feature `tls` it always
    /// fails.
    ///
    /// [`Server::bind`]: crate::Server::bind
    pub fn check(&self) -> Result<(), TlsError> {
        Tls::load(self).map(drop)
    }
}

/// The version of HTTP that a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

#[cfg(feature = "tls")]
mod on {
    use std::io;
    use std::path::Path;
    use std::sync::Arc;

    use arc_swap::ArcSwap;
    use rustls::ServerConfig;
    use rustls::crypto::ring;
    use rustls::pki_types::pem::{self, PemObject};
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio::io::{AsyncRead, AsyncWrite};
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::server::TlsStream;

    use super::Protocol;
    use crate::config::TlsConfig;
    use crate::error::TlsError;

    /// What is offered, the best first. A client that asks only for `http/1.0` speaks HTTP/1 all
    /// the same, and refusing its handshake would help nobody.
    const PROTOCOLS: [&[u8]; 3] = [b"h2", b"http/1.1", b"http/1.0"];

    /// What new handshakes use.
    pub(crate) struct Tls {
        current: ArcSwap<ServerConfig>,
    }

    impl Tls {
        /// Reads the files and checks that they belong together.
        pub(crate) fn load(files: &TlsConfig) -> Result<Self, TlsError> {
            let current = ArcSwap::from_pointee(server_config(files)?);
            Ok(Self { current })
        }

        /// Lets new handshakes use what `fresh` was loaded with.
        pub(crate) fn replace(&self, fresh: &Self) {
            self.current.store(fresh.current.load_full());
        }

        /// Shakes hands on `io`. A client that offers no protocol speaks HTTP/1.1 (HTTP/2 over
        /// TLS is only by ALPN: RFC 9113 §3.2); one that offers only others gets an alert
        /// (RFC 7301 §3.2).
        pub(crate) async fn accept<IO>(&self, io: IO) -> io::Result<(TlsStream<IO>, Protocol)>
        where
            IO: AsyncRead + AsyncWrite + Unpin,
        {
            let acceptor = TlsAcceptor::from(self.current.load_full());
            let stream = acceptor.accept(io).await?;
            let protocol = match stream.get_ref().1.alpn_protocol() {
                Some(b"h2") => Protocol::Http2,
                _ => Protocol::Http1,
            };
            Ok((stream, protocol))
        }
    }

    fn server_config(files: &TlsConfig) -> Result<ServerConfig, TlsError> {
        let chain = certificates(&files.cert)?;
        let key = private_key(&files.key)?;
        let unusable = |error| unusable(files, &error);
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(unusable)?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        // Sealed tickets: a client resumes on any worker, and the server keeps nothing for it.
        config.ticketer = ring::Ticketer::new().map_err(unusable)?;
        Ok(config)
    }

    fn unusable(files: &TlsConfig, error: &rustls::Error) -> TlsError {
        let (cert, key) = (files.cert.clone(), files.key.clone());
        match error {
            rustls::Error::InconsistentKeys(_) => TlsError::Mismatch { cert, key },
            other => TlsError::Unusable { cert, key, reason: other.to_string() },
        }
    }

    fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let chain = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| unreadable(path, error))?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate { path: path.to_owned() });
        }
        Ok(chain)
    }

    fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
        PrivateKeyDer::from_pem_file(path).map_err(|error| match error {
            pem::Error::NoItemsFound => TlsError::NoKey { path: path.to_owned() },
            other => unreadable(path, other),
        })
    }

    fn unreadable(path: &Path, error: pem::Error) -> TlsError {
        let path = path.to_owned();
        match error {
            pem::Error::Io(source) => TlsError::Read { path, source },
            _ => TlsError::Damaged { path },
        }
    }
}

#[cfg(not(feature = "tls"))]
mod off {
    use std::io;

    use super::Protocol;
    use crate::config::TlsConfig;
    use crate::error::TlsError;

    /// Never made: there is no TLS in this build.
    pub(crate) enum Tls {}

    impl Tls {
        pub(crate) const fn load(_: &TlsConfig) -> Result<Self, TlsError> {
            Err(TlsError::NotBuiltIn)
        }

        pub(crate) const fn replace(&self, _: &Self) {
            match *self {}
        }

        pub(crate) async fn accept<IO>(&self, _: IO) -> io::Result<(IO, Protocol)> {
            match *self {}
        }
    }
}

#[cfg(test)]
#[cfg(feature = "tls")]
mod tests;
