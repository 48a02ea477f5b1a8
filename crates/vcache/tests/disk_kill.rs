//! A process that is killed in mid-write, again and again; and one whose disk is full.
#![cfg(all(unix, feature = "disk", feature = "write-behind"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "tests"
)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use vcache::{Change, DiskConfig, DiskStore, JournalConfig, Raw, Store, StoreError};
use vcache::{WriteBehind, WriteBehindConfig};

const KILLS: u64 = 100;
/// Tells a child where to work.
const FOLDER: &str = "VCACHE_TEST_FOLDER";
/// Tells a child which life it is.
const LIFE: &str = "VCACHE_TEST_LIFE";

/// This program again, to run one of the tests below that are ignored otherwise.
fn child(test: &str, folder: &Path, life: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(FOLDER, folder).env(LIFE, life.to_string());
    command
}

fn place() -> Option<(PathBuf, u64)> {
    let folder = std::env::var_os(FOLDER)?;
    Some((folder.into(), std::env::var(LIFE).ok()?.parse().ok()?))
}

/// Lets the child acknowledge for a while, kills it, and gives what it said.
fn killed(mut child: Child, after: usize) -> Vec<String> {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said: Vec<String> = Vec::new();
    while said.len() < after {
        let line = lines.next().expect("the child ended by itself").unwrap();
        said.extend(line.strip_prefix("ack ").map(str::to_owned));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What it had said before it died; the last line may be cut.
    let text: Vec<String> = lines.map_while(Result::ok).collect();
    let whole = text.len().saturating_sub(1);
    said.extend(
        text.iter().take(whole).filter_map(|line| line.strip_prefix("ack ")).map(str::to_owned),
    );
    said
}

fn config(folder: &Path) -> DiskConfig {
    DiskConfig { path: folder.join("store.sqlite"), verify: true, ..DiskConfig::default() }
}

fn value(key: &str) -> Bytes {
    format!("{key:>1000}").into()
}

#[tokio::test]
#[ignore = "run by the test that kills it"]
async fn child_that_stores() {
    let Some((folder, life)) = place() else { return };
    let store = DiskStore::open(&config(&folder)).unwrap();
    let tasks: Vec<_> = (0..16)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in 0_u64.. {
                    let key = format!("{life}-{task}-{number}");
                    store.set(&key, value(&key), None).await.unwrap();
                    println!("ack {key}");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn a_killed_store_has_all_that_it_acknowledged_and_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for life in 0..KILLS {
        let mut child = child("child_that_stores", folder.path(), life);
        let child = child.stdout(Stdio::piped()).spawn().unwrap();
        let after = usize::try_from(1 + life * 37 % 400).unwrap();
        let said = killed(child, after);
        // Opening checks the whole file.
        let store = DiskStore::open(&config(folder.path())).unwrap();
        acknowledged.extend(said);
        for key in acknowledged.iter().rev().take(2000) {
            let stored = store.get(key).await.unwrap();
            assert_eq!(stored.expect("an acknowledged write is lost").value, value(key));
        }
        assert_eq!(store.stats().damaged, 0);
        store.close().await;
    }
    let store = DiskStore::open(&config(folder.path())).unwrap();
    for key in &acknowledged {
        assert!(store.get(key).await.unwrap().is_some(), "{key} is lost");
    }
    let writes = acknowledged.len();
    println!("the store: {KILLS} kills, {writes} writes acknowledged, none lost, none damaged");
}

fn behind(
    folder: &Path,
    write: impl Fn(Vec<(String, Change<String>)>) -> Result<(), std::io::Error> + Send + Sync + 'static,
) -> WriteBehind<String, String> {
    WriteBehind::builder(move |batch| std::future::ready(write(batch)))
        .config(WriteBehindConfig {
            batch: 10,
            interval: Duration::from_millis(2),
            ..WriteBehindConfig::default()
        })
        .journal(
            JournalConfig { path: folder.join("journal.sqlite"), ..JournalConfig::default() },
            Raw,
            Raw,
        )
        .build()
        .unwrap()
}

#[tokio::test]
#[ignore = "run by the test that kills it"]
async fn child_that_writes_behind() {
    let Some((folder, life)) = place() else { return };
    // A source that takes every other batch, and says so after it has taken it.
    let turn = Mutex::new(false);
    let writer = behind(&folder, move |batch| {
        let mut turn = turn.lock().unwrap();
        *turn = !*turn;
        if *turn {
            return Err(std::io::Error::other("away"));
        }
        for (key, change) in batch {
            if let Change::Put(value) = change {
                println!("source {key} {value}");
            }
        }
        Ok(())
    });
    for number in 0_u64.. {
        // Few keys, written again and again.
        let key = format!("k{}", number % 23);
        let value = format!("{life}.{number}");
        writer.put(key.clone(), value.clone()).await.unwrap();
        println!("ack {key} {value}");
    }
}

/// `life.number`, which grow.
fn version(value: &str) -> (u64, u64) {
    let (life, number) = value.split_once('.').unwrap();
    (life.parse().unwrap(), number.parse().unwrap())
}

#[tokio::test]
async fn a_killed_writer_brings_all_that_it_acknowledged_to_the_source() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged: HashMap<String, (u64, u64)> = HashMap::new();
    // What the source has: told by the children as far as can be known, and at the end replayed.
    let source = Arc::new(Mutex::new(HashMap::<String, (u64, u64)>::new()));
    for life in 0..KILLS {
        let mut child = child("child_that_writes_behind", folder.path(), life);
        let mut child = child.stdout(Stdio::piped()).spawn().unwrap();
        let after = usize::try_from(1 + life * 37 % 200).unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acks = 0;
        let mut said = Vec::new();
        while acks < after {
            let line = lines.next().expect("the child ended by itself").unwrap();
            acks += usize::from(line.starts_with("ack "));
            said.push(line);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        said.extend(rest.iter().take(rest.len().saturating_sub(1)).cloned());
        for line in said {
            let mut words = line.split(' ');
            let (Some(what), Some(key), Some(value)) = (words.next(), words.next(), words.next())
            else {
                continue;
            };
            match what {
                "ack" => drop(acknowledged.insert(key.to_owned(), version(value))),
                "source" => drop(source.lock().unwrap().insert(key.to_owned(), version(value))),
                _ => {}
            }
        }
    }
    let into = Arc::clone(&source);
    let writer = behind(folder.path(), move |batch| {
        for (key, change) in batch {
            if let Change::Put(value) = change {
                into.lock().unwrap().insert(key, version(&value));
            }
        }
        Ok(())
    });
    let report = writer.close(Duration::from_secs(10)).await;
    assert_eq!(report.left, 0);
    let source = source.lock().unwrap();
    for (key, version) in &acknowledged {
        let has = source.get(key).expect("an acknowledged write is lost");
        // A write may be committed, and not yet acknowledged when the kill came.
        assert!(has >= version, "{key}: the source has {has:?}, acknowledged was {version:?}");
    }
    let keys = acknowledged.len();
    println!("the journal: {KILLS} kills, {keys} keys acknowledged, none older in the source");
}

#[tokio::test]
#[ignore = "run by the test that leaves it no room"]
async fn child_on_a_full_disk() {
    let Some((folder, _)) = place() else { return };
    let store = DiskStore::open(&config(&folder)).unwrap();
    store.set("early", "v".into(), None).await.unwrap();
    let mut failed = None;
    for number in 0..100_000 {
        let key = format!("k{number}");
        if let Err(error) = store.set(&key, value(&key), None).await {
            failed = Some((number, error));
            break;
        }
    }
    let (number, error) = failed.expect("there was room");
    assert!(!error.is_transient() && !matches!(error, StoreError::Closed), "{error:?}");
    assert!(store.stats().write_errors > 0);
    assert_eq!(store.get("early").await.unwrap().unwrap().value, "v");
    let before = format!("k{}", number - 1);
    assert_eq!(store.get(&before).await.unwrap().unwrap().value, value(&before));
    println!("went on without room: {error:?}");
}

#[test]
fn on_a_full_disk_writes_fail_and_reads_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let inner = child("child_on_a_full_disk", folder.path(), 0);
    // No file may grow beyond a few MiB, and that is an error and not a signal.
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 8192; exec \"$@\"", "sh"]);
    limited
        .arg(inner.get_program())
        .args(inner.get_args())
        .env(FOLDER, folder.path())
        .env(LIFE, "0");
    let output = limited.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("went on without room"), "{said}");
}
