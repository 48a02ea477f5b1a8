//! Settings in configuration files: units, defaults, and no unknown keys.

#![cfg(all(feature = "serde", feature = "http", feature = "redis"))]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::time::Duration;

#[test]
fn a_pool_is_configured_in_units() {
    let config: vpool::Config =
        toml::from_str("max_size = 4\nwait_timeout = \"250ms\"\nmax_lifetime = \"1h\"").unwrap();
    let expected = vpool::Config {
        max_size: 4,
        wait_timeout: Duration::from_millis(250),
        max_lifetime: Duration::from_secs(3600),
        ..vpool::Config::default()
    };
    assert_eq!(config, expected);
}

#[test]
fn a_client_is_configured_in_units() {
    let config: vpool::http::Config =
        toml::from_str("max_buf_size = \"64KiB\"\nhttp2 = \"prior-knowledge\"").unwrap();
    let expected = vpool::http::Config {
        max_buf_size: 65_536,
        http2: vpool::http::Http2::PriorKnowledge,
        ..vpool::http::Config::default()
    };
    assert_eq!(config, expected);
}

#[test]
fn what_is_written_is_read_back() {
    let http = vpool::http::Config::default();
    let text = toml::to_string(&http).unwrap();
    assert_eq!(toml::from_str::<vpool::http::Config>(&text).unwrap(), http);
    let redis = vpool::redis::Config::default();
    let text = toml::to_string(&redis).unwrap();
    assert_eq!(toml::from_str::<vpool::redis::Config>(&text).unwrap(), redis);
    let pool = vpool::Config::default();
    let text = toml::to_string(&pool).unwrap();
    assert_eq!(toml::from_str::<vpool::Config>(&text).unwrap(), pool);
}

#[test]
fn a_key_that_nobody_knows_is_refused() {
    assert!(toml::from_str::<vpool::Config>("max_sise = 4").is_err());
    assert!(toml::from_str::<vpool::http::Config>("max_conections = 4").is_err());
    assert!(toml::from_str::<vpool::redis::Config>("uri = \"redis://h\"").is_err());
}
