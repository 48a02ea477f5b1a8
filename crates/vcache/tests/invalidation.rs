//! Tags, prefixes, predicates and everything, also while loads run.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::task::Poll;

use proptest::collection::vec;
use proptest::prelude::*;
use tokio::sync::Notify;
use tokio::task::yield_now;
use vcache::{Cache, Config, Loaded, Loading};

type Pages = Cache<String, u32>;

fn pages() -> Pages {
    Cache::builder().build().unwrap()
}

#[test]
fn a_tag_invalidates_all_that_have_it() {
    let cache = pages();
    cache.insert_loaded("a".to_owned(), Loaded::new(1).tags(["one", "all"]));
    cache.insert_loaded("b".to_owned(), Loaded::new(2).tags(["two", "all"]));
    cache.insert("c".to_owned(), 3);
    cache.invalidate_tag("two");
    let there = |cache: &Pages| ["a", "b", "c"].map(|key| cache.get(key).is_some());
    assert_eq!(there(&cache), [true, false, true]);
    assert!(!cache.contains("b"));
    cache.invalidate_tags(["all", "none"]);
    assert_eq!(there(&cache), [false, false, true]);
    cache.insert_loaded("a".to_owned(), Loaded::new(4).tags(["one", "all"]));
    assert_eq!(there(&cache), [true, false, true]);
}

#[test]
fn what_a_tag_outdated_counts_as_a_miss_and_can_be_swept() {
    let cache = pages();
    cache.insert_loaded("a".to_owned(), Loaded::new(1).tags(["one"]));
    let weight = cache.weight();
    cache.invalidate_tag("one");
    assert_eq!(cache.get("a"), None);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, cache.weight()), (0, 1, weight));
    assert_eq!((cache.sweep(), cache.weight()), (1, 0));
}

#[test]
fn an_update_keeps_the_tags() {
    let cache = pages();
    cache.insert_loaded("a".to_owned(), Loaded::new(1).tags(["one"]));
    assert_eq!(cache.update("a".to_owned(), |old| old.map(|old| old + 1)), Some(2));
    cache.invalidate_tag("one");
    assert_eq!(cache.get("a"), None);
    assert_eq!(cache.update("a".to_owned(), |old| Some(old.copied().unwrap_or(7))), Some(7));
}

#[test]
fn tags_weigh() {
    let cache = pages();
    cache.insert("a".to_owned(), 1);
    let plain = cache.weight();
    cache.insert_loaded("a".to_owned(), Loaded::new(1).tags(["a tag of thirty characters ..."]));
    assert!(cache.weight() > plain + 30);
}

#[test]
fn a_prefix_removes_what_begins_with_it() {
    let indexed = Cache::builder().index_prefixes().build().unwrap();
    for cache in [pages(), indexed] {
        for key in ["user", "user:1", "user:2", "users", "post:1", ""] {
            cache.insert(key.to_owned(), 1);
        }
        cache.remove_prefix("user:");
        assert_eq!((cache.len(), cache.get("user:1"), cache.get("users")), (4, None, Some(1)));
        cache.remove_prefix("");
        assert!(cache.is_empty());
    }
}

#[test]
fn an_update_is_in_the_index_too() {
    let cache: Pages = Cache::builder().index_prefixes().build().unwrap();
    cache.update("user:1".to_owned(), |_| Some(1));
    cache.remove_prefix("user:");
    assert!(cache.is_empty());
}

#[test]
fn related_keys_go_together() {
    let cache = pages();
    for key in ["a", "b", "c"] {
        cache.insert(key.to_owned(), 1);
    }
    cache.remove_many(["a", "b", "x"]);
    assert_eq!((cache.len(), cache.get("c")), (1, Some(1)));
}

/// Runs `invalidate` while a load of `user:1` with the tag `one` runs; what its waiter got, what
/// one who asked after the invalidation got, and the cache.
async fn during_a_load(cache: Pages, invalidate: fn(&Pages)) -> (u32, u32, Pages) {
    let gate = Arc::new(Notify::new());
    let ask = |number, gate: Option<Arc<Notify>>| {
        let cache = cache.clone();
        tokio::spawn(async move {
            let load = move || async move {
                if let Some(gate) = gate {
                    gate.notified().await;
                }
                Ok::<_, Infallible>(Loaded::new(number).tags(["one"]))
            };
            let loading = Loading::default();
            cache.get_or_load_with("user:1".to_owned(), &loading, load).await.unwrap()
        })
    };
    let before = ask(1, Some(Arc::clone(&gate)));
    while cache.loads() == 0 {
        yield_now().await;
    }
    yield_now().await;
    invalidate(&cache);
    let after = ask(2, None);
    yield_now().await;
    gate.notify_one();
    (before.await.unwrap(), after.await.unwrap(), cache)
}

#[tokio::test]
async fn who_asks_after_an_invalidation_gets_nothing_older() {
    let invalidations: [fn(&Pages); 6] = [
        |cache| assert_eq!(cache.remove("user:1"), None),
        |cache| cache.invalidate_tag("one"),
        |cache| cache.remove_prefix("user:"),
        |cache| cache.retain(|_, _| true),
        Cache::clear,
        |cache| cache.remove_many(["user:1"]),
    ];
    for invalidate in invalidations {
        for cache in [pages(), Cache::builder().index_prefixes().build().unwrap()] {
            let (before, after, cache) = during_a_load(cache, invalidate).await;
            assert_eq!((before, after), (1, 2));
            assert_eq!(cache.get("user:1"), Some(2));
        }
    }
}

#[tokio::test]
async fn other_tags_and_prefixes_disturb_no_load() {
    let others: [fn(&Pages); 2] =
        [|cache| cache.invalidate_tag("other"), |cache| cache.remove_prefix("post:")];
    for invalidate in others {
        let (before, after, cache) = during_a_load(pages(), invalidate).await;
        assert_eq!((before, after), (1, 1));
        assert_eq!(cache.get("user:1"), Some(1));
    }
}

#[tokio::test]
async fn a_write_around_the_cache_removes_also_when_it_is_dropped() {
    let cache = pages();
    for dropped in [false, true] {
        cache.insert("a".to_owned(), 1);
        let mut write = Box::pin(cache.write_around(&["a"], async {
            yield_now().await;
            // A reader comes while the source is being changed.
            cache.insert("a".to_owned(), 2);
            yield_now().await;
        }));
        for _ in 0..2 {
            let poll = std::future::poll_fn(|cx| Poll::Ready(write.as_mut().poll(cx)));
            assert!(poll.await.is_pending());
        }
        assert_eq!(cache.get("a"), Some(2));
        if !dropped {
            write.await;
        } else {
            drop(write);
        }
        assert_eq!(cache.get("a"), None);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Put(u8, Vec<u8>),
    Tag(u8),
    Prefix(u8),
    Remove(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..20_u8, vec(0..4_u8, 0..3)).prop_map(|(key, tags)| Step::Put(key, tags)),
        (0..20_u8, vec(0..4_u8, 0..3)).prop_map(|(key, tags)| Step::Put(key, tags)),
        (0..4_u8).prop_map(Step::Tag),
        (0..3_u8).prop_map(Step::Prefix),
        (0..20_u8).prop_map(Step::Remove),
    ]
}

proptest! {
    /// A cache with room agrees with a map; with few tags remembered it has nothing more.
    #[test]
    fn invalidation_agrees_with_a_model(
        steps in vec(step(), 0..80), indexed: bool, max_tags in prop_oneof![Just(0), Just(2), Just(9)],
    ) {
        let builder = Cache::<String, usize>::builder();
        let builder = builder.config(Config { max_tags, ..Config::default() });
        let builder = if indexed { builder.index_prefixes() } else { builder };
        let cache = builder.build().unwrap();
        let mut model: std::collections::BTreeMap<String, (usize, Vec<u8>)> = Default::default();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Put(key, tags) => {
                    let loaded = Loaded::new(number).tags(tags.iter().map(u8::to_string));
                    cache.insert_loaded(key.to_string(), loaded);
                    model.insert(key.to_string(), (number, tags));
                }
                Step::Tag(tag) => {
                    cache.invalidate_tag(&tag.to_string());
                    model.retain(|_, (_, tags)| !tags.contains(&tag));
                }
                Step::Prefix(prefix) => {
                    cache.remove_prefix(&prefix.to_string());
                    model.retain(|key, _| !key.starts_with(&prefix.to_string()));
                }
                Step::Remove(key) => {
                    cache.remove(&key.to_string());
                    model.remove(&key.to_string());
                }
            }
            for key in 0..20_u8 {
                let (got, expected) = (cache.get(&key.to_string()), model.get(&key.to_string()));
                match expected {
                    None => prop_assert_eq!(got, None),
                    Some((value, tags)) if max_tags == 9 || tags.is_empty() => {
                        prop_assert_eq!(got, Some(*value));
                    }
                    Some((value, _)) => prop_assert!(got.is_none_or(|got| got == *value)),
                }
            }
        }
    }
}
