//! Coherent memories while the keys move: a failover by Sentinel, and slots of a Cluster.
#![cfg(feature = "redis")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    dead_code,
    missing_docs,
    reason = "tests"
)]

use std::time::Duration;

use support::cluster::Cluster;
use support::sentinel::Watched;
use support::{command, until};
use vcache::{CoherenceConfig, Raw, RedisStore, Store, Tiered};

mod support;

fn cache(store: &RedisStore) -> Tiered<String, RedisStore> {
    let config = CoherenceConfig {
        timeout: Duration::from_secs(3),
        offline_ttl: Duration::ZERO,
        ..CoherenceConfig::default()
    };
    Tiered::builder(store.clone(), Raw).coherent(store, config).build().unwrap()
}

async fn connected(cache: &Tiered<String, RedisStore>) {
    until("it is in touch", async || cache.coherence().unwrap().connected).await;
}

async fn near(cache: &Tiered<String, RedisStore>, key: &str, value: &str) {
    until("it is near", async || {
        cache.get(key).await;
        cache.get_near(key).as_deref() == Some(value)
    })
    .await;
}

async fn set(store: &RedisStore, key: &str, value: &str) {
    until("it is set", async || store.set(key, value.to_owned().into(), None).await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failover_the_new_primary_is_listened_to() {
    let mut watched = Watched::start().await;
    let store = RedisStore::new(&watched.config()).unwrap();
    let cache = cache(&store);
    connected(&cache).await;
    set(&store, "a", "old").await;
    near(&cache, "a", "old").await;
    watched.primary.kill();
    until("it is lost", async || cache.coherence().unwrap().losses > 0).await;
    assert_eq!(cache.get_near("a"), None);
    connected(&cache).await;
    let other = RedisStore::new(&watched.config()).unwrap();
    set(&other, "a", "new").await;
    near(&cache, "a", "new").await;
    set(&other, "a", "newer").await;
    until("it is dropped", async || cache.get_near("a").is_none()).await;
    near(&cache, "a", "newer").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_primary_of_a_cluster_is_listened_to_also_while_slots_move() {
    let cluster = Cluster::start().await;
    let (cache, other) = (cache(&cluster.store()), cluster.store());
    connected(&cache).await;
    let keys: Vec<String> = (0..30).map(|key| format!("k{key}")).collect();
    for round in ["one", "two"] {
        for key in &keys {
            set(&other, key, round).await;
            near(&cache, key, round).await;
        }
        for key in &keys {
            set(&other, key, "changed").await;
            until("it is dropped", async || cache.get_near(key).as_deref() != Some(round)).await;
            assert_eq!(cache.get(key).await.as_deref(), Some("changed"));
        }
        let mut raw = cluster.nodes[0].raw().await;
        let slot = command("CLUSTER KEYSLOT test[*]:k7");
        let slot: u16 = slot.query_async(&mut raw).await.unwrap();
        if round == "one" {
            let from = usize::from(slot > 5460) + usize::from(slot > 10922);
            near(&cache, "k7", "changed").await;
            cluster.move_slot(slot, from, (from + 1) % 3).await;
        }
    }
}
