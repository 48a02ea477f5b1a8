//! Settings as a file has them.
#![cfg(feature = "serde")]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::time::Duration;

use vcache::Config;

#[test]
fn an_empty_file_is_the_default() {
    assert_eq!(toml::from_str::<Config>("").unwrap(), Config::default());
}

#[test]
fn sizes_and_times_are_written_with_units() {
    let text = "max_size = \"256MiB\"\nttl = \"90s\"\n";
    let config: Config = toml::from_str(text).unwrap();
    assert_eq!(config.max_size, 256 << 20);
    assert_eq!(config.ttl, Some(Duration::from_secs(90)));
    let again = toml::to_string(&config).unwrap();
    assert_eq!(toml::from_str::<Config>(&again).unwrap(), config);
}

#[test]
fn loading_has_a_table_of_its_own() {
    let text = "ttl_jitter_percent = 10\n[loading]\nstale_if_error = \"1h\"\nearly_percent = 100\n";
    let config: Config = toml::from_str(text).unwrap();
    assert_eq!(config.loading.stale_if_error, Duration::from_secs(3600));
    assert_eq!(config.loading.early_percent, 100);
    let again = toml::to_string(&config).unwrap();
    assert_eq!(toml::from_str::<Config>(&again).unwrap(), config);
}

#[test]
fn a_misspelt_setting_is_refused_where_it_stands() {
    let error = toml::from_str::<Config>("max_sise = \"1MiB\"").unwrap_err();
    assert!(error.to_string().contains("max_sise"));
}

#[cfg(feature = "redis")]
#[test]
fn redis_is_set_up_from_a_file() {
    let text = "url = \"redis://cache:6379/2\"\nprefix = \"app:\"\ntimeout = \"50ms\"\n";
    let config: vcache::RedisConfig = toml::from_str(text).unwrap();
    assert_eq!(config.timeout, Duration::from_millis(50));
    assert_eq!(config.ttl, Some(Duration::from_secs(3600)));
    assert!(vcache::RedisStore::new(&config).is_ok());
}

#[cfg(feature = "disk")]
#[test]
fn the_disk_is_set_up_from_a_file() {
    use vcache::{DiskConfig, Durability, OnCorrupt};

    let text = "path = \"/var/cache/app\"\nmax_size = \"4GiB\"\nttl = \"7d\"\n\
        durability = \"power\"\non_corrupt = \"recreate\"\n";
    let config: DiskConfig = toml::from_str(text).unwrap();
    assert_eq!(config.max_size, 4 << 30);
    assert_eq!((config.durability, config.on_corrupt), (Durability::Power, OnCorrupt::Recreate));
    let again = toml::to_string(&config).unwrap();
    assert_eq!(toml::from_str::<DiskConfig>(&again).unwrap(), config);
}

#[cfg(feature = "write-behind")]
#[test]
fn writing_behind_is_set_up_from_a_file() {
    use vcache::{WhenFull, WriteBehindConfig};

    let config: WriteBehindConfig =
        toml::from_str("interval = \"5s\"\nwhen_full = \"reject\"").unwrap();
    assert_eq!((config.interval, config.when_full), (Duration::from_secs(5), WhenFull::Reject));
}
