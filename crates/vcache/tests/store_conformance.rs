//! The contract of `Store`, kept by every store.
#![cfg(all(feature = "conformance", feature = "disk", feature = "redis"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::large_futures,
    unreachable_pub,
    dead_code,
    missing_docs,
    reason = "tests"
)]

use support::Redis;
use support::cluster::Cluster;
use support::sentinel::Watched;
use vcache::{
    DiskConfig, DiskStore, MemoryStore, Raw, RedisConfig, RedisStore, Tiered, conformance,
};

mod support;

fn memory() -> MemoryStore {
    MemoryStore::new(MemoryStore::sized(64 << 20).build().unwrap())
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    conformance::with_tags(&memory()).await;
}

#[tokio::test]
async fn two_tiers_of_memory_keep_the_contract() {
    conformance::with_scans(&Tiered::builder(memory(), Raw).build().unwrap()).await;
}

fn disk(folder: &tempfile::TempDir) -> DiskStore {
    let path = folder.path().join("store.sqlite");
    DiskStore::open(&DiskConfig { path, ..DiskConfig::default() }).unwrap()
}

#[tokio::test]
async fn disk_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    conformance::with_tags(&disk(&folder)).await;
}

#[tokio::test]
async fn memory_before_disk_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    conformance::with_scans(&Tiered::builder(disk(&folder), Raw).build().unwrap()).await;
}

#[tokio::test]
async fn redis_keeps_the_contract() {
    let redis = Redis::start().await;
    conformance::with_tags(&redis.store()).await;
}

#[tokio::test]
async fn redis_with_generations_and_several_connections_keeps_the_contract() {
    let redis = Redis::start().await;
    let config = RedisConfig { generations: true, connections: 3, ..redis.config() };
    conformance::with_tags(&RedisStore::new(&config).unwrap()).await;
}

#[tokio::test]
async fn redis_behind_sentinel_keeps_the_contract() {
    let watched = Watched::start().await;
    conformance::with_tags(&RedisStore::new(&watched.config()).unwrap()).await;
}

#[tokio::test]
async fn a_redis_cluster_keeps_the_contract() {
    let cluster = Cluster::start().await;
    conformance::with_tags(&cluster.store()).await;
}

#[tokio::test]
async fn a_redis_cluster_with_generations_keeps_the_contract() {
    let cluster = Cluster::start().await;
    let config = RedisConfig { generations: true, ..cluster.config() };
    conformance::with_tags(&RedisStore::new(&config).unwrap()).await;
}

#[tokio::test]
async fn memory_before_redis_keeps_the_contract() {
    let redis = Redis::start().await;
    conformance::with_scans(&Tiered::builder(redis.store(), Raw).build().unwrap()).await;
}
