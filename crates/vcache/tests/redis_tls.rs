//! Redis over TLS, with a certificate of ours.
#![cfg(feature = "redis-tls")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    dead_code,
    missing_docs,
    reason = "tests"
)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use support::{Redis, free_port};
use vcache::{
    Acquired, LeaseStore, RedisBuildError, RedisConfig, RedisStore, RedisTls, Released, Store,
};

mod support;

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Another name than those that it signs.
        params.distinguished_name.push(DnType::CommonName, "ca");
        let key = KeyPair::generate().unwrap();
        let ca = params.self_signed(&key).unwrap();
        std::fs::write(files.path("ca.pem"), ca.pem()).unwrap();
        let issuer = Issuer::new(params, key);
        for name in ["server", "client"] {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
            let signed = params.signed_by(&key, &issuer).unwrap();
            std::fs::write(files.path(&format!("{name}.pem")), signed.pem()).unwrap();
            std::fs::write(files.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
        }
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn tls(&self) -> RedisTls {
        RedisTls {
            ca: Some(self.path("ca.pem")),
            certificate: Some(self.path("client.pem")),
            key: Some(self.path("client.key")),
        }
    }
}

async fn server(files: &Files) -> (Redis, RedisConfig) {
    let port = free_port();
    let redis = Redis::with(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &files.text("server.pem"),
        "--tls-key-file",
        &files.text("server.key"),
        "--tls-ca-cert-file",
        &files.text("ca.pem"),
        "--tls-auth-clients",
        "yes",
    ])
    .await;
    let config = RedisConfig {
        url: format!("rediss://127.0.0.1:{port}"),
        tls: files.tls(),
        connect_timeout: Duration::from_secs(10),
        timeout: Duration::from_secs(10),
        ..RedisConfig::default()
    };
    (redis, config)
}

#[tokio::test]
async fn values_and_leases_go_over_tls() {
    let files = Files::new();
    let (_redis, config) = server(&files).await;
    let store = RedisStore::new(&config).unwrap();
    store.set("a", "v".into(), None).await.unwrap();
    assert_eq!(store.get("a").await.unwrap().unwrap().value, "v");
    let long = Duration::from_secs(60);
    let Acquired::Held(lease) = store.acquire("a", long).await.unwrap() else { panic!("busy") };
    let (heard, released) = tokio::join!(store.released("a", long), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        store.release(&lease).await.unwrap()
    });
    assert!(released);
    assert!(matches!(heard.unwrap(), Released::GivenUp | Released::Unknown));
}

#[tokio::test]
async fn who_is_not_trusted_is_not_spoken_to() {
    let (files, others) = (Files::new(), Files::new());
    let (_redis, config) = server(&files).await;
    let no_certificate = RedisTls { certificate: None, key: None, ..files.tls() };
    for tls in [others.tls(), no_certificate] {
        let store = RedisStore::new(&RedisConfig { tls, ..config.clone() }).unwrap();
        let error = store.get("a").await.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
    }
}

#[test]
fn certificates_that_cannot_be_used_are_told() {
    let files = Files::new();
    let base = RedisConfig { url: "rediss://127.0.0.1".to_owned(), ..RedisConfig::default() };
    let refused =
        |tls: RedisTls| RedisStore::new(&RedisConfig { tls, ..base.clone() }).unwrap_err();
    let absent = Some(Path::new("/nowhere.pem").to_owned());
    let error = refused(RedisTls { ca: absent, ..RedisTls::default() });
    assert!(matches!(error, RedisBuildError::Certificate(_)), "{error:?}");
    let error = refused(RedisTls { key: None, ..files.tls() });
    assert!(matches!(error, RedisBuildError::Topology(_)), "{error:?}");
    std::fs::write(files.path("ca.pem"), "no certificate").unwrap();
    assert!(RedisStore::new(&RedisConfig { tls: files.tls(), ..base }).is_err());
}
