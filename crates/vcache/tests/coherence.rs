//! Memories of several processes in front of one Redis: what one changes, the others drop.
#![cfg(feature = "redis")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub,
    dead_code,
    missing_docs,
    reason = "tests"
)]

use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use support::Redis;
use tokio::sync::Notify;
use vcache::{CoherenceConfig, CoherenceMode, Loaded, Loading, Raw, RedisConfig, RedisStore};
use vcache::{Store, StoreError, Stored, TagStore, Tiered, TieredBuildError};

mod support;

type Shared<S = RedisStore> = Tiered<String, S>;

/// Long enough for a machine that does other things as well.
const LIMIT: Duration = Duration::from_secs(30);

fn quick() -> CoherenceConfig {
    CoherenceConfig {
        ping: Duration::from_millis(100),
        timeout: Duration::from_millis(400),
        offline_ttl: Duration::ZERO,
        ..CoherenceConfig::default()
    }
}

/// Memory that keeps for ever what nobody invalidates.
fn cache_of<S: Store>(store: S, redis: &RedisStore, config: CoherenceConfig) -> Shared<S> {
    Tiered::builder(store, Raw).coherent(redis, config).build().unwrap()
}

fn cache(redis: &Redis) -> Shared {
    cache_of(redis.store(), &redis.store(), quick())
}

async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let waiting = async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(LIMIT, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

async fn connected<S: Store>(cache: &Shared<S>) {
    until("connected", || cache.coherence().unwrap().connected).await;
}

/// Two caches in touch, with `a` in both memories.
async fn pair(redis: &Redis) -> (Shared, Shared) {
    let (one, two) = (cache(redis), cache(redis));
    connected(&one).await;
    connected(&two).await;
    redis.store().set("a", "old".into(), None).await.unwrap();
    for cache in [&one, &two] {
        near(cache, "old").await;
    }
    (one, two)
}

/// Reads until memory has it: what is told of the writing may come in between.
async fn near<S: Store>(cache: &Shared<S>, value: &str) {
    let waiting = async {
        while cache.get_near("a").as_deref() != Some(value) {
            cache.get("a").await;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(LIMIT, waiting).await.unwrap_or_else(|_| panic!("never near: {value}"));
}

/// The ids of the connections that track.
async fn trackers(raw: &mut redis::aio::MultiplexedConnection) -> Vec<String> {
    let list: String = redis::cmd("CLIENT").arg("LIST").query_async(raw).await.unwrap();
    let field = |line: &str, name: &str| {
        let of = line.split(' ').find_map(|field| field.strip_prefix(name));
        of.unwrap_or_default().to_owned()
    };
    let tracking = list.lines().filter(|line| field(line, "flags=").contains('B'));
    tracking.map(|line| field(line, "id=")).collect()
}

#[tokio::test]
async fn what_one_changes_the_others_drop() {
    let redis = Redis::start().await;
    let (one, two) = pair(&redis).await;
    assert_eq!(one.coherence().unwrap().mode, Some(CoherenceMode::Tracking));
    two.insert("a", "new".to_owned(), None).await.unwrap();
    until("dropped", || one.get_near("a").is_none()).await;
    assert_eq!(one.get("a").await.as_deref(), Some("new"));
    one.remove("a").await.unwrap();
    until("dropped", || two.get_near("a").is_none()).await;
    assert_eq!(two.get("a").await, None);
}

#[tokio::test]
async fn changes_that_somebody_else_makes_are_heard_of() {
    let redis = Redis::start().await;
    let (one, _two) = pair(&redis).await;
    redis.store().set("a", "theirs".into(), None).await.unwrap();
    until("dropped", || one.get_near("a").is_none()).await;
    near(&one, "theirs").await;
    let mut raw = redis.raw().await;
    redis::cmd("FLUSHALL").exec_async(&mut raw).await.unwrap();
    until("dropped", || one.get_near("a").is_none()).await;
    redis.store().set("a", "short".into(), Some(Duration::from_millis(50))).await.unwrap();
    until("expired", || one.get_near("a").is_none()).await;
}

#[tokio::test]
async fn tags_reach_through_the_tiers_and_to_the_others() {
    let redis = Redis::start().await;
    let (one, two) = pair(&redis).await;
    // With the first tagged write a process learns the store's moment: what it loaded before that
    // does not count.
    one.insert_tagged("a", Loaded::new("first".to_owned()).tags(["t"])).await.unwrap();
    one.remove("a").await.unwrap();
    let load = || async { Ok::<_, Infallible>(Loaded::new("old".to_owned()).tags(["t", "u"])) };
    let loading = Loading::default();
    assert_eq!(one.get_or_load_tagged("a", &loading, load).await.unwrap(), "old");
    redis.store().set("b", "untagged".into(), None).await.unwrap();
    near(&one, "old").await;
    near(&two, "old").await;
    while two.get_near("b").is_none() {
        two.get("b").await;
    }
    two.invalidate_tags(&["t"]).await.unwrap();
    assert_eq!(two.get_near("a"), None);
    assert_eq!(two.get("a").await, None);
    until("dropped", || one.get_near("a").is_none()).await;
    assert_eq!(one.get("a").await, None);
    assert_eq!(two.get("b").await.as_deref(), Some("untagged"));
    // A plain store's invalidation is heard of as well.
    one.insert_tagged("a", Loaded::new("new".to_owned()).tags(["u"])).await.unwrap();
    near(&two, "new").await;
    redis.store().invalidate_tags(&["u"]).await.unwrap();
    until("dropped", || two.get_near("a").is_none()).await;
    assert_eq!(two.get("a").await, None);
}

#[tokio::test]
async fn a_load_that_meets_the_invalidation_of_its_tag_is_kept_nowhere() {
    let redis = Redis::start().await;
    let cache = cache(&redis);
    connected(&cache).await;
    // From here on this process knows the store's moment.
    cache.insert_tagged("a", Loaded::new("first".to_owned()).tags(["t"])).await.unwrap();
    cache.remove("a").await.unwrap();
    let (began, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let loader = tokio::spawn({
        let (cache, began, gate) = (cache.clone(), Arc::clone(&began), Arc::clone(&gate));
        async move {
            let load = || async move {
                began.fetch_add(1, Ordering::SeqCst);
                gate.notified().await;
                Ok::<_, Infallible>(Loaded::new("old".to_owned()).tags(["t"]))
            };
            cache.get_or_load_tagged("a", &Loading::default(), load).await.unwrap()
        }
    });
    until("begun", || began.load(Ordering::SeqCst) == 1).await;
    redis.store().invalidate_tags(&["t"]).await.unwrap();
    gate.notify_one();
    assert_eq!(loader.await.unwrap(), "old");
    assert_eq!(redis.store().get("a").await.unwrap(), None);
    until("dropped", || cache.get_near("a").is_none()).await;
    assert_eq!(cache.get("a").await, None);
}

/// A store whose answers wait at a gate.
struct Late {
    store: RedisStore,
    reads: Arc<AtomicUsize>,
    gate: Arc<Notify>,
}

impl Store for Late {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        let found = self.store.get(key).await;
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.gate.notified().await;
        found
    }

    async fn set(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<(), StoreError> {
        self.store.set(key, value, ttl).await
    }

    async fn delete(&self, key: &str) -> Result<bool, StoreError> {
        self.store.delete(key).await
    }

    async fn clear(&self) -> Result<(), StoreError> {
        self.store.clear().await
    }
}

#[tokio::test]
async fn an_answer_that_was_under_way_while_its_key_changed_is_not_kept() {
    let redis = Redis::start().await;
    let (reads, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let late = Late { store: redis.store(), reads: Arc::clone(&reads), gate: Arc::clone(&gate) };
    let cache = cache_of(late, &redis.store(), quick());
    connected(&cache).await;
    redis.store().set("a", "old".into(), None).await.unwrap();
    for loads in [false, true] {
        let before = reads.load(Ordering::SeqCst);
        let reader = tokio::spawn({
            let cache = cache.clone();
            async move {
                if !loads {
                    return cache.get("a").await.unwrap();
                }
                let never = || std::future::ready(Ok::<_, Infallible>("never".to_owned()));
                cache.get_or_load("a", never).await.unwrap()
            }
        });
        until("read", || reads.load(Ordering::SeqCst) > before).await;
        let heard = cache.coherence().unwrap().invalidations;
        redis.store().set("a", "new".into(), None).await.unwrap();
        until("heard", || cache.coherence().unwrap().invalidations > heard).await;
        gate.notify_one();
        let answer = reader.await.unwrap();
        assert_eq!(answer, if loads { "new" } else { "old" });
        assert_eq!(cache.get_near("a"), None);
    }
    gate.notify_one();
    assert_eq!(cache.get("a").await.as_deref(), Some("new"));
    assert_eq!(cache.get_near("a").as_deref(), Some("new"));
}

#[tokio::test]
async fn what_changed_while_the_connection_was_gone_is_not_served() {
    let redis = Redis::start().await;
    let (one, _two) = pair(&redis).await;
    let mut raw = redis.raw().await;
    let ids = trackers(&mut raw).await;
    assert_eq!(ids.len(), 2);
    // In one step, so that nobody is told.
    let mut killing = redis::pipe();
    killing.atomic();
    for id in ids {
        killing.cmd("CLIENT").arg("KILL").arg("ID").arg(id);
    }
    killing.cmd("DEL").arg("test[*]:a");
    killing.exec_async(&mut raw).await.unwrap();
    until("lost", || one.coherence().unwrap().losses == 1).await;
    assert_eq!(one.get("a").await, None);
    connected(&one).await;
    assert_eq!(one.get("a").await, None);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_trusted_beyond_the_bound() {
    let redis = Redis::start().await;
    let hasty = RedisConfig { timeout: Duration::from_millis(300), ..redis.config() };
    let hasty = RedisStore::new(&hasty).unwrap();
    let config = CoherenceConfig { offline_ttl: Duration::from_secs(3600), ..quick() };
    let offline = cache_of(hasty.clone(), &hasty, config);
    let one = cache_of(hasty.clone(), &hasty, quick());
    connected(&offline).await;
    connected(&one).await;
    redis.store().set("a", "old".into(), None).await.unwrap();
    near(&one, "old").await;
    near(&offline, "old").await;
    redis.signal("STOP");
    let began = SystemTime::now();
    until("distrusted", || one.get_near("a").is_none()).await;
    until("distrusted", || offline.get_near("a").is_none()).await;
    // Nobody asked it before its time was over.
    assert!(began.elapsed().unwrap() < LIMIT);
    // Out of touch, one memory keeps what is loaded, the other does not.
    let load = || std::future::ready(Ok::<_, Infallible>("loaded".to_owned()));
    assert_eq!(one.get_or_load("b", load).await.unwrap(), "loaded");
    assert_eq!(one.get_near("b"), None);
    until("noticed", || offline.coherence().unwrap().losses == 1).await;
    assert_eq!(offline.get_or_load("b", load).await.unwrap(), "loaded");
    assert_eq!(offline.get_near("b").as_deref(), Some("loaded"));
    redis.signal("CONT");
    connected(&one).await;
    connected(&offline).await;
    // What was kept while nobody watched is gone.
    assert_eq!(offline.get_near("b"), None);
    near(&one, "old").await;
}

#[tokio::test]
async fn a_restarted_server_is_found_again_and_its_past_is_forgotten() {
    let mut redis = Redis::start().await;
    let (one, two) = pair(&redis).await;
    redis.restart().await;
    until("lost", || one.coherence().unwrap().losses == 1).await;
    connected(&one).await;
    connected(&two).await;
    assert_eq!(one.get("a").await, None);
    redis.store().set("a", "old".into(), None).await.unwrap();
    near(&one, "old").await;
    two.insert("a", "new".to_owned(), None).await.unwrap();
    until("dropped", || one.get_near("a").is_none()).await;
    near(&one, "new").await;
}

#[tokio::test]
async fn where_the_server_does_not_track_changes_are_published() {
    let redis = Redis::start().await;
    let mut raw = redis.raw().await;
    let forbid = redis::cmd("ACL").arg("SETUSER").arg("default").arg("-client|tracking").to_owned();
    forbid.exec_async(&mut raw).await.unwrap();
    let (one, two) = (cache(&redis), cache(&redis));
    // Waits until it is known how others are told.
    one.insert("a", "mine".to_owned(), None).await.unwrap();
    connected(&one).await;
    connected(&two).await;
    assert_eq!(one.coherence().unwrap().mode, Some(CoherenceMode::Publish));
    near(&two, "mine").await;
    one.insert("a", "again".to_owned(), None).await.unwrap();
    until("dropped", || two.get_near("a").is_none()).await;
    // What a process wrote itself it keeps.
    assert_eq!(one.get_near("a").as_deref(), Some("again"));
    near(&two, "again").await;
    let tagged = Loaded::new("tagged".to_owned()).tags(["t"]);
    one.insert_tagged("a", tagged).await.unwrap();
    near(&two, "tagged").await;
    one.invalidate_tags(&["t"]).await.unwrap();
    until("dropped", || two.get_near("a").is_none()).await;
    assert_eq!(two.get("a").await, None);
    one.insert("a", "again".to_owned(), None).await.unwrap();
    near(&two, "again").await;
    one.remove_prefix("").await.unwrap();
    until("dropped", || two.get_near("a").is_none()).await;
    redis.store().set("a", "old".into(), None).await.unwrap();
    near(&two, "old").await;
    one.clear().await.unwrap();
    until("dropped", || two.get_near("a").is_none()).await;
    // Anything else on the channel may mean anything.
    redis.store().set("a", "old".into(), None).await.unwrap();
    near(&two, "old").await;
    let odd = redis::Cmd::publish("test[*]:{coherence}", "odd");
    odd.exec_async(&mut raw).await.unwrap();
    until("dropped", || two.get_near("a").is_none()).await;
    // Who is told to track and may not has no memory to speak of, and says so.
    let strict = CoherenceConfig { mode: CoherenceMode::Tracking, ..quick() };
    let strict = cache_of(redis.store(), &redis.store(), strict);
    assert_eq!(strict.get("a").await.as_deref(), Some("old"));
    assert_eq!(strict.get_near("a"), None);
    assert!(!strict.coherence().unwrap().connected);
}

#[tokio::test]
async fn a_failed_write_leaves_nothing_in_a_coherent_memory() {
    let mut redis = Redis::start().await;
    let config = CoherenceConfig { offline_ttl: Duration::from_secs(60), ..quick() };
    let cache = cache_of(redis.store(), &redis.store(), config);
    connected(&cache).await;
    redis.kill();
    until("lost", || !cache.coherence().unwrap().connected).await;
    assert!(cache.insert("a", "v".to_owned(), None).await.is_err());
    assert_eq!(cache.get_near("a"), None);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let redis = RedisStore::new(&RedisConfig::default()).unwrap();
    let build =
        |config| Tiered::<String, _>::builder(redis.clone(), Raw).coherent(&redis, config).build();
    let refused = build(CoherenceConfig::default());
    assert!(matches!(refused, Err(TieredBuildError::NoRuntime)));
    let refused = build(CoherenceConfig { ping: Duration::ZERO, ..CoherenceConfig::default() });
    assert!(matches!(refused, Err(TieredBuildError::Zero("ping"))));
}

fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()
}

/// Tells a child where Redis is.
const URL: &str = "VCACHE_TEST_URL";

#[tokio::test]
#[ignore = "run by the test that disturbs it"]
async fn child_that_reads() {
    let Ok(url) = std::env::var(URL) else { return };
    let redis = RedisConfig { url, prefix: "test[*]:".to_owned(), ..RedisConfig::default() };
    let redis = RedisStore::new(&redis).unwrap();
    let cache = cache_of(redis.clone(), &redis, quick());
    let mut near = 0_u64;
    loop {
        let began = now();
        near += u64::from(cache.get_near("a").is_some());
        let Some(value) = cache.get("a").await else { continue };
        println!("saw {began} {value} {near}");
        tokio::time::sleep(Duration::from_micros(300)).await;
    }
}

struct Reader(Child);

impl Reader {
    fn start(redis: &Redis) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child_that_reads", "--ignored", "--nocapture"]);
        let child = command.env(URL, redis.config().url).stdout(Stdio::piped()).spawn();
        Self(child.unwrap())
    }

    fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Stops a process or the server, or kills the connections that track.
async fn disturb(
    round: u64,
    redis: &Redis,
    reader: &Reader,
    raw: &mut redis::aio::MultiplexedConnection,
) {
    match round % 8 {
        1 => reader.signal("STOP"),
        2 => {
            for id in trackers(raw).await {
                let kill = redis::cmd("CLIENT").arg("KILL").arg("ID").arg(id).to_owned();
                let _ = kill.query_async::<u64>(raw).await;
            }
        }
        4 => reader.signal("CONT"),
        6 => {
            redis.signal("STOP");
            tokio::time::sleep(Duration::from_millis(700)).await;
            redis.signal("CONT");
        }
        _ => {}
    }
}

/// Whether the lines of a reader say that it has read often, and near as well.
fn has_read_enough(lines: &[String]) -> bool {
    let near = |line: &String| line.rsplit(' ').next().and_then(|near| near.parse::<u64>().ok());
    lines.len() > 150 && lines.iter().rev().take(3).filter_map(near).any(|near| near > 50)
}

/// Every read of every process, whatever happened to it, its connections and the server, found
/// nothing that had been replaced longer ago than the bound when it began.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_replaced_is_served_after_the_bound() {
    let redis = Redis::start().await;
    redis.store().set("a", "0".into(), None).await.unwrap();
    let mut readers: Vec<_> = (0..2).map(|_| Reader::start(&redis)).collect();
    let said: Vec<_> = readers
        .iter_mut()
        .map(|reader| {
            let lines = BufReader::new(reader.0.stdout.take().unwrap()).lines();
            let all = Arc::new(Mutex::new(Vec::new()));
            let heard = Arc::clone(&all);
            let end = std::thread::spawn(move || {
                for line in lines.map_while(Result::ok) {
                    heard.lock().unwrap().push(line);
                }
            });
            (all, end)
        })
        .collect();
    let writer = cache(&redis);
    let mut raw = redis.raw().await;
    // When each version was known to be in Redis.
    let mut written = vec![(now(), 0_u64)];
    for round in 0..40_u64 {
        disturb(round, &redis, &readers[0], &mut raw).await;
        for _ in 0..10 {
            let version = written.last().unwrap().1 + 1;
            // It may fail, and be there all the same; then the next one counts.
            let done = writer.insert("a", version.to_string(), None).await;
            let at = if done.is_ok() { now() } else { u128::MAX };
            written.push((at, version));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    tokio::time::sleep(2 * quick().bound()).await;
    // However slow the machine is, the readers have to have read.
    until("the readers have read enough, also near", || {
        said.iter().all(|(all, _)| has_read_enough(&all.lock().unwrap()))
    })
    .await;
    drop(readers);
    for (said, end) in said {
        end.join().unwrap();
        reads_are_right(&said.lock().unwrap(), &written);
    }
}

/// Whether what a reader said that it saw was no older than what was `written` by then.
fn reads_are_right(lines: &[String], written: &[(u128, u64)]) {
    let bound = quick().bound().as_nanos();
    let (mut reads, mut near) = (0_u64, 0);
    for line in lines {
        let mut words = line.split(' ');
        if words.next() != Some("saw") {
            continue;
        }
        let mut number = || words.next()?.parse::<u128>().ok();
        // The last line may be cut.
        let (Some(began), Some(version), Some(hits)) = (number(), number(), number()) else {
            continue;
        };
        let known = written.iter().filter(|(at, _)| at.saturating_add(bound) < began);
        let least = known.map(|(_, version)| *version).max().unwrap_or(0);
        assert!(version >= u128::from(least), "{version} was served, {least} was known");
        reads += 1;
        near = hits;
    }
    assert!(reads > 100 && near > 50, "{reads} reads, {near} of them near");
}
