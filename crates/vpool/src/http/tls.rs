//! TLS to origins: whom to trust, and the handshake.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use vhttp::BoxError;

use crate::http::error::BuildError;

/// Whom to trust on `https`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct TlsConfig {
    /// A PEM file of certificate authorities that are trusted beside the system's. Default:
    /// none.
    pub ca_file: Option<PathBuf>,
    /// Accepts every certificate, for every name. Default: false. Whoever is on the path can
    /// then read and change everything: for tests on one machine only.
    pub insecure: bool,
}

/// Makes TLS connections.
#[derive(Clone)]
pub(crate) struct Tls {
    connector: TlsConnector,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl Tls {
    /// Loads the roots and offers `protocols` by ALPN (RFC 7301), first choice first.
    pub(crate) fn new(config: &TlsConfig, protocols: &[&[u8]]) -> Result<Self, BuildError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| BuildError::Tls(error.into()))?;
        let mut client = if config.insecure {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Anyone { provider }))
                .with_no_client_auth()
        } else {
            builder.with_root_certificates(roots(config)?).with_no_client_auth()
        };
        client.alpn_protocols = protocols.iter().map(|p| p.to_vec()).collect();
        Ok(Self { connector: TlsConnector::from(Arc::new(client)) })
    }

    /// Shakes hands; says too whether the origin chose HTTP/2.
    pub(crate) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, bool), BoxError> {
        let name = ServerName::try_from(host.to_owned())?;
        let stream = self.connector.connect(name, stream).await?;
        let chosen = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok((stream, chosen))
    }
}

/// The system's roots and the configured ones. A system without any is no error here, because
/// plain `http` needs none; every handshake then fails as signed by an unknown authority.
fn roots(config: &TlsConfig) -> Result<RootCertStore, BuildError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let Some(path) = &config.ca_file else {
        return Ok(roots);
    };
    let failed = |source: BoxError| BuildError::CaFile { path: path.clone(), source };
    let mut added = 0;
    let certificates = CertificateDer::pem_file_iter(path).map_err(|e| failed(e.into()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| failed(error.into()))?;
        roots.add(certificate).map_err(|error| failed(error.into()))?;
        added += 1;
    }
    if added == 0 {
        let empty = io::Error::new(io::ErrorKind::InvalidData, "no certificate in the file");
        return Err(failed(empty.into()));
    }
    Ok(roots)
}

/// Accepts every certificate, but still checks that the other side holds its key.
#[derive(Debug)]
struct Anyone {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
