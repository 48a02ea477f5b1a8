//! What is said of certificate files that cannot be used.

use std::fs;
use std::path::PathBuf;

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};

use crate::config::TlsConfig;
use crate::error::TlsError;

/// Writes `cert` and `key` to files and says what loading them says.
fn load(cert: &str, key: &str) -> Result<(), TlsError> {
    let folder = tempfile::tempdir().unwrap();
    let files =
        TlsConfig { cert: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    fs::write(&files.cert, cert).unwrap();
    fs::write(&files.key, key).unwrap();
    files.check()
}

fn pair() -> (String, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (cert.pem(), signing_key.serialize_pem())
}

#[test]
fn a_pair_that_belongs_together_is_taken() {
    let (cert, key) = pair();
    load(&cert, &key).unwrap();
}

#[test]
fn a_missing_file_is_named() {
    let files = TlsConfig {
        cert: PathBuf::from("/nowhere/cert.pem"),
        key: PathBuf::from("/nowhere/key.pem"),
    };
    let error = files.check().unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot read /nowhere/cert.pem; check the path and who may read it"
    );
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn an_empty_file_and_swapped_files_are_told_apart_from_damage() {
    let (cert, key) = pair();
    assert!(matches!(
        load("", &key),
        Err(TlsError::NoCertificate { path }) if path.ends_with("cert.pem")
    ));
    assert!(matches!(load(&key, &cert), Err(TlsError::NoCertificate { .. })));
    assert!(matches!(
        load(&cert, &cert),
        Err(TlsError::NoKey { path }) if path.ends_with("key.pem")
    ));
    let cut = cert.split("-----END").next().unwrap();
    assert!(matches!(load(cut, &key), Err(TlsError::Damaged { .. })));
}

#[test]
fn the_key_of_another_certificate_is_refused() {
    let (cert, _) = pair();
    let other = KeyPair::generate().unwrap().serialize_pem();
    let error = load(&cert, &other).unwrap_err();
    assert!(matches!(error, TlsError::Mismatch { .. }), "{error}");
    assert!(error.to_string().contains("the intermediates after it"));
}
