//! TLS: protocols by ALPN, a handshake that does not come, certificates swapped while serving.
#![cfg(feature = "tls")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    dead_code,
    unreachable_pub,
    reason = "tests"
)]

mod fixture;

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use fixture::{LONG, Serving, config, echo, get, rest, serve, until};
use http_body_util::BodyExt;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use vserver::{Config, TlsConfig};

/// A folder with a certificate and its key.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    /// Writes a new pair, over the one that is there, and gives the certificate.
    fn write(&self) -> CertificateDer<'static> {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["h.example".to_owned()]).unwrap();
        let config = self.config();
        fs::write(config.cert, cert.pem()).unwrap();
        fs::write(config.key, signing_key.serialize_pem()).unwrap();
        cert.der().clone()
    }

    fn config(&self) -> TlsConfig {
        TlsConfig {
            cert: self.folder.path().join("cert.pem"),
            key: self.folder.path().join("key.pem"),
        }
    }
}

/// A TLS server, its files, and the certificate that is in them.
fn serving(config: Config) -> (Serving, Files, CertificateDer<'static>) {
    let files = Files { folder: tempfile::tempdir().unwrap() };
    let certificate = files.write();
    let tls = Some(files.config());
    let server = serve(Config { tls, ..config }, echo(), LONG);
    (server, files, certificate)
}

async fn connect(
    server: &Serving,
    trusted: &CertificateDer<'static>,
    alpn: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("h.example").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

#[tokio::test]
async fn alpn_chooses_the_protocol() {
    let (server, _files, certificate) = serving(config());
    let stream = connect(&server, &certificate, &["http/1.1", "h2"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(get("https://h.example/x")).await.unwrap();
    let body = response.collect().await.unwrap().to_bytes();
    assert_eq!(body, "HTTP/2.0 https 127.0.0.1 /x");

    for alpn in [&["http/1.1"][..], &[]] {
        let stream = connect(&server, &certificate, alpn).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let response = sender.send_request(get("/y")).await.unwrap();
        let body = response.collect().await.unwrap().to_bytes();
        assert_eq!(body, "HTTP/1.1 https 127.0.0.1 /y");
    }
    let mut stream = connect(&server, &certificate, &["http/1.0"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.0"[..]));
    stream.write_all(b"GET /z HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("HTTP/1.0 https 127.0.0.1 /z"), "{answer}");
    let stats = server.running.monitor().stats();
    assert_eq!((stats.http2, stats.http1, stats.tls_failures), (1, 3, 0));
}

#[tokio::test]
async fn a_client_without_a_protocol_in_common_is_refused() {
    let (server, _files, certificate) = serving(config());
    assert!(connect(&server, &certificate, &["spdy/3"]).await.is_err());
    // A browser on the wrong port, in clear.
    let answer = fixture::raw(server.address, "GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert!(!answer.contains("HTTP/1.1 200"));
    until(|| server.running.monitor().stats().errors == 2).await;
    assert_eq!(server.running.monitor().stats().tls_failures, 2);
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_not_waited_for() {
    let (server, _files, _) =
        serving(Config { tls_handshake_timeout: Duration::from_millis(20), ..config() });
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(rest(&mut stream).await, "");
    until(|| server.running.monitor().stats().tls_failures == 1).await;
}

#[tokio::test]
async fn certificates_are_swapped_for_new_handshakes() {
    let (mut server, files, old) = serving(config());
    let stream = connect(&server, &old, &[]).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);

    let new = files.write();
    assert!(connect(&server, &new, &[]).await.is_err());
    server.running.monitor().reload_tls().unwrap();
    assert!(connect(&server, &new, &[]).await.is_ok());
    assert!(connect(&server, &old, &[]).await.is_err());
    assert!(sender.send_request(get("/")).await.is_ok());

    // Files that cannot be used change nothing.
    fs::write(files.config().key, "").unwrap();
    let error = server.running.monitor().reload_tls().unwrap_err();
    assert!(error.to_string().contains("no private key in"), "{error}");
    assert!(connect(&server, &new, &[]).await.is_ok());
    drop(sender);
    server.shutdown.begin();
    assert_eq!(server.running.join().await.aborted, 0);
}
