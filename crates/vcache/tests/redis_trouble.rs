//! Redis fails while readers read: none of them sees it, and it is used again without help.
#![cfg(feature = "redis")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    unreachable_pub,
    dead_code,
    missing_docs,
    reason = "tests"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use support::cluster::Cluster;
use support::sentinel::Watched;
use support::{Redis, command, connection, until};
use tokio::task::JoinSet;
use vcache::{Config, Keeping, Raw, RedisConfig, RedisStore, Store, TagStore, Tiered};

mod support;

const KEYS: usize = 300;

type Cache = Tiered<Bytes, RedisStore>;

/// Readers that ask for keys through a cache, and a loader that always knows.
struct Load {
    cache: Cache,
    stop: Arc<AtomicBool>,
    reads: Arc<AtomicUsize>,
    readers: JoinSet<()>,
}

/// Like those of a service that does not wait long.
fn hasty(config: RedisConfig) -> RedisConfig {
    RedisConfig {
        timeout: Duration::from_millis(200),
        connect_timeout: Duration::from_millis(500),
        ..config
    }
}

impl Load {
    fn begin(config: RedisConfig) -> Self {
        let store = RedisStore::new(&hasty(config)).unwrap();
        let cache = Tiered::builder(store, Raw)
            // Memory that keeps nothing, so that every read asks Redis.
            .config(Config { ttl: Some(Duration::ZERO), ..Config::default() })
            .build()
            .unwrap();
        let mut load =
            Self { cache, stop: Arc::default(), reads: Arc::default(), readers: JoinSet::new() };
        for reader in 0..8 {
            load.readers.spawn(load.reader(reader));
        }
        load
    }

    fn reader(&self, mut next: usize) -> impl Future<Output = ()> + Send + 'static {
        let (cache, stop, reads) =
            (self.cache.clone(), Arc::clone(&self.stop), Arc::clone(&self.reads));
        async move {
            while !stop.load(Ordering::SeqCst) {
                next = (next * 31 + 7) % KEYS;
                let key = format!("k{next}");
                let right = Bytes::from(format!("value of {key}"));
                let loaded = right.clone();
                let load = || async move { Ok::<_, std::io::Error>(loaded) };
                let value = cache.get_or_load(&key, load).await.expect("a reader saw it");
                assert_eq!(value, right);
                reads.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
        }
    }

    fn store(&self) -> &RedisStore {
        self.cache.store()
    }

    /// Readers go on.
    async fn reads_more(&self) {
        let before = self.reads.load(Ordering::SeqCst);
        until("readers go on", async || self.reads.load(Ordering::SeqCst) > before + 200).await;
    }

    async fn is_noticed(&self) {
        until("the breaker opens", async || self.store().stats().open).await;
        self.reads_more().await;
        self.tell("is away");
    }

    /// Redis is used again for all keys, and what is written there is read.
    async fn recovers(&self) {
        until("the breaker closes", async || !self.store().stats().open).await;
        self.reads_more().await;
        for key in 0..KEYS {
            let (key, value) = (format!("k{key}"), Bytes::from(format!("value of k{key}")));
            until("a key is there", async || {
                let set = self.store().set(&key, value.clone(), None).await.is_ok();
                let got = self.store().get(&key).await;
                set && got.is_ok_and(|stored| stored.is_some_and(|it| it.value == value))
            })
            .await;
        }
        self.reads_more().await;
        self.tell("is used for all keys");
    }

    fn tell(&self, what: &str) {
        println!("{} reads, no error: Redis {what}", self.reads.load(Ordering::SeqCst));
    }

    async fn end(mut self) {
        self.stop.store(true, Ordering::SeqCst);
        while let Some(reader) = self.readers.join_next().await {
            reader.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_restarted_and_paused() {
    let mut redis = Redis::start().await;
    let load = Load::begin(redis.config());
    load.recovers().await;
    redis.kill();
    load.is_noticed().await;
    redis.restart().await;
    load.recovers().await;
    redis.signal("STOP");
    load.is_noticed().await;
    redis.signal("CONT");
    load.recovers().await;
    let stats = load.store().stats();
    assert!(stats.openings >= 2 && stats.probes >= 2 && stats.damaged == 0, "{stats:?}");
    load.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_over_by_sentinel() {
    let mut watched = Watched::start().await;
    let load = Load::begin(watched.config());
    load.recovers().await;
    watched.primary.kill();
    load.is_noticed().await;
    load.recovers().await;
    assert!(watched.replica.tells("INFO replication", "role:master").await);
    assert!(watched.replica.tells("INFO commandstats", "cmdstat_set").await);
    // The former primary comes back, as a replica in the end; nothing may go there.
    watched.primary.restart().await;
    load.recovers().await;
    until("it follows", async || {
        // Sentinel ends the connections of whom it makes a replica.
        watched.primary.tells("INFO replication", "role:slave").await
    })
    .await;
    load.recovers().await;
    load.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_moves_to_another_node_of_the_cluster() {
    let cluster = Cluster::start().await;
    let load = Load::begin(cluster.config());
    load.recovers().await;
    let store = cluster.store();
    let keeping = Keeping { tags: &["t"], ..Keeping::default() };
    store.set_tagged("tagged", "v".into(), keeping).await.unwrap();
    // The slots of an entry with a tag, of some others, and of the clock of all tags.
    let mut raw = cluster.nodes[0].raw().await;
    for key in ["tagged", "k0", "k1", "{test[*]:}clock"] {
        let slot = command(&format!("CLUSTER KEYSLOT test[*]:{key}"));
        let slot: u16 = slot.query_async(&mut raw).await.unwrap();
        let from = match slot {
            ..=5460 => 0,
            5461..=10922 => 1,
            _ => 2,
        };
        cluster.move_slot(slot, from, (from + 1) % 3).await;
        println!("slot {slot} has moved from node {from} to node {}", (from + 1) % 3);
        load.reads_more().await;
    }
    assert_eq!(store.get("tagged").await.unwrap().unwrap().value, "v");
    store.invalidate_tags(&["t"]).await.unwrap();
    assert_eq!(store.get("tagged").await.unwrap(), None);
    load.recovers().await;
    load.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_of_the_cluster_dies_and_the_others_keys_are_served() {
    let mut cluster = Cluster::start().await;
    let load = Load::begin(cluster.config());
    load.recovers().await;
    cluster.nodes[1].kill();
    load.is_noticed().await;
    // Keys of the first node go on as before: all of them are there.
    let mut raw = connection(cluster.nodes[0].port).await;
    let mut served = 0;
    for key in (0..KEYS).map(|key| format!("k{key}")) {
        let slot = command(&format!("CLUSTER KEYSLOT test[*]:{key}"));
        let slot: u16 = slot.query_async(&mut raw).await.unwrap();
        // A part of the slots that lies in both nodes may wait for the other one.
        if slot < 5376 {
            served += 1;
            until("it is served", async || load.store().get(&key).await.is_ok()).await;
        }
    }
    assert!(served > 20);
    cluster.nodes[1].restart().await;
    load.recovers().await;
    load.end().await;
}
