//! The journal of writing behind: what is in it, and what happens when it is damaged.
#![cfg(all(feature = "disk", feature = "write-behind"))]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use vcache::{Change, JournalConfig, OnCorrupt, OpenError, Raw, WriteBehind};
use vcache::{WriteBehindBuildError, WriteBehindConfig, WriteError};

const LIMIT: Duration = Duration::from_secs(20);

type Taken = Arc<Mutex<Vec<(String, Change<String>)>>>;

fn config(path: &Path) -> JournalConfig {
    JournalConfig { path: path.into(), ..JournalConfig::default() }
}

fn build(
    journal: JournalConfig,
    max_pending: usize,
    away: bool,
) -> Result<(WriteBehind<String, String>, Taken), WriteBehindBuildError> {
    let taken = Taken::default();
    let into = Arc::clone(&taken);
    let write = move |batch: Vec<_>| {
        if away {
            return std::future::ready(Err(io::Error::other("away")));
        }
        into.lock().unwrap().extend(batch);
        std::future::ready(Ok(()))
    };
    let config = WriteBehindConfig { max_pending, ..WriteBehindConfig::default() };
    let builder = WriteBehind::builder(write).config(config).journal(journal, Raw, Raw);
    Ok((builder.build()?, taken))
}

/// Leaves `a = 2`, the removal of `b` and `c = 3` in the journal, in this order.
async fn leave(path: &Path) {
    let (writer, _) = build(config(path), 100, true).unwrap();
    for (key, value) in [("a", "1"), ("b", "1"), ("c", "3")] {
        writer.put(key.to_owned(), value.to_owned()).await.unwrap();
    }
    writer.put("a".to_owned(), "2".to_owned()).await.unwrap();
    writer.remove("b".to_owned()).await.unwrap();
    assert_eq!(writer.close(Duration::ZERO).await.left, 3);
    // Again, for the end of the journal.
    assert_eq!(writer.close(LIMIT).await.left, 3);
}

#[tokio::test]
async fn what_is_left_is_written_in_the_next_life_and_then_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    leave(&path).await;
    let (writer, taken) = build(config(&path), 100, false).unwrap();
    writer.flush().await;
    writer.close(LIMIT).await;
    let mut found = taken.lock().unwrap().clone();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    let put = |key: &str, value: &str| (key.to_owned(), Change::Put(value.to_owned()));
    assert_eq!(found, [put("a", "2"), ("b".to_owned(), Change::Remove), put("c", "3")]);
    let (writer, taken) = build(config(&path), 100, false).unwrap();
    writer.close(LIMIT).await;
    assert!(taken.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_left_may_be_more_than_may_be_pending() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    leave(&path).await;
    let (writer, taken) = build(config(&path), 2, false).unwrap();
    writer.flush().await;
    assert_eq!(taken.lock().unwrap().len(), 3);
    writer.close(LIMIT).await;
    // The bound is what it was: two, not three.
    let (writer, _) = build(config(&path), 2, true).unwrap();
    let put = |key: &str| writer.put(key.to_owned(), String::new());
    put("x").await.unwrap();
    put("y").await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(20), put("z")).await.is_err());
}

/// One more connection to the file, as another process might have.
fn other(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).unwrap()
}

#[tokio::test]
async fn an_older_write_is_never_written_over_a_newer_one_that_the_journal_had_no_room_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let (away, taken) = (Arc::new(AtomicBool::new(true)), Taken::default());
    let (seen, into) = (Arc::clone(&away), Arc::clone(&taken));
    let write = move |batch: Vec<_>| {
        if seen.load(Ordering::Relaxed) {
            return std::future::ready(Err(io::Error::other("away")));
        }
        into.lock().unwrap().extend(batch);
        std::future::ready(Ok(()))
    };
    let writer = WriteBehind::builder(write).journal(config(&path), Raw, Raw).build().unwrap();
    writer.put("a".to_owned(), "1".to_owned()).await.unwrap();
    let full = "CREATE TRIGGER full BEFORE INSERT ON pending WHEN NEW.value = x'32'
        BEGIN SELECT RAISE(ABORT, 'no room'); END";
    let file = other(&path);
    file.execute_batch(full).unwrap();
    let refused = writer.put("a".to_owned(), "2".to_owned()).await;
    assert!(matches!(refused, Err(WriteError::Journal(_))), "{refused:?}");
    away.store(false, Ordering::Relaxed);
    assert_eq!(writer.close(LIMIT).await.left, 0);
    let put = |value: &str| ("a".to_owned(), Change::Put(value.to_owned()));
    assert_eq!(*taken.lock().unwrap(), [put("2")]);
    let (writer, taken) = build(config(&path), 9, false).unwrap();
    writer.close(LIMIT).await;
    assert_eq!(*taken.lock().unwrap(), []);
}

#[tokio::test]
async fn closing_does_not_wait_for_a_journal_beyond_its_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let (writer, _) = build(config(&path), 9, true).unwrap();
    writer.put("a".to_owned(), "1".to_owned()).await.unwrap();
    let file = other(&path);
    file.execute_batch("BEGIN IMMEDIATE").unwrap();
    let late = writer.clone();
    let late = tokio::spawn(async move { late.put("b".to_owned(), "1".to_owned()).await });
    while writer.stats().pending < 2 {
        tokio::task::yield_now().await;
    }
    let report = writer.close(Duration::from_millis(1)).await;
    // Had it waited for the journal, that would have answered: it waits for its file, in vain.
    assert!(!late.is_finished());
    assert_eq!(report.left, 2);
    file.execute_batch("ROLLBACK").unwrap();
    drop(late.await);
}

#[tokio::test]
async fn a_record_that_was_changed_is_told_and_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    leave(&path).await;
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute("UPDATE pending SET value = x'00' WHERE version = 3", ()).unwrap();
    file.close().unwrap();
    assert!(matches!(build(config(&path), 9, false), Err(WriteBehindBuildError::Unreadable(_))));
}

#[tokio::test]
async fn a_file_that_is_no_journal_is_refused_or_moved_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    fs::write(&path, "no journal".repeat(1000)).unwrap();
    let error = build(config(&path), 9, false).err().unwrap();
    let damaged = matches!(error, WriteBehindBuildError::Journal(OpenError::Damaged { .. }));
    assert!(damaged, "{error:?}");
    let recreate = JournalConfig { on_corrupt: OnCorrupt::Recreate, ..config(&path) };
    let (writer, _) = build(recreate, 9, false).unwrap();
    writer.put("a".to_owned(), "1".to_owned()).await.unwrap();
    assert_eq!(writer.close(LIMIT).await.left, 0);
    assert!(folder.path().join("journal.damaged").exists());
}
