//! Places that the disk tier and the journal cannot write to: full, or read-only.
#![cfg(all(unix, feature = "disk", feature = "write-behind"))]
#![allow(
    clippy::unwrap_used,
    clippy::exit,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "tests"
)]

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use vcache::{Change, DiskConfig, DiskStore, JournalConfig, OpenError, Raw, Store};
use vcache::{WriteBehind, WriteBehindBuildError, WriteBehindConfig, WriteError};

/// Tells a child where to work.
const FOLDER: &str = "VCACHE_TEST_FOLDER";
/// A user that owns nothing, for tests that are run by one who may write anywhere.
const NOBODY: u32 = 65_534;

fn place() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

fn passed(output: &Output) {
    let said = String::from_utf8_lossy(&output.stdout);
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("went on"), "{said}{why}");
}

fn arguments(test: &str) -> [&str; 5] {
    ["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]
}

type Source = Arc<Mutex<Vec<(String, Change<String>)>>>;

/// A writer whose source is away, or takes everything.
fn writer(
    folder: &Path,
    away: bool,
) -> Result<(WriteBehind<String, String>, Source), WriteBehindBuildError> {
    let source = Source::default();
    let into = Arc::clone(&source);
    let write = move |batch: Vec<_>| {
        if away {
            return std::future::ready(Err(io::Error::other("away")));
        }
        into.lock().unwrap().extend(batch);
        std::future::ready(Ok(()))
    };
    let journal = JournalConfig { path: folder.join("journal.sqlite"), ..JournalConfig::default() };
    let config = WriteBehindConfig { max_pending: 200_000, ..WriteBehindConfig::default() };
    let writer = WriteBehind::builder(write).config(config).journal(journal, Raw, Raw).build()?;
    Ok((writer, source))
}

#[tokio::test]
#[ignore = "run by the test that leaves it no room"]
async fn child_with_a_full_journal() {
    let Some(folder) = place() else { return };
    let (writer, _) = writer(&folder, true).unwrap();
    let value = "v".repeat(1000);
    let mut taken = 0;
    let refused = loop {
        match writer.put(format!("k{taken}"), value.clone()).await {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 100_000, "there was room");
    };
    assert!(matches!(refused, WriteError::Journal(_)), "{refused:?}");
    fs::write(folder.join("taken"), taken.to_string()).unwrap();
    println!("went on without room: {refused:?}");
    // Ends without closing, like a process that is killed.
    std::process::exit(0);
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_loses_none_that_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    // No file may grow beyond a few MiB, and that is an error and not a signal.
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 8192; exec \"$@\"", "sh"]);
    limited.arg(std::env::current_exe().unwrap()).args(arguments("child_with_a_full_journal"));
    passed(&limited.env(FOLDER, folder.path()).output().unwrap());
    let taken = fs::read_to_string(folder.path().join("taken")).unwrap();
    let taken: usize = taken.parse().unwrap();
    let (writer, source) = writer(folder.path(), false).unwrap();
    let report = writer.close(Duration::from_secs(30)).await;
    assert_eq!(report.left, 0);
    let source = source.lock().unwrap();
    let keys: std::collections::HashSet<&str> =
        source.iter().map(|(key, _)| key.as_str()).collect();
    assert!(taken > 100);
    for number in 0..taken {
        assert!(keys.contains(format!("k{number}").as_str()), "k{number} is lost");
    }
}

fn store(folder: &Path) -> Result<DiskStore, OpenError> {
    DiskStore::open(&DiskConfig { path: folder.join("store.sqlite"), ..DiskConfig::default() })
}

#[tokio::test]
#[ignore = "run by the test that makes its place read-only"]
async fn child_in_a_read_only_place() {
    let Some(folder) = place() else { return };
    for folder in [folder.join("empty"), folder.join("filled")] {
        let error = store(&folder).expect_err("it can be written");
        assert!(matches!(error, OpenError::Unusable { .. }), "{error:?}");
        let Err(error) = writer(&folder, true) else { panic!("it can be written") };
        let unusable = matches!(error, WriteBehindBuildError::Journal(OpenError::Unusable { .. }));
        assert!(unusable, "{error:?}");
    }
    println!("went on without a place");
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_read_only_place_is_told_when_opening_and_nothing_in_it_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let (empty, filled) = (folder.path().join("empty"), folder.path().join("filled"));
    fs::create_dir(&empty).unwrap();
    fs::create_dir(&filled).unwrap();
    let kept = store(&filled).unwrap();
    kept.set("a", "v".into(), None).await.unwrap();
    kept.close().await;
    let (pending, _) = writer(&filled, true).unwrap();
    pending.put("a".to_owned(), "v".to_owned()).await.unwrap();
    pending.close(Duration::ZERO).await;
    // Again, for the end of the journal.
    pending.close(Duration::from_secs(20)).await;
    let files = || -> Vec<_> {
        let mut found: Vec<_> = fs::read_dir(&filled).unwrap().map(|e| e.unwrap().path()).collect();
        found.sort();
        found.iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    };
    let before = files();
    for (path, _) in &before {
        allow(path, 0o444);
    }
    // Copied to where anybody may run it.
    let program = folder.path().join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    for path in [folder.path(), &empty, &filled, &program] {
        allow(path, 0o555);
    }
    let mut child = Command::new(&program);
    child.args(arguments("child_in_a_read_only_place")).env(FOLDER, folder.path());
    if fs::metadata(folder.path()).unwrap().uid() == 0 {
        child.uid(NOBODY).gid(NOBODY);
    }
    passed(&child.output().unwrap());
    assert!(files() == before, "a file was touched");
    for path in [folder.path(), &empty, &filled] {
        allow(path, 0o755);
    }
    // As before, once it may be written again.
    for (path, _) in &before {
        allow(path, 0o644);
    }
    let kept = store(&filled).unwrap();
    assert_eq!(kept.get("a").await.unwrap().unwrap().value, "v");
}
