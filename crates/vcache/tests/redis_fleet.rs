//! One load for all processes that share a Redis.
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

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use support::cluster::Cluster;
use support::{Redis, command, connection, until};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use vcache::{
    Acquired, Config, Fleet, Keeping, Leader, Lease, LeaseStore, LoadError, Loading, Raw,
    RedisConfig, RedisStore, Released, Store, Tiered,
};

mod support;

const LONG: Duration = Duration::from_secs(60);
const PORT: &str = "VCACHE_TEST_PORT";

fn fleet() -> Fleet {
    Fleet { lease: Duration::from_secs(5), wait: LONG }
}

fn tiers(store: RedisStore, fleet: Fleet) -> Tiered<Bytes, RedisStore> {
    Tiered::builder(store, Raw).config(Config::default()).fleet(fleet).build().unwrap()
}

async fn acquired(store: &RedisStore, key: &str, ttl: Duration) -> Option<Lease> {
    match store.acquire(key, ttl).await.unwrap() {
        Acquired::Held(lease) => Some(lease),
        _ => None,
    }
}

async fn keeps_the_contract(store: &RedisStore, other: &RedisStore) {
    let mut last = 0;
    for key in ["a", "{odd}", "grüß%"] {
        let lease = acquired(store, key, LONG).await.unwrap();
        assert_eq!(lease.key(), key);
        assert!(acquired(other, key, LONG).await.is_none());
        assert!(acquired(store, key, LONG).await.is_none());
        assert!(store.extend(&lease, LONG).await.unwrap());
        assert!(store.release(&lease).await.unwrap());
        assert!(!store.release(&lease).await.unwrap());
        assert!(!store.extend(&lease, LONG).await.unwrap());
        let next = acquired(other, key, LONG).await.unwrap();
        assert!(next.token() > lease.token());
        // Who has lost the lease fills in nothing.
        assert!(!store.fill(&lease, "late".into(), Keeping::default()).await.unwrap());
        assert_eq!(store.get(key).await.unwrap(), None);
        let keeping = Keeping { ttl: Some(LONG), ..Keeping::default() };
        assert!(other.fill(&next, "value".into(), keeping).await.unwrap());
        let stored = store.get(key).await.unwrap().unwrap();
        assert!(stored.value == "value" && stored.left.unwrap() <= LONG);
        let third = acquired(store, key, LONG).await.unwrap();
        assert!(third.token() > next.token());
        last = third.token();
    }
    assert!(last > 0);
    // A lease that nobody extends ends.
    assert!(acquired(store, "short", Duration::from_millis(30)).await.is_some());
    until("the lease ends", async || acquired(other, "short", LONG).await.is_some()).await;
}

#[tokio::test]
async fn leases_are_exclusive_and_fenced() {
    let redis = Redis::start().await;
    keeps_the_contract(&redis.store(), &redis.store()).await;
}

#[tokio::test]
async fn leases_are_exclusive_and_fenced_in_a_cluster() {
    let cluster = Cluster::start().await;
    keeps_the_contract(&cluster.store(), &cluster.store()).await;
}

#[tokio::test]
async fn tokens_go_on_when_their_counter_is_lost() {
    let redis = Redis::start().await;
    let store = redis.store();
    let lease = acquired(&store, "a", LONG).await.unwrap();
    redis.say("FLUSHALL").await;
    assert!(acquired(&store, "a", LONG).await.unwrap().token() > lease.token());
}

/// However the wait and the end of the lease meet.
#[tokio::test]
async fn who_waits_hears_how_a_lease_ends() {
    let redis = Redis::start().await;
    let (store, other) = (redis.store(), redis.store());
    for (round, filled) in (0..60).map(|round| (round, round % 2 == 0)) {
        // More channels than are kept when nobody waits.
        let key = format!("k{round}");
        let lease = acquired(&store, &key, LONG).await.unwrap();
        let end = async {
            tokio::time::sleep(Duration::from_micros(150 * round)).await;
            match filled {
                true => store.fill(&lease, "v".into(), Keeping::default()).await.unwrap(),
                false => store.release(&lease).await.unwrap(),
            }
        };
        let (heard, ended) = tokio::join!(other.released(&key, LONG), end);
        assert!(ended);
        let wanted = if filled { Released::Filled } else { Released::GivenUp };
        // Before it began to listen it may have missed how, but not that.
        let heard = heard.unwrap();
        assert!(heard == wanted || heard == Released::Unknown, "{heard:?} in round {round}");
        assert_eq!(other.get(&key).await.unwrap().is_some(), filled);
    }
}

/// A loader that counts, and waits until it may go on.
fn counting(
    loads: &Arc<AtomicUsize>,
    go: &Arc<Semaphore>,
) -> impl FnOnce() -> futures_util::future::BoxFuture<'static, Result<Bytes, std::io::Error>>
+ Send
+ 'static {
    let (loads, go) = (Arc::clone(loads), Arc::clone(go));
    move || {
        Box::pin(async move {
            loads.fetch_add(1, Ordering::SeqCst);
            go.acquire().await.unwrap().forget();
            Ok(Bytes::from("loaded"))
        })
    }
}

#[tokio::test]
async fn of_two_caches_one_loads_however_long_it_takes() {
    let redis = Redis::start().await;
    let short = Fleet { lease: Duration::from_millis(300), wait: LONG };
    let caches = [tiers(redis.store(), short.clone()), tiers(redis.store(), short)];
    let (loads, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let ask = |cache: &Tiered<Bytes, RedisStore>| {
        let (cache, load) = (cache.clone(), counting(&loads, &go));
        async move { cache.get_or_load("a", load).await }
    };
    let mut asking = JoinSet::new();
    for cache in &caches {
        for _ in 0..10 {
            asking.spawn(ask(cache));
        }
    }
    until("somebody loads", async || loads.load(Ordering::SeqCst) > 0).await;
    // Several times as long as the lease lasts without a sign of life.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    go.add_permits(100);
    while let Some(value) = asking.join_next().await {
        assert_eq!(value.unwrap().unwrap(), "loaded");
    }
    assert_eq!(loads.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn when_a_load_fails_the_others_do_not_queue_up_to_fail() {
    let redis = Redis::start().await;
    let caches: Vec<_> = (0..3).map(|_| tiers(redis.store(), fleet())).collect();
    let (loads, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let failing = || {
        let (loads, go) = (Arc::clone(&loads), Arc::clone(&go));
        move || async move {
            loads.fetch_add(1, Ordering::SeqCst);
            go.acquire().await.unwrap().forget();
            Err::<Bytes, _>(std::io::Error::other("no source"))
        }
    };
    let asking = caches.iter().map(|cache| cache.get_or_load("a", failing()));
    let release = async {
        until("somebody loads", async || loads.load(Ordering::SeqCst) == 1).await;
        go.add_permits(1);
        // Now the other two load at the same time.
        until("the others load", async || loads.load(Ordering::SeqCst) == 3).await;
        go.add_permits(2);
    };
    let (results, ()) = tokio::join!(futures_util::future::join_all(asking), release);
    for result in results {
        assert!(matches!(result.unwrap_err(), LoadError::Failed(_)));
    }
}

/// A load that goes away leaves no lease behind, whoever it was that let it go.
#[tokio::test]
async fn a_load_that_is_dropped_gives_its_lease_back() {
    let redis = Redis::start().await;
    let (store, long) = (redis.store(), Fleet { lease: LONG, wait: LONG });
    let built = |loading| {
        let builder = Tiered::<Bytes, _>::builder(redis.store(), Raw).fleet(long.clone());
        builder.config(Config { loading, ..Config::default() }).build().unwrap()
    };
    let given_back = async |key: &str| {
        until("it is given back", async || acquired(&store, key, LONG).await.is_some()).await;
    };
    let never = Arc::new(Semaphore::new(0));
    // Of those who wait the last has gone.
    let cache = built(Loading { leader: Leader::Promoted, ..Loading::default() });
    let loads = Arc::new(AtomicUsize::new(0));
    let asked = tokio::spawn({
        let (cache, load) = (cache.clone(), counting(&loads, &never));
        async move { cache.get_or_load("left", load).await }
    });
    until("it loads", async || loads.load(Ordering::SeqCst) == 1).await;
    assert!(acquired(&store, "left", LONG).await.is_none());
    asked.abort();
    given_back("left").await;
    // It takes too long.
    let hasty = built(Loading { timeout: Some(Duration::from_millis(50)), ..Loading::default() });
    let answer = hasty.get_or_load("slow", counting(&loads, &never)).await;
    assert!(matches!(answer.unwrap_err(), LoadError::TimedOut(_)));
    given_back("slow").await;
    // The load goes on without its leader, until the cache itself goes.
    let (before, cache) = (loads.load(Ordering::SeqCst), built(Loading::default()));
    let asked = tokio::spawn({
        let (cache, load) = (cache.clone(), counting(&loads, &never));
        async move { cache.get_or_load("gone", load).await }
    });
    until("it loads", async || loads.load(Ordering::SeqCst) > before).await;
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled());
    assert!(acquired(&store, "gone", LONG).await.is_none());
    drop(cache);
    given_back("gone").await;
}

/// The load of a leader that was cancelled still fills the store, for all.
#[tokio::test]
async fn a_cancelled_leader_still_loads_for_all() {
    let redis = Redis::start().await;
    let caches = [tiers(redis.store(), fleet()), tiers(redis.store(), fleet())];
    let (loads, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let ask = |cache: &Tiered<Bytes, RedisStore>| {
        let (cache, load) = (cache.clone(), counting(&loads, &go));
        tokio::spawn(async move { cache.get_or_load("a", load).await })
    };
    let leader = ask(&caches[0]);
    until("it loads", async || loads.load(Ordering::SeqCst) == 1).await;
    let other = ask(&caches[1]);
    leader.abort();
    assert!(leader.await.unwrap_err().is_cancelled());
    go.add_permits(9);
    assert_eq!(other.await.unwrap().unwrap(), "loaded");
    assert_eq!(loads.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn nobody_waits_longer_than_he_wants() {
    let redis = Redis::start().await;
    let store = redis.store();
    let _held = acquired(&store, "a", LONG).await.unwrap();
    let hasty = Fleet { wait: Duration::from_millis(50), ..fleet() };
    let cache = tiers(redis.store(), hasty);
    let load = || async { Ok::<_, std::io::Error>(Bytes::from("own")) };
    assert_eq!(cache.get_or_load("a", load).await.unwrap(), "own");
    assert_eq!(store.get("a").await.unwrap().unwrap().value, "own");
}

#[tokio::test]
async fn waiting_for_ever_is_waiting_and_a_lease_of_no_time_is_refused() {
    let redis = Redis::start().await;
    let store = redis.store();
    let held = acquired(&store, "a", LONG).await.unwrap();
    let patient = tiers(redis.store(), Fleet { wait: Duration::MAX, ..fleet() });
    let loading = tokio::spawn(async move {
        let load = || async { Err::<Bytes, _>(std::io::Error::other("not asked")) };
        patient.get_or_load("a", load).await.unwrap()
    });
    let keeping = Keeping { ttl: Some(LONG), ..Keeping::default() };
    assert!(store.fill(&held, Bytes::from("theirs"), keeping).await.unwrap());
    assert_eq!(loading.await.unwrap(), "theirs");

    let void = Fleet { lease: Duration::ZERO, ..fleet() };
    let built = Tiered::<Bytes, _, _>::builder(redis.store(), Raw).fleet(void).build();
    assert!(built.unwrap_err().to_string().contains("`lease` is 0"));
}

#[tokio::test]
async fn without_redis_each_loads_for_itself() {
    let mut redis = Redis::start().await;
    let cache = tiers(redis.store(), fleet());
    redis.kill();
    let load = |value: &'static str| move || async move { Ok::<_, std::io::Error>(value.into()) };
    assert_eq!(cache.get_or_load("a", load("own")).await.unwrap(), "own");
    // It dies while one loads under a lease.
    redis.restart().await;
    let cache = tiers(redis.store(), fleet());
    let (begun, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (begins, goes) = (Arc::clone(&begun), Arc::clone(&go));
    let slow = move || async move {
        begins.add_permits(1);
        goes.acquire().await.unwrap().forget();
        Ok::<_, std::io::Error>(Bytes::from("loaded"))
    };
    let asking = tokio::spawn(async move { cache.get_or_load("b", slow).await });
    begun.acquire().await.unwrap().forget();
    redis.kill();
    go.add_permits(1);
    assert_eq!(asking.await.unwrap().unwrap(), "loaded");
}

/// This program again, as another process with the same Redis.
fn process(test: &str, port: u16) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"])
        .env(PORT, port.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn line(child: &mut BufReader<std::process::ChildStdout>, begin: &str) -> String {
    loop {
        let mut line = String::new();
        assert!(child.read_line(&mut line).unwrap() > 0, "the process ended by itself");
        // The harness may have begun the line.
        if let Some(at) = line.find(begin) {
            return line[at + begin.len()..].trim().to_owned();
        }
    }
}

/// Asks for one key from 250 tasks when told, and says how many loads and answers there were.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other process of the test below"]
async fn asking_process() {
    let Ok(port) = std::env::var(PORT) else { return };
    let url = format!("redis://127.0.0.1:{port}");
    let timeout = Duration::from_secs(20);
    let config = RedisConfig { url, timeout, enqueue_timeout: timeout, ..RedisConfig::default() };
    let cache = tiers(RedisStore::new(&config).unwrap(), fleet());
    assert_eq!(cache.get("absent").await, None);
    println!("ready");
    let mut go = String::new();
    std::io::stdin().read_line(&mut go).unwrap();
    let (loads, mut asking) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
    for _ in 0..250 {
        let (cache, loads) = (cache.clone(), Arc::clone(&loads));
        asking.spawn(async move {
            let load = move || async move {
                loads.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(300)).await;
                Ok::<_, std::io::Error>(Bytes::from("loaded"))
            };
            cache.get_or_load("one", load).await.unwrap()
        });
    }
    let answers = asking.join_all().await;
    let right = answers.iter().filter(|value| **value == "loaded").count();
    println!("loads {} of {right}", loads.load(Ordering::SeqCst));
}

#[tokio::test]
async fn four_processes_load_one_missing_key_once() {
    let redis = Redis::start().await;
    let mut children: Vec<_> = (0..4).map(|_| process("asking_process", redis.port)).collect();
    let outs = children.iter_mut().map(|child| BufReader::new(child.stdout.take().unwrap()));
    let mut outs: Vec<_> = outs.collect();
    for out in &mut outs {
        line(out, "ready");
    }
    for child in &mut children {
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }
    let mut said: Vec<_> = outs.iter_mut().map(|out| line(out, "loads ")).collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    said.sort();
    println!("loads and right answers of four processes: {said:?}");
    assert_eq!(said, ["0 of 250", "0 of 250", "0 of 250", "1 of 250"]);
}

/// Begins to load, says so, and never ends.
#[tokio::test]
#[ignore = "the other process of the test below"]
async fn dying_process() {
    let Ok(port) = std::env::var(PORT) else { return };
    let config = RedisConfig { url: format!("redis://127.0.0.1:{port}"), ..RedisConfig::default() };
    let lease = Fleet { lease: Duration::from_secs(1), wait: LONG };
    let cache = tiers(RedisStore::new(&config).unwrap(), lease);
    let load = || async {
        println!("loading");
        std::future::pending::<Result<Bytes, std::io::Error>>().await
    };
    drop(cache.get_or_load("one", load).await);
}

#[tokio::test]
async fn when_the_one_who_loads_is_killed_another_takes_over() {
    let redis = Redis::start().await;
    let mut dying = process("dying_process", redis.port);
    let mut out = BufReader::new(dying.stdout.take().unwrap());
    line(&mut out, "loading");
    let config = RedisConfig { prefix: RedisConfig::default().prefix, ..redis.config() };
    let cache = tiers(RedisStore::new(&config).unwrap(), fleet());
    let loads = Arc::new(AtomicUsize::new(0));
    let go = Arc::new(Semaphore::new(9));
    let (load, asked) = (counting(&loads, &go), cache.clone());
    let asking = tokio::spawn(async move { asked.get_or_load("one", load).await });
    let mut raw = connection(redis.port).await;
    until("it waits for the other", async || {
        let clients: String = command("CLIENT LIST").query_async(&mut raw).await.unwrap();
        clients.contains("sub=1")
    })
    .await;
    assert_eq!(loads.load(Ordering::SeqCst), 0);
    dying.kill().unwrap();
    dying.wait().unwrap();
    assert_eq!(asking.await.unwrap().unwrap(), "loaded");
    assert_eq!(loads.load(Ordering::SeqCst), 1);
}
