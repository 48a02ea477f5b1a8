//! What a Redis store refuses to be built with.

use super::*;

fn refused(config: &RedisConfig) -> RedisBuildError {
    RedisStore::new(config).unwrap_err()
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let base = RedisConfig::default;
    assert!(RedisStore::new(&base()).is_ok());
    let url = |url: &str| RedisConfig { url: url.to_owned(), ..base() };
    assert!(matches!(refused(&url("http://127.0.0.1")), RedisBuildError::Url { .. }));
    let prefix = |prefix: &str| RedisConfig { prefix: prefix.to_owned(), ..base() };
    assert!(matches!(refused(&prefix("")), RedisBuildError::NoPrefix));
    assert!(matches!(refused(&prefix("{a}")), RedisBuildError::Prefix(_)));
    let timeout = RedisConfig { timeout: Duration::ZERO, ..base() };
    assert!(matches!(refused(&timeout), RedisBuildError::NoTime));
    for config in [
        RedisConfig { connections: 0, ..base() },
        RedisConfig { connections: 65, ..base() },
        RedisConfig { max_in_flight: 0, ..base() },
        RedisConfig { breaker_failures: 0, ..base() },
    ] {
        assert!(matches!(refused(&config), RedisBuildError::Setting { .. }));
    }
    let sentinel = Some(RedisSentinel::default());
    for config in [
        RedisConfig { sentinel: sentinel.clone(), ..base() },
        RedisConfig { sentinel, cluster: true, ..base() },
        RedisConfig { urls: vec![base().url], ..base() },
    ] {
        assert!(matches!(refused(&config), RedisBuildError::Topology(_)));
    }
}

#[test]
fn a_url_that_cannot_be_used_is_told_without_its_secrets() {
    let url = "htp://user:secret@host:1".to_owned();
    let error = refused(&RedisConfig { url, ..RedisConfig::default() });
    let told = format!("{error} {error:?}");
    assert!(told.contains("htp://host:1") && !told.contains("secret"), "{told}");
}

#[cfg(not(feature = "redis-tls"))]
#[test]
fn tls_needs_its_feature() {
    let url = "rediss://host".to_owned();
    let error = refused(&RedisConfig { url, ..RedisConfig::default() });
    assert!(matches!(error, RedisBuildError::NoTls | RedisBuildError::Url { .. }));
}
