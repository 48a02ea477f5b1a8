//! TLS to origins: verified, or not connected.

#![cfg(feature = "tls")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod origin;

use std::convert::Infallible;
use std::error::Error as _;
use std::io::Write as _;
use std::sync::Arc;

use http::{Response, Version};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use origin::{Origin, get, text};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;
use vhttp::Body;
use vpool::http::{BuildError, Client, Config, ErrorKind, Http2, TlsConfig};

/// An authority, and an acceptor with a certificate of it for `name`.
fn authority(name: &str) -> (String, TlsAcceptor) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = ca.self_signed(&ca_key).unwrap().pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (pem, TlsAcceptor::from(Arc::new(server)))
}

async fn origin(acceptor: TlsAcceptor) -> Origin {
    Origin::sockets(move |socket, _| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(socket).await else {
                return;
            };
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let io = TokioIo::new(stream);
            let service =
                service_fn(|_| async { Ok::<_, Infallible>(Response::new(Body::full("secret"))) });
            if http2 {
                let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(io, service).await;
            } else {
                let server = hyper::server::conn::http1::Builder::new();
                let _ = server.serve_connection(io, service).await;
            }
        }
    })
    .await
}

fn client(tls: TlsConfig, http2: Http2) -> Client {
    Client::new(Config { tls, http2, ..Config::default() }).unwrap()
}

fn uri(origin: &Origin) -> String {
    format!("https://localhost:{}/", origin.addr.port())
}

fn trusting(pem: &str) -> (tempfile::NamedTempFile, TlsConfig) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(pem.as_bytes()).unwrap();
    let ca_file = Some(file.path().to_owned());
    let tls = TlsConfig { ca_file, ..TlsConfig::default() };
    (file, tls)
}

#[tokio::test]
async fn a_configured_authority_is_trusted_and_alpn_decides() {
    let (pem, acceptor) = authority("localhost");
    let origin = origin(acceptor).await;
    let (_file, tls) = trusting(&pem);
    for (http2, version) in [
        (Http2::Off, Version::HTTP_11),
        (Http2::Alpn, Version::HTTP_2),
        (Http2::PriorKnowledge, Version::HTTP_2),
    ] {
        let client = client(tls.clone(), http2);
        let response = get(&client, &uri(&origin)).await.unwrap();
        assert_eq!(response.version(), version);
        assert_eq!(text(response).await, "secret");
    }
}

#[tokio::test]
async fn strangers_and_wrong_names_are_not_connected_to() {
    let (_, acceptor) = authority("localhost");
    let stranger = origin(acceptor).await;
    let error = get(&client(TlsConfig::default(), Http2::Off), &uri(&stranger)).await;
    let error = error.unwrap_err();
    assert!(error.is_connect() && error.is_unprocessed());
    assert!(error.source().is_some());

    let (pem, acceptor) = authority("elsewhere.example");
    let misnamed = origin(acceptor).await;
    let (_file, tls) = trusting(&pem);
    let error = get(&client(tls, Http2::Off), &uri(&misnamed)).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Connect);
}

#[tokio::test]
async fn insecure_takes_anybody() {
    let (_, acceptor) = authority("elsewhere.example");
    let origin = origin(acceptor).await;
    let tls = TlsConfig { insecure: true, ..TlsConfig::default() };
    let client = client(tls, Http2::Off);
    assert_eq!(text(get(&client, &uri(&origin)).await.unwrap()).await, "secret");
}

#[test]
fn a_file_without_certificates_is_refused() {
    for text in ["", "no PEM at all"] {
        let (_file, tls) = trusting(text);
        let built = Client::new(Config { tls, ..Config::default() });
        assert!(matches!(built, Err(BuildError::CaFile { .. })), "{text}");
    }
}
