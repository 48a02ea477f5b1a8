//! The contract of `Store`, kept by every store.
#![cfg(all(feature = "disk", feature = "redis"))]
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

use std::time::Duration;

use bytes::Bytes;
use support::Redis;
use vcache::{DiskConfig, DiskStore, MemoryStore, Raw, ScanStore, Store, Tiered};

mod support;

const LIMIT: Duration = Duration::from_secs(20);

async fn value(store: &impl Store, key: &str) -> Option<Bytes> {
    store.get(key).await.unwrap().map(|stored| stored.value)
}

async fn keeps_the_contract(store: &impl ScanStore) {
    values_are_kept_replaced_and_deleted(store).await;
    any_bytes_may_be_kept(store).await;
    times_are_kept(store).await;
    a_value_is_gone_after_its_time(store).await;
    clearing_removes_everything(store).await;
    of_concurrent_writes_one_wins(store).await;
    many_keys_at_once_are_as_many_calls(store).await;
    keys_are_found_by_their_beginning(store).await;
}

async fn many_keys_at_once_are_as_many_calls(store: &impl ScanStore) {
    store.clear().await.unwrap();
    assert!(store.get_many(&[]).await.unwrap().is_empty());
    assert_eq!(store.delete_many(&[]).await.unwrap(), 0);
    store.set("a", "1".into(), None).await.unwrap();
    store.set("b", "2".into(), Some(LIMIT)).await.unwrap();
    let found = store.get_many(&["b", "absent", "a", "b"]).await.unwrap();
    let values: Vec<_> =
        found.iter().map(|stored| stored.as_ref().map(|it| &it.value[..])).collect();
    assert_eq!(values, [Some(&b"2"[..]), None, Some(b"1"), Some(b"2")]);
    assert!(found[0].as_ref().unwrap().left.unwrap() <= LIMIT);
    assert!(store.exists("a").await.unwrap() && !store.exists("absent").await.unwrap());
    assert_eq!(store.delete_many(&["a", "absent", "b"]).await.unwrap(), 2);
    assert_eq!(value(store, "a").await, None);
    assert!(!store.exists("a").await.unwrap());
    store.set("gone", "v".into(), Some(Duration::from_millis(1))).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert!(!store.exists("gone").await.unwrap());
    assert_eq!(store.get_many(&["gone"]).await.unwrap(), [None]);
}

async fn keys_are_found_by_their_beginning(store: &impl ScanStore) {
    store.clear().await.unwrap();
    assert_eq!(store.count().await.unwrap(), 0);
    for number in 0..1200 {
        store.set(&format!("user:{number}"), "v".into(), None).await.unwrap();
    }
    for other in ["user", "users:1", "use*:1", "", "zebra", "grüß"] {
        store.set(other, "v".into(), None).await.unwrap();
    }
    assert_eq!(store.count().await.unwrap(), 1206);
    let mut found = store.scan("user:", usize::MAX).await.unwrap();
    found.sort();
    let mut wanted: Vec<_> = (0..1200).map(|number| format!("user:{number}")).collect();
    wanted.sort();
    assert_eq!(found, wanted);
    assert_eq!(store.scan("grü", 9).await.unwrap(), ["grüß"]);
    assert_eq!(store.scan("use*", 9).await.unwrap(), ["use*:1"]);
    assert_eq!(store.scan("user:", 7).await.unwrap().len(), 7);
    assert_eq!(store.delete_prefix("user:").await.unwrap(), 1200);
    assert_eq!(store.count().await.unwrap(), 6);
    assert!(store.exists("user").await.unwrap() && store.exists("").await.unwrap());
}

async fn values_are_kept_replaced_and_deleted(store: &impl Store) {
    assert_eq!(value(store, "a").await, None);
    assert!(!store.delete("a").await.unwrap());
    store.set("a", "1".into(), None).await.unwrap();
    assert_eq!(value(store, "a").await.unwrap(), "1");
    store.set("a", "2".into(), None).await.unwrap();
    assert_eq!(value(store, "a").await.unwrap(), "2");
    assert!(store.delete("a").await.unwrap());
    assert_eq!(value(store, "a").await, None);
}

async fn any_bytes_may_be_kept(store: &impl Store) {
    let all: Vec<u8> = (0..=255).collect();
    for (key, bytes) in [
        ("", Bytes::from_static(b"empty key")),
        ("empty value", Bytes::new()),
        ("line\r\n\0 grüß *[?]\\", all.into()),
        ("large", vec![7; 1 << 20].into()),
    ] {
        store.set(key, bytes.clone(), None).await.unwrap();
        assert!(value(store, key).await.unwrap() == bytes, "{key:?}");
    }
}

async fn times_are_kept(store: &impl Store) {
    let hour = Duration::from_secs(3600);
    store.set("timed", "v".into(), Some(hour)).await.unwrap();
    let left = store.get("timed").await.unwrap().unwrap().left.unwrap();
    assert!(left <= hour && left > hour - LIMIT, "{left:?}");
    let centuries = Some(Duration::MAX);
    store.set("timed", "v".into(), centuries).await.unwrap();
    assert_eq!(value(store, "timed").await.unwrap(), "v");
    let none = Some(Duration::ZERO);
    store.set("timed", "v".into(), none).await.unwrap();
    assert_eq!(value(store, "timed").await, None);
}

async fn a_value_is_gone_after_its_time(store: &impl Store) {
    let short = Some(Duration::from_millis(30));
    store.set("short", "v".into(), short).await.unwrap();
    let gone = async {
        while let Some(stored) = store.get("short").await.unwrap() {
            assert!(stored.left.unwrap() <= Duration::from_millis(30));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, gone).await.unwrap();
    // A value without a time, over one with.
    store.set("short", "v".into(), short).await.unwrap();
    let long = Some(Duration::from_secs(100));
    store.set("short", "w".into(), long).await.unwrap();
    let left = store.get("short").await.unwrap().unwrap().left;
    assert!(left.unwrap() > Duration::from_secs(1));
}

async fn clearing_removes_everything(store: &impl Store) {
    for number in 0..1200 {
        store.set(&format!("n{number}"), "v".into(), None).await.unwrap();
    }
    store.clear().await.unwrap();
    for number in 0..1200 {
        assert_eq!(value(store, &format!("n{number}")).await, None);
    }
}

async fn of_concurrent_writes_one_wins(store: &impl Store) {
    let long = |byte: u8| Bytes::from(vec![byte; 10_000]);
    for _ in 0..20 {
        let (one, other, read) = tokio::join!(
            store.set("contended", long(1), None),
            store.set("contended", long(2), None),
            store.get("contended"),
        );
        one.unwrap();
        other.unwrap();
        for seen in [read.unwrap().map(|stored| stored.value), value(store, "contended").await] {
            assert!(seen.is_none_or(|seen| seen == long(1) || seen == long(2)));
        }
    }
}

fn memory() -> MemoryStore {
    MemoryStore::new(MemoryStore::sized(64 << 20).build().unwrap())
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    keeps_the_contract(&memory()).await;
}

#[tokio::test]
async fn two_tiers_of_memory_keep_the_contract() {
    keeps_the_contract(&Tiered::builder(memory(), Raw).build().unwrap()).await;
}

fn disk(folder: &tempfile::TempDir) -> DiskStore {
    let path = folder.path().join("store.sqlite");
    DiskStore::open(&DiskConfig { path, ..DiskConfig::default() }).unwrap()
}

#[tokio::test]
async fn disk_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    keeps_the_contract(&disk(&folder)).await;
}

#[tokio::test]
async fn memory_before_disk_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    keeps_the_contract(&Tiered::builder(disk(&folder), Raw).build().unwrap()).await;
}

#[tokio::test]
async fn redis_keeps_the_contract() {
    let redis = Redis::start().await;
    keeps_the_contract(&redis.store()).await;
}

#[tokio::test]
async fn memory_before_redis_keeps_the_contract() {
    let redis = Redis::start().await;
    keeps_the_contract(&Tiered::builder(redis.store(), Raw).build().unwrap()).await;
}
