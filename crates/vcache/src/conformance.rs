//! The contract of stores, for whoever writes one: every promise of [`Store`], [`ScanStore`] and
//! [`TagStore`], checked on a store at hand.
//!
//! ```
//! # #[cfg(feature = "tokio")]
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! use vcache::{MemoryStore, conformance};
//!
//! let mine = MemoryStore::new(MemoryStore::sized(64 << 20).build()?);
//! conformance::with_tags(&mine).await;
//! # Ok::<(), vcache::BuildError>(())
//! # }).unwrap();
//! ```
//!
//! It takes some seconds at most, needs tokio's time, and room for a megabyte in one value and for
//! some thousand small ones. It clears the store.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a promise that is not kept panics, which is what this is for"
)]

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{join, join3};

use crate::store::{Keeping, ScanStore, Store, StoreError, TagStore};

/// What a store that takes its time has to be done in.
const LIMIT: Duration = Duration::from_secs(20);

/// Checks the promises of [`Store`]. Panics at the first that is not kept, and says which.
pub async fn store(store: &impl Store) {
    store.clear().await.unwrap();
    values_are_kept_replaced_and_deleted(store).await;
    any_bytes_may_be_kept(store).await;
    times_are_kept(store).await;
    a_value_is_gone_after_its_time(store).await;
    clearing_removes_everything(store).await;
    of_concurrent_writes_one_wins(store).await;
    many_keys_at_once_are_as_many_calls(store).await;
}

/// Checks the promises of [`ScanStore`], and those of [`Store`] before. Panics as that does.
pub async fn with_scans(scanned: &impl ScanStore) {
    store(scanned).await;
    keys_are_found_by_their_beginning(scanned).await;
}

/// Checks the promises of [`TagStore`], and all others before. Panics as they do.
pub async fn with_tags(store: &(impl ScanStore + TagStore)) {
    with_scans(store).await;
    a_tag_invalidates_its_entries_and_no_others(store).await;
    an_entry_that_is_set_again_has_its_new_tags(store).await;
    what_is_set_after_an_invalidation_is_there(store).await;
    a_load_that_began_before_an_invalidation_does_not_count(store).await;
    tags_may_be_any_text(store).await;
    tagged_entries_have_times_and_are_cleared(store).await;
    invalidations_and_writes_may_meet(store).await;
}

async fn value(store: &impl Store, key: &str) -> Option<Bytes> {
    store.get(key).await.unwrap().map(|stored| stored.value)
}

async fn tagged(store: &impl TagStore, key: &str, value: &'static str, tags: &[&str]) {
    let keeping = Keeping { tags, ..Keeping::default() };
    store.set_tagged(key, value.into(), keeping).await.unwrap();
}

async fn a_tag_invalidates_its_entries_and_no_others(store: &(impl ScanStore + TagStore)) {
    store.clear().await.unwrap();
    store.set("plain", "v".into(), None).await.unwrap();
    for number in 0..50 {
        let own = format!("own:{number}");
        let group = if number % 2 == 0 { "even" } else { "odd" };
        tagged(store, &format!("k{number}"), "v", &[&own, group]).await;
    }
    store.invalidate_tags(&[]).await.unwrap();
    store.invalidate_tags(&["nobody's", "even", "own:7"]).await.unwrap();
    for number in 0..50 {
        let key = format!("k{number}");
        let there = number % 2 == 1 && number != 7;
        assert_eq!(value(store, &key).await.is_some(), there, "{key}");
        assert_eq!(store.exists(&key).await.unwrap(), there, "{key}");
    }
    let found = store.get_many(&["k0", "k1", "plain", "k7"]).await.unwrap();
    assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, true, false]);
}

async fn an_entry_that_is_set_again_has_its_new_tags(store: &(impl ScanStore + TagStore)) {
    tagged(store, "again", "1", &["old"]).await;
    tagged(store, "again", "2", &["new"]).await;
    store.invalidate_tags(&["old"]).await.unwrap();
    assert_eq!(value(store, "again").await.unwrap(), "2");
    store.set("again", "3".into(), None).await.unwrap();
    store.invalidate_tags(&["new"]).await.unwrap();
    assert_eq!(value(store, "again").await.unwrap(), "3");
    tagged(store, "again", "4", &["old", "new"]).await;
    assert_eq!(value(store, "again").await.unwrap(), "4");
    store.invalidate_tags(&["new"]).await.unwrap();
    assert_eq!(value(store, "again").await, None);
}

async fn what_is_set_after_an_invalidation_is_there(store: &(impl ScanStore + TagStore)) {
    for _ in 0..5 {
        store.invalidate_tags(&["busy"]).await.unwrap();
        tagged(store, "after", "v", &["busy"]).await;
        assert_eq!(value(store, "after").await.unwrap(), "v");
    }
}

async fn a_load_that_began_before_an_invalidation_does_not_count(
    store: &(impl ScanStore + TagStore),
) {
    for (tag, there) in [("loaded", false), ("other", true)] {
        let since = Some(store.moment());
        store.invalidate_tags(&[tag]).await.unwrap();
        let keeping = Keeping { tags: &["loaded"], since, ..Keeping::default() };
        store.set_tagged("load", "v".into(), keeping).await.unwrap();
        assert_eq!(value(store, "load").await.is_some(), there, "{tag}");
    }
}

async fn tags_may_be_any_text(store: &(impl ScanStore + TagStore)) {
    let odd = ["", " ", "grüß\r\n\0", "{a}", "a", "all", "t*", &"long".repeat(2000)];
    for tag in odd {
        tagged(store, "odd", "v", &[tag]).await;
        let others: Vec<&str> = odd.into_iter().filter(|other| *other != tag).collect();
        store.invalidate_tags(&others).await.unwrap();
        assert!(value(store, "odd").await.is_some(), "{tag:?}");
        store.invalidate_tags(&[tag]).await.unwrap();
        assert!(value(store, "odd").await.is_none(), "{tag:?}");
    }
    let long = "x".repeat(70_000);
    let keeping = Keeping { tags: &[&long], ..Keeping::default() };
    match store.set_tagged("odd", "v".into(), keeping).await {
        Ok(()) => assert!(value(store, "odd").await.is_some()),
        Err(error) => assert!(matches!(error, StoreError::Encode(_)), "{error}"),
    }
}

async fn tagged_entries_have_times_and_are_cleared(store: &(impl ScanStore + TagStore)) {
    let keeping = Keeping { ttl: Some(LIMIT), tags: &["t"], ..Keeping::default() };
    store.set_tagged("timed", "v".into(), keeping).await.unwrap();
    let left = store.get("timed").await.unwrap().unwrap().left.unwrap();
    assert!(left <= LIMIT);
    let keeping = Keeping { ttl: Some(Duration::ZERO), ..keeping };
    store.set_tagged("timed", "v".into(), keeping).await.unwrap();
    assert_eq!(value(store, "timed").await, None);
    tagged(store, "cleared", "v", &["t"]).await;
    store.clear().await.unwrap();
    assert_eq!(value(store, "cleared").await, None);
    tagged(store, "cleared", "v", &["t"]).await;
    assert_eq!(value(store, "cleared").await.unwrap(), "v");
}

/// However they meet, a write that began after an invalidation had ended is not touched by it.
async fn invalidations_and_writes_may_meet(store: &(impl ScanStore + TagStore)) {
    for round in 0..20 {
        let key = format!("met{round}");
        let set = tagged(store, &key, "1", &["met"]);
        let (invalidated, ()) = join(store.invalidate_tags(&["met"]), set).await;
        invalidated.unwrap();
        tagged(store, &key, "2", &["met"]).await;
        assert_eq!(value(store, &key).await.unwrap(), "2");
    }
    store.invalidate_tags(&["met"]).await.unwrap();
    for round in 0..20 {
        assert_eq!(value(store, &format!("met{round}")).await, None);
    }
}

async fn many_keys_at_once_are_as_many_calls(store: &impl Store) {
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
    store.set_many(&[], None).await.unwrap();
    let many = [("a", "3".into()), ("m", "4".into())];
    store.set_many(&many, Some(LIMIT)).await.unwrap();
    assert_eq!(value(store, "a").await.unwrap(), "3");
    let stored = store.get("m").await.unwrap().unwrap();
    assert!(stored.value == "4" && stored.left.unwrap() <= LIMIT);
    store.set_many(&[("m", "5".into())], Some(Duration::ZERO)).await.unwrap();
    assert_eq!(value(store, "m").await, None);
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
        let (one, other, read) = join3(
            store.set("contended", long(1), None),
            store.set("contended", long(2), None),
            store.get("contended"),
        )
        .await;
        one.unwrap();
        other.unwrap();
        for seen in [read.unwrap().map(|stored| stored.value), value(store, "contended").await] {
            assert!(seen.is_none_or(|seen| seen == long(1) || seen == long(2)));
        }
    }
}
