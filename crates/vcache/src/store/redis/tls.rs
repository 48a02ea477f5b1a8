//! Certificates for connections with TLS.

use std::path::Path;

use ::redis::cluster::ClusterClientBuilder;
use ::redis::{Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, TlsCertificates};

use super::config::RedisTls;
use super::error::RedisBuildError;

/// The same with the certificates of `tls`, if it goes over TLS.
pub(super) fn equipped(
    info: ConnectionInfo,
    tls: &RedisTls,
    url: &str,
) -> Result<ConnectionInfo, RedisBuildError> {
    if !is_tls(&info) {
        return Ok(info);
    }
    provided();
    let Some(certificates) = certificates(tls)? else { return Ok(info) };
    let client = Client::build_with_tls(info, certificates)
        .map_err(|error| RedisBuildError::url(url, error))?;
    Ok(client.get_connection_info().clone())
}

/// The same for the nodes of a Cluster that are not known yet.
pub(super) fn equip_cluster(
    builder: ClusterClientBuilder,
    nodes: &[ConnectionInfo],
    tls: &RedisTls,
) -> Result<ClusterClientBuilder, RedisBuildError> {
    match certificates(tls)? {
        Some(certificates) if nodes.first().is_some_and(is_tls) => Ok(builder.certs(certificates)),
        _ => Ok(builder),
    }
}

fn is_tls(info: &ConnectionInfo) -> bool {
    matches!(info.addr(), ConnectionAddr::TcpTls { .. })
}

/// rustls wants to know whose cryptography to use, unless the process has said so already.
fn provided() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // An error means that somebody else was faster.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

fn certificates(tls: &RedisTls) -> Result<Option<TlsCertificates>, RedisBuildError> {
    let client_tls = match (&tls.certificate, &tls.key) {
        (Some(certificate), Some(key)) => {
            Some(ClientTlsConfig { client_cert: read(certificate)?, client_key: read(key)? })
        }
        (None, None) => None,
        _ => return Err(RedisBuildError::Topology("tls needs both a certificate and its key")),
    };
    let root_cert = tls.ca.as_deref().map(read).transpose()?;
    if root_cert.as_ref().is_some_and(|pem| !holds_certificate(pem)) {
        // Nobody at all would be trusted.
        return Err(RedisBuildError::Certificate("tls.ca holds no certificate".into()));
    }
    let any = client_tls.is_some() || root_cert.is_some();
    Ok(any.then_some(TlsCertificates { client_tls, root_cert }))
}

fn holds_certificate(pem: &[u8]) -> bool {
    String::from_utf8_lossy(pem).contains("-----BEGIN CERTIFICATE-----")
}

fn read(path: &Path) -> Result<Vec<u8>, RedisBuildError> {
    std::fs::read(path).map_err(|error| {
        let told = format!("{}: {error}", path.display());
        RedisBuildError::Certificate(told.into())
    })
}
