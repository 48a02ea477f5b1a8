//! One suite for every store of keys and answers: whatever passes it can carry requests out once.
#![cfg(feature = "http")]
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
use std::time::Duration;

use bytes::Bytes;
use vcache::http::idempotency::{Claim, Digest, MemoryReplays, ReplayStore, Token};

#[cfg(feature = "redis")]
mod support;

const LONG: Duration = Duration::from_secs(60);
/// Long enough for calls in between on a busy machine, short enough to wait for.
const SHORT: Duration = Duration::from_millis(600);

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

async fn claim(store: &impl ReplayStore, key: &str, token: Token, lease: Duration) -> Claim {
    store.claim(&digest(key), &digest("print"), token, lease).await.unwrap()
}

async fn complete(store: &impl ReplayStore, key: &str, token: Token, answer: &'static str) -> bool {
    let answer = Bytes::from_static(answer.as_bytes());
    store.complete(&digest(key), &digest("print"), token, answer, LONG).await.unwrap()
}

fn done(answer: &'static str) -> Claim {
    let answer = Bytes::from_static(answer.as_bytes());
    Claim::Done { fingerprint: digest("print"), answer }
}

const RUNNING: fn() -> Claim = || Claim::Running { fingerprint: digest("print") };

async fn conforms(store: impl ReplayStore) {
    let store = Arc::new(store);
    a_key_has_one_holder_and_then_an_answer(&*store).await;
    who_does_not_hold_changes_nothing(&*store).await;
    a_released_key_is_free(&*store).await;
    repeating_is_harmless(&*store).await;
    a_lease_ends_and_can_be_renewed(&*store).await;
    a_late_answer_counts_unless_another_took_over(&*store).await;
    an_answer_ends_with_its_time(&*store).await;
    any_bytes_are_kept(&*store).await;
    of_many_one_wins(&store).await;
    who_waits_hears_of_a_change(&store).await;
}

async fn a_key_has_one_holder_and_then_an_answer(store: &impl ReplayStore) {
    let (a, b) = (Token::unique(), Token::unique());
    assert_eq!(claim(store, "one", a, LONG).await, Claim::Won);
    assert_eq!(claim(store, "one", b, LONG).await, RUNNING());
    assert_eq!(claim(store, "another", b, LONG).await, Claim::Won);
    // What is told is what the holder brought, not what the other asks with.
    let other = store.claim(&digest("one"), &digest("else"), b, LONG).await.unwrap();
    assert_eq!(other, RUNNING());
    assert!(complete(store, "one", a, "answer").await);
    assert_eq!(claim(store, "one", b, LONG).await, done("answer"));
    assert_eq!(claim(store, "one", Token::unique(), LONG).await, done("answer"));
}

async fn who_does_not_hold_changes_nothing(store: &impl ReplayStore) {
    let (a, b) = (Token::unique(), Token::unique());
    assert_eq!(claim(store, "mine", a, LONG).await, Claim::Won);
    assert!(!store.release(&digest("mine"), b).await.unwrap());
    assert!(!store.renew(&digest("mine"), b, LONG).await.unwrap());
    assert!(!complete(store, "mine", b, "theirs").await);
    assert_eq!(claim(store, "mine", b, LONG).await, RUNNING());
    assert!(complete(store, "mine", a, "mine").await);
    assert!(!store.release(&digest("mine"), a).await.unwrap());
    assert!(!store.renew(&digest("mine"), a, LONG).await.unwrap());
    assert!(!complete(store, "mine", b, "theirs").await);
    assert_eq!(claim(store, "mine", b, LONG).await, done("mine"));
    assert!(!store.renew(&digest("never"), a, LONG).await.unwrap());
}

async fn a_released_key_is_free(store: &impl ReplayStore) {
    let (a, b) = (Token::unique(), Token::unique());
    assert_eq!(claim(store, "freed", a, LONG).await, Claim::Won);
    assert!(store.release(&digest("freed"), a).await.unwrap());
    assert_eq!(claim(store, "freed", b, LONG).await, Claim::Won);
    // The former holder is nobody now.
    assert!(!complete(store, "freed", a, "late").await);
    assert!(!store.release(&digest("freed"), a).await.unwrap());
    assert_eq!(claim(store, "freed", a, LONG).await, RUNNING());
}

async fn repeating_is_harmless(store: &impl ReplayStore) {
    let a = Token::unique();
    assert_eq!(claim(store, "again", a, LONG).await, Claim::Won);
    assert_eq!(claim(store, "again", a, LONG).await, Claim::Won);
    assert!(complete(store, "again", a, "answer").await);
    assert!(complete(store, "again", a, "answer").await);
    assert_eq!(claim(store, "again", Token::unique(), LONG).await, done("answer"));
}

async fn a_lease_ends_and_can_be_renewed(store: &impl ReplayStore) {
    let (a, b) = (Token::unique(), Token::unique());
    assert_eq!(claim(store, "short", a, SHORT).await, Claim::Won);
    assert_eq!(claim(store, "kept", a, SHORT).await, Claim::Won);
    assert!(store.renew(&digest("kept"), a, LONG).await.unwrap());
    tokio::time::sleep(SHORT + SHORT / 4).await;
    assert!(!store.renew(&digest("short"), a, LONG).await.unwrap());
    assert_eq!(claim(store, "short", b, LONG).await, Claim::Won);
    assert_eq!(claim(store, "kept", b, LONG).await, RUNNING());
    assert!(!store.renew(&digest("short"), a, LONG).await.unwrap());
}

async fn a_late_answer_counts_unless_another_took_over(store: &impl ReplayStore) {
    let (a, b) = (Token::unique(), Token::unique());
    assert_eq!(claim(store, "late", a, SHORT).await, Claim::Won);
    assert_eq!(claim(store, "taken", a, SHORT).await, Claim::Won);
    tokio::time::sleep(SHORT + SHORT / 4).await;
    assert_eq!(claim(store, "taken", b, LONG).await, Claim::Won);
    assert!(complete(store, "late", a, "late").await);
    assert!(!complete(store, "taken", a, "late").await);
    assert_eq!(claim(store, "late", b, LONG).await, done("late"));
    assert!(complete(store, "taken", b, "right").await);
    assert!(!complete(store, "taken", a, "late").await);
    assert_eq!(claim(store, "taken", a, LONG).await, done("right"));
}

async fn an_answer_ends_with_its_time(store: &impl ReplayStore) {
    let a = Token::unique();
    let (key, print) = (digest("brief"), digest("print"));
    assert_eq!(claim(store, "brief", a, LONG).await, Claim::Won);
    let answer = Bytes::from_static(b"x");
    assert!(store.complete(&key, &print, a, answer, SHORT).await.unwrap());
    assert_eq!(claim(store, "brief", Token::unique(), LONG).await, done("x"));
    tokio::time::sleep(SHORT + SHORT / 4).await;
    assert_eq!(claim(store, "brief", Token::unique(), LONG).await, Claim::Won);
}

async fn any_bytes_are_kept(store: &impl ReplayStore) {
    for (key, answer) in
        [("empty", Bytes::new()), ("binary", (0..=255).cycle().take(100_000).collect())]
    {
        let a = Token::unique();
        assert_eq!(claim(store, key, a, LONG).await, Claim::Won);
        let (name, fingerprint) = (digest(key), digest("print"));
        assert!(store.complete(&name, &fingerprint, a, answer.clone(), LONG).await.unwrap());
        let there = claim(store, key, Token::unique(), LONG).await;
        assert_eq!(there, Claim::Done { fingerprint, answer });
    }
}

async fn of_many_one_wins(store: &Arc<impl ReplayStore>) {
    let claims = (0..50).map(|_| {
        let store = Arc::clone(store);
        tokio::spawn(async move { claim(&*store, "race", Token::unique(), LONG).await })
    });
    let mut won = 0;
    for claim in claims.collect::<Vec<_>>() {
        won += u32::from(claim.await.unwrap() == Claim::Won);
    }
    assert_eq!(won, 1);
}

async fn who_waits_hears_of_a_change(store: &Arc<impl ReplayStore>) {
    let a = Token::unique();
    for (key, ending) in [("heard", true), ("lost", false)] {
        assert_eq!(claim(&**store, key, a, LONG).await, Claim::Won);
        let waiter = Arc::clone(store);
        let waiting = tokio::spawn(async move {
            loop {
                match claim(&*waiter, key, Token::unique(), LONG).await {
                    Claim::Running { .. } => waiter.changed(&digest(key)).await,
                    other => return other,
                }
            }
        });
        tokio::task::yield_now().await;
        let expected = if ending {
            assert!(complete(&**store, key, a, "answer").await);
            done("answer")
        } else {
            assert!(store.release(&digest(key), a).await.unwrap());
            Claim::Won
        };
        let heard = tokio::time::timeout(LONG, waiting).await.expect("nobody told the waiter");
        assert_eq!(heard.unwrap(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn the_store_in_memory_conforms() {
    conforms(MemoryReplays::new("test", 8 << 20, 1000).unwrap()).await;
}

#[tokio::test(start_paused = true)]
async fn held_keys_are_bounded_and_those_given_up_make_room() {
    let store = MemoryReplays::new("test", 8 << 20, 2).unwrap();
    let a = Token::unique();
    assert_eq!(claim(&store, "1", a, SHORT).await, Claim::Won);
    assert_eq!(claim(&store, "2", a, LONG).await, Claim::Won);
    let (key, print) = (digest("3"), digest("print"));
    assert!(store.claim(&key, &print, a, LONG).await.is_err());
    assert_eq!(claim(&store, "2", Token::unique(), LONG).await, RUNNING());
    tokio::time::sleep(SHORT).await;
    assert_eq!(claim(&store, "3", a, LONG).await, Claim::Won);
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn the_store_in_redis_conforms() {
    use vcache::http::idempotency::RedisReplays;

    let redis = support::Redis::start().await;
    conforms(RedisReplays::new(redis.store(), Duration::from_millis(5))).await;
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn foreign_bytes_in_redis_are_an_error_and_stay() {
    use vcache::http::idempotency::RedisReplays;

    let redis = support::Redis::start().await;
    let store = RedisReplays::new(redis.store(), Duration::from_millis(5));
    let mut raw = redis.raw().await;
    let (key, print, token) = (digest("k"), digest("print"), Token::unique());
    store.claim(&key, &print, token, LONG).await.unwrap();
    let names: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut raw).await.unwrap();
    let [name] = names.as_slice() else { panic!("{names:?}") };
    for foreign in ["x", "vi2R and much more than the head of a record is, for certain", ""] {
        redis::Cmd::set(name, foreign).exec_async(&mut raw).await.unwrap();
        assert!(store.claim(&key, &print, token, LONG).await.is_err(), "{foreign}");
        assert!(!store.release(&key, token).await.unwrap());
        let there: String = redis::Cmd::get(name).query_async(&mut raw).await.unwrap();
        assert_eq!(there, foreign);
    }
}
