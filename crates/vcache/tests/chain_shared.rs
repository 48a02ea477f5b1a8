//! A store of the process's own in front of the shared one: coherent, with tags, loaded once for
//! all.
#![cfg(feature = "redis")]
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

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use support::{Redis, until};
use vcache::{
    Chain, CoherenceConfig, Config, Fleet, Keeping, Loaded, Loading, MemoryStore, Outdated, Raw,
    RedisStore, Store, TagStore, Tiered, WritePolicy,
};

mod support;

type Both = Chain<MemoryStore, RedisStore>;
type Process = Tiered<Bytes, Both>;

fn near() -> MemoryStore {
    MemoryStore::new(MemoryStore::sized(1 << 20).build().unwrap())
}

/// Memory that keeps nothing, so that every read asks the chain.
fn forgetful() -> Config {
    Config { ttl: Some(Duration::ZERO), ..Config::default() }
}

async fn process(redis: &Redis) -> Process {
    let store = redis.store();
    let chain = Chain::tagged(near(), store.clone(), WritePolicy::Through);
    let builder = Tiered::builder(chain, Raw).config(forgetful());
    let process = builder.coherent(&store, CoherenceConfig::default()).build().unwrap();
    connected(&process).await;
    process
}

async fn connected(process: &Process) {
    until("it hears of changes", async || process.coherence().unwrap().connected).await;
}

/// Has the process read a key until it has it near.
async fn warmed(process: &Process, key: &str, value: &str) {
    until("it has it near", async || {
        process.get(key).await.is_some_and(|read| read == value)
            && process.store().near().get(key).await.unwrap().is_some_and(|it| it.value == value)
    })
    .await;
}

#[tokio::test]
async fn what_another_changes_is_not_read_near() {
    let redis = Redis::start().await;
    let (one, other) = (process(&redis).await, process(&redis).await);
    one.insert("a", "1".into(), None).await.unwrap();
    warmed(&other, "a", "1").await;
    one.insert("a", "2".into(), None).await.unwrap();
    until("it reads what is new", async || other.get("a").await.unwrap() == "2").await;
    warmed(&other, "a", "2").await;
    one.remove("a").await.unwrap();
    until("it is gone", async || other.get("a").await.is_none()).await;
    until("near too", async || {
        other.get("a").await.is_none() && !other.store().near().exists("a").await.unwrap()
    })
    .await;
    // Many keys in one call, and by whoever else.
    one.insert("b", "1".into(), None).await.unwrap();
    warmed(&other, "b", "1").await;
    redis.say("FLUSHALL").await;
    until("all is gone", async || other.get_many(["a", "b"]).await.is_empty()).await;
}

#[tokio::test]
async fn tags_reach_the_nearer_stores_of_all() {
    let redis = Redis::start().await;
    let (one, other) = (process(&redis).await, process(&redis).await);
    let tagged = || Loaded::new(Bytes::from("v")).tags(["t"]);
    one.insert_tagged("a", tagged()).await.unwrap();
    warmed(&other, "a", "v").await;
    warmed(&one, "a", "v").await;
    one.invalidate_tags(&["t"]).await.unwrap();
    assert_eq!(one.get("a").await, None);
    until("the other hears of it", async || other.get("a").await.is_none()).await;
    // A load that began before goes to the shared store, which knows what it missed.
    let chain = other.store();
    let since = Some(chain.moment());
    one.invalidate_tags(&["t"]).await.unwrap();
    let keeping = Keeping { tags: &["t"], since, ..Keeping::default() };
    chain.set_tagged("late", "old".into(), keeping).await.unwrap();
    assert_eq!(chain.get("late").await.unwrap(), None);
}

#[tokio::test]
async fn without_tags_near_what_has_some_stays_far() {
    let redis = Redis::start().await;
    let chain = Chain::new(near(), redis.store());
    let keeping = Keeping { tags: &["t"], ..Keeping::default() };
    chain.set_tagged("a", "v".into(), keeping).await.unwrap();
    assert_eq!(chain.get("a").await.unwrap().unwrap().value, "v");
    assert!(!chain.near().exists("a").await.unwrap());
    // Somebody else's step.
    redis.store().invalidate_tags(&["t"]).await.unwrap();
    assert_eq!(chain.get("a").await.unwrap(), None);
}

#[tokio::test]
async fn who_hears_of_nothing_does_not_read_near() {
    let mut redis = Redis::start().await;
    let process = process(&redis).await;
    process.insert("a", "1".into(), None).await.unwrap();
    warmed(&process, "a", "1").await;
    redis.kill();
    until("it is noticed", async || !process.coherence().unwrap().connected).await;
    assert_eq!(process.get("a").await, None);
    // The server has lost it, and nobody could tell.
    redis.restart().await;
    connected(&process).await;
    assert_eq!(process.get("a").await, None);
    until("it is of use again", async || {
        process.insert("b", "2".into(), None).await.is_ok()
            && process.get("b").await.is_some()
            && process.store().near().exists("b").await.unwrap()
    })
    .await;
    assert!(!process.store().near().exists("a").await.unwrap());
}

#[tokio::test]
async fn too_much_at_once_clears_what_is_near() {
    let redis = Redis::start().await;
    let chain = Chain::new(near(), redis.store());
    chain.set("a", "old".into(), None).await.unwrap();
    redis.store().set("a", "new".into(), None).await.unwrap();
    chain.outdated(Outdated::Prefix("a"));
    until("it is cleared and filled again", async || {
        let read = chain.get("a").await.unwrap().unwrap().value;
        assert_eq!(read, "new");
        chain.near().exists("a").await.unwrap()
    })
    .await;
}

#[tokio::test]
async fn a_missing_key_is_loaded_once_for_all() {
    let redis = Redis::start().await;
    let loads = Arc::new(AtomicUsize::new(0));
    let processes = (0..3).map(|_| {
        let chain = Chain::tagged(near(), redis.store(), WritePolicy::Through);
        Tiered::<Bytes, _>::builder(chain, Raw).fleet(Fleet::default()).build().unwrap()
    });
    let processes: Vec<_> = processes.collect();
    for process in &processes {
        // From a process's first use of tags on it knows what was invalidated since a moment.
        process.insert_tagged("other", Loaded::new("v".into()).tags(["t"])).await.unwrap();
    }
    let asking =
        processes.iter().flat_map(|process| (0..10).map(move |_| process)).map(|process| {
            let loads = Arc::clone(&loads);
            let load = move || async move {
                loads.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(50)).await;
                Ok::<_, std::io::Error>(Loaded::new(Bytes::from("v")).tags(["t"]))
            };
            async move { process.get_or_load_tagged("a", &Loading::default(), load).await }
        });
    for answer in join_all(asking).await {
        assert_eq!(answer.unwrap(), "v");
    }
    assert_eq!(loads.load(Ordering::SeqCst), 1);
    processes[0].invalidate_tags(&["t"]).await.unwrap();
    assert_eq!(processes[0].store().get("a").await.unwrap(), None);
}
