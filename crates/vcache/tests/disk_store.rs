//! The store on disk: warm after a restart, bounded, and honest about damage.
#![cfg(feature = "disk")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use tempfile::TempDir;
use vcache::{DiskConfig, DiskStore, OnCorrupt, OpenError, Store, StoreError};

const LIMIT: Duration = Duration::from_secs(20);

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("store.sqlite")
    }

    fn config(&self) -> DiskConfig {
        DiskConfig { path: self.path(), ..DiskConfig::default() }
    }

    fn open(&self) -> DiskStore {
        DiskStore::open(&self.config()).unwrap()
    }

    /// A closed file with entries `k0`, `k1`… of a KiB.
    async fn filled(entries: u32) -> Self {
        let place = Self::new();
        let store = place.open();
        for number in 0..entries {
            store.set(&format!("k{number}"), page(number), None).await.unwrap();
        }
        store.close().await;
        place
    }
}

fn page(number: u32) -> Bytes {
    format!("{number:>1024}").into()
}

async fn value(store: &DiskStore, key: &str) -> Option<Bytes> {
    store.get(key).await.unwrap().map(|stored| stored.value)
}

fn refused(config: &DiskConfig) -> OpenError {
    DiskStore::open(config).expect_err("it opens")
}

#[tokio::test]
async fn what_was_kept_is_there_again_with_the_time_it_has_left() {
    let place = Place::new();
    let store = place.open();
    let hour = Duration::from_secs(3600);
    store.set("timed", "v".into(), Some(hour)).await.unwrap();
    store.set("short", "v".into(), Some(Duration::from_millis(1))).await.unwrap();
    store.set("for ever", "w".into(), None).await.unwrap();
    store.close().await;
    assert!(!place.folder.path().join("store.sqlite-wal").exists(), "the log was not merged");
    let store = place.open();
    let left = store.get("timed").await.unwrap().unwrap().left.unwrap();
    assert!(left <= hour && left > hour - LIMIT, "{left:?}");
    assert_eq!(store.get("for ever").await.unwrap().unwrap().left, None);
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert_eq!(value(&store, "short").await, None);
}

#[tokio::test]
async fn a_closed_store_says_so_through_every_handle() {
    let place = Place::new();
    let store = place.open();
    let other = store.clone();
    store.close().await;
    store.close().await;
    assert!(matches!(other.get("a").await, Err(StoreError::Closed)));
    assert!(matches!(other.set("a", "v".into(), None).await, Err(StoreError::Closed)));
}

#[tokio::test]
async fn a_dropped_store_has_kept_what_it_acknowledged() {
    let place = Place::new();
    for number in 0..20 {
        let store = place.open();
        let key = format!("k{number}");
        store.set(&key, page(number), None).await.unwrap();
        drop(store);
        assert_eq!(value(&place.open(), &key).await.unwrap(), page(number));
    }
}

#[tokio::test]
async fn the_pages_in_use_stay_within_the_bound() {
    let place = Place::new();
    let config = DiskConfig { max_size: 1 << 20, ..place.config() };
    let store = DiskStore::open(&config).unwrap();
    for number in 0..4000 {
        store.set(&format!("k{number}"), page(number), None).await.unwrap();
        assert!(store.stats().used <= 1 << 20, "{:?}", store.stats());
    }
    assert!(store.stats().evicted > 3000, "{:?}", store.stats());
    assert_eq!(value(&store, "k0").await, None);
    // Room is made from the old end.
    for number in 3800..4000 {
        assert_eq!(value(&store, &format!("k{number}")).await.unwrap(), page(number));
    }
    store.close().await;
    // Freed pages are used again: the file has not grown with what was written.
    assert!(fs::metadata(place.path()).unwrap().len() < 3 << 20);
}

#[tokio::test]
async fn what_is_read_stays_when_room_is_made() {
    let place = Place::new();
    let config = DiskConfig { max_size: 1 << 20, ..place.config() };
    let store = DiskStore::open(&config).unwrap();
    store.set("read", "v".into(), None).await.unwrap();
    store.set("unread", "v".into(), None).await.unwrap();
    for number in 0..4000 {
        store.set(&format!("k{number}"), page(number), None).await.unwrap();
        assert!(value(&store, "read").await.is_some(), "gone after {number}");
    }
    assert_eq!(value(&store, "unread").await, None);
}

#[tokio::test]
async fn a_value_that_is_too_large_is_refused_and_nothing_else_suffers() {
    let place = Place::new();
    let config = DiskConfig { max_size: 1 << 20, ..place.config() };
    let store = DiskStore::open(&config).unwrap();
    store.set("other", "v".into(), None).await.unwrap();
    store.set("large", "small yet".into(), None).await.unwrap();
    store.set("large", vec![0; 1 << 20].into(), None).await.unwrap();
    assert_eq!(value(&store, "large").await, None);
    assert_eq!(value(&store, "other").await.unwrap(), "v");
    assert_eq!(store.stats().refused, 1);
}

#[tokio::test]
async fn the_store_has_a_time_for_values_without_one() {
    let place = Place::new();
    let ttl = Some(Duration::from_secs(60));
    let store = DiskStore::open(&DiskConfig { ttl, ..place.config() }).unwrap();
    store.set("a", "v".into(), None).await.unwrap();
    assert!(store.get("a").await.unwrap().unwrap().left.unwrap() > Duration::from_secs(30));
}

#[tokio::test]
async fn expired_entries_are_swept_without_being_asked_for() {
    let place = Place::new();
    let sweep = Duration::from_millis(10);
    let store = DiskStore::open(&DiskConfig { sweep, ..place.config() }).unwrap();
    store.set("stays", "v".into(), None).await.unwrap();
    let short = Some(Duration::from_millis(20));
    let sets: Vec<_> = (0..1500)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.set(&format!("k{number}"), page(number), short).await })
        })
        .collect();
    for set in sets {
        set.await.unwrap().unwrap();
    }
    let swept = async {
        while store.stats().expired < 1500 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, swept).await.unwrap();
    assert_eq!(value(&store, "stays").await.unwrap(), "v");
    assert!(store.stats().used < 100_000, "{:?}", store.stats());
}

#[tokio::test]
async fn a_value_that_was_changed_on_disk_counts_as_absent_and_is_dropped() {
    let place = Place::filled(100).await;
    let mut bytes = fs::read(place.path()).unwrap();
    let text = page(7);
    let at = bytes.windows(1024).position(|window| window == &text[..]).unwrap();
    bytes[at] ^= 1;
    fs::write(place.path(), bytes).unwrap();
    let store = place.open();
    assert_eq!(value(&store, "k7").await, None);
    assert_eq!(store.stats().damaged, 1);
    assert_eq!(value(&store, "k8").await.unwrap(), page(8));
    // The row goes soon, and is not met a second time after that.
    store.set("later", "v".into(), None).await.unwrap();
    assert_eq!(value(&store, "k7").await, None);
    assert_eq!(store.stats().damaged, 1);
}

#[tokio::test]
async fn broken_pages_are_an_error_and_found_when_asked_for() {
    let place = Place::filled(2000).await;
    let mut bytes = fs::read(place.path()).unwrap();
    // Not the first pages, by which a file is known.
    for byte in bytes.iter_mut().skip(8192 * 100) {
        *byte = 0xa5;
    }
    fs::write(place.path(), bytes).unwrap();
    let store = place.open();
    let mut damaged = 0;
    for number in 0..2000 {
        match store.get(&format!("k{number}")).await {
            Err(StoreError::Damaged(error)) => {
                assert!(error.to_string().contains("store.sqlite"), "{error}");
                damaged += 1;
            }
            other => assert_eq!(other.unwrap(), None),
        }
    }
    assert!(damaged > 0 && store.stats().read_errors == damaged, "{:?}", store.stats());
    store.close().await;
    let checking = DiskConfig { verify: true, ..place.config() };
    assert!(matches!(refused(&checking), OpenError::Damaged { .. }));
    let store = DiskStore::open(&DiskConfig { on_corrupt: OnCorrupt::Recreate, ..checking });
    let store = store.unwrap();
    store.set("k1", "v".into(), None).await.unwrap();
    assert_eq!(value(&store, "k1").await.unwrap(), "v");
}

async fn is_replaced_when_wanted(place: &Place, check: impl Fn(&OpenError) -> bool) {
    let before = fs::read(place.path()).unwrap();
    let error = refused(&place.config());
    assert!(check(&error), "{error:?}");
    assert!(error.to_string().contains("store.sqlite"), "{error}");
    assert!(fs::read(place.path()).unwrap() == before, "the file was touched");
    let recreate = DiskConfig { on_corrupt: OnCorrupt::Recreate, ..place.config() };
    let store = DiskStore::open(&recreate).unwrap();
    assert_eq!(value(&store, "k1").await, None);
    store.set("k1", "v".into(), None).await.unwrap();
    let aside = place.folder.path().join("store.sqlite.damaged");
    assert!(fs::read(aside).unwrap() == before, "the former file is gone");
}

#[tokio::test]
async fn a_file_that_is_none_of_sqlite_is_refused_or_moved_aside() {
    let place = Place::new();
    fs::write(place.path(), "a letter, not a database".repeat(1000)).unwrap();
    is_replaced_when_wanted(&place, |error| matches!(error, OpenError::Damaged { .. })).await;
}

#[tokio::test]
async fn another_programs_file_is_refused_or_moved_aside() {
    let place = Place::new();
    let other = rusqlite::Connection::open(place.path()).unwrap();
    other.execute_batch("CREATE TABLE orders (id INTEGER PRIMARY KEY)").unwrap();
    other.close().unwrap();
    is_replaced_when_wanted(&place, |error| matches!(error, OpenError::Foreign { .. })).await;
}

#[tokio::test]
async fn another_versions_file_is_refused_or_moved_aside() {
    let place = Place::filled(3).await;
    let other = rusqlite::Connection::open(place.path()).unwrap();
    other.pragma_update(None, "user_version", 99).unwrap();
    other.pragma_update(None, "journal_mode", "DELETE").unwrap();
    other.close().unwrap();
    is_replaced_when_wanted(&place, |error| {
        matches!(error, OpenError::Version { found: 99, known: 2, .. })
    })
    .await;
}

#[tokio::test]
async fn a_file_cut_short_is_no_entry_and_no_panic() {
    let place = Place::filled(2000).await;
    let file = fs::OpenOptions::new().write(true).open(place.path()).unwrap();
    file.set_len(8192 * 20).unwrap();
    // Whether it opens depends on which pages are left.
    if let Ok(store) = DiskStore::open(&place.config()) {
        for number in 0..2000 {
            if let Ok(Some(stored)) = store.get(&format!("k{number}")).await {
                assert_eq!(stored.value, page(number));
            }
        }
        store.close().await;
    }
    let config = DiskConfig { verify: true, on_corrupt: OnCorrupt::Recreate, ..place.config() };
    let store = DiskStore::open(&config).unwrap();
    store.set("a", "v".into(), None).await.unwrap();
    assert_eq!(value(&store, "a").await.unwrap(), "v");
}

#[test]
fn a_place_that_cannot_be_used_is_told() {
    let place = Place::new();
    let path = place.folder.path().join("absent").join("store.sqlite");
    let error = refused(&DiskConfig { path, ..place.config() });
    assert!(matches!(error, OpenError::Unusable { .. }), "{error:?}");
    let error = refused(&DiskConfig { path: place.folder.path().into(), ..place.config() });
    assert!(matches!(error, OpenError::Unusable { .. }), "{error:?}");
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let place = Place::new();
    let setting = |config: DiskConfig| match refused(&config) {
        OpenError::Setting { name, .. } => name,
        error => panic!("{error:?}"),
    };
    assert_eq!(setting(DiskConfig { max_size: 1000, ..place.config() }), "max_size");
    assert_eq!(setting(DiskConfig { readers: 0, ..place.config() }), "readers");
    assert_eq!(setting(DiskConfig { queue_size: 0, ..place.config() }), "queue_size");
    assert_eq!(setting(DiskConfig { max_tags: 0, ..place.config() }), "max_tags");
    assert_eq!(setting(DiskConfig { sweep: Duration::ZERO, ..place.config() }), "sweep");
    assert!(!Path::new(&place.path()).exists());
}

/// A damaged row is met while its key's next value waits for the file.
async fn replaced_while_it_is_found(damaged: &str, next: Bytes) -> Option<Bytes> {
    let place = Place::filled(3).await;
    let store = place.open();
    let other = rusqlite::Connection::open(place.path()).unwrap();
    other.execute(damaged, ()).unwrap();
    loop {
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut set = Box::pin(store.set("k2", next.clone(), None));
        // Queued, and waiting for the file.
        assert!((&mut set).now_or_never().is_none());
        assert_eq!(value(&store, "k2").await, None);
        other.execute_batch("ROLLBACK").unwrap();
        if set.await.is_ok() {
            break;
        }
    }
    // After this, what was queued is done.
    store.set("other", Bytes::new(), None).await.unwrap();
    value(&store, "k2").await
}

#[tokio::test]
async fn a_value_that_took_the_place_of_a_damaged_one_stays() {
    let damage = "UPDATE entries SET value = x'00' WHERE key = CAST('k2' AS BLOB)";
    let found = replaced_while_it_is_found(damage, page(7)).await;
    assert_eq!(found, Some(page(7)));
    // The same as was damaged, with the same checksum.
    let found = replaced_while_it_is_found(damage, page(2)).await;
    assert_eq!(found, Some(page(2)));
}
