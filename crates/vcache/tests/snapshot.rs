//! A cache that is written and read back: hottest first, times and tags kept, damage noticed.
#![cfg(feature = "snapshot")]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use vcache::{Cache, Keep, Loaded, ManualClock, Memory, Raw, SnapshotError};

const HOUR: Duration = Duration::from_secs(3600);

type Texts = Memory<u64, String>;

fn texts(entries: u64) -> Texts {
    Memory::builder().max_weight(entries * Texts::overhead()).shards(4).build().unwrap()
}

fn saved(cache: &Texts) -> Vec<u8> {
    let mut file = Vec::new();
    let saved = cache.save(&mut file, &Raw, &Raw).unwrap();
    assert_eq!(saved.entries, cache.iter().count() as u64);
    file
}

#[test]
fn a_file_brings_back_all_that_was_there() {
    let cache = texts(1000);
    for key in 0..500 {
        cache.insert(key, format!("value {key}"));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache");
    cache.save(BufWriter::new(File::create(&path).unwrap()), &Raw, &Raw).unwrap();
    let after = texts(1000);
    after.insert(7, "newer".to_owned());
    let restored = after.restore(BufReader::new(File::open(&path).unwrap()), &Raw, &Raw).unwrap();
    assert_eq!((restored.entries, restored.present, restored.damaged), (499, 1, false));
    assert_eq!(after.get(&7).as_deref(), Some("newer"));
    assert!((8..500).all(|key| after.get(&key) == Some(format!("value {key}"))));
}

#[test]
fn a_smaller_cache_gets_the_hottest() {
    let cache = texts(1000);
    for key in 0..1000 {
        cache.insert(key, String::new());
    }
    for _ in 0..8 {
        for key in 300..400 {
            assert!(cache.get(&key).is_some());
        }
    }
    let after = texts(100);
    let restored = after.restore(saved(&cache).as_slice(), &Raw, &Raw).unwrap();
    assert_eq!((restored.entries, restored.full), (100, true));
    assert!((300..400).all(|key| after.contains(&key)));
    // They are as hot as they were: what comes once does not drive them out.
    for key in 5000..6000 {
        after.insert(key, String::new());
    }
    assert!((300..400).filter(|key| after.contains(key)).count() > 80);
}

#[test]
fn what_is_left_of_a_time_goes_on() {
    let clock = ManualClock::new();
    let timed = || {
        let cache = Texts::builder().clock(clock.clone());
        cache.build().unwrap()
    };
    let cache = timed();
    cache.insert_with(1, "ttl".to_owned(), Keep::new().ttl(2 * HOUR));
    cache.insert_with(2, "tti".to_owned(), Keep::new().tti(2 * HOUR).ttl(5 * HOUR).pinned());
    cache.insert_with(3, "short".to_owned(), Keep::new().ttl(Duration::from_nanos(1)));
    let file = saved(&cache);
    let after = timed();
    let restored = after.restore(file.as_slice(), &Raw, &Raw).unwrap();
    // Time has passed on the wall.
    assert_eq!(restored.entries + restored.expired, 3);
    assert!(restored.entries >= 2);
    assert!(after.get_with_ttl(&1).unwrap().1.unwrap() <= 2 * HOUR);
    clock.advance(HOUR);
    assert_eq!(after.get(&2).as_deref(), Some("tti"));
    clock.advance(HOUR);
    assert_eq!((after.get(&1), after.get(&2).is_some()), (None, true));
    clock.advance(2 * HOUR);
    assert_eq!(after.get(&2), None);
}

#[test]
fn a_cache_keeps_tags_and_staleness() {
    let clock = ManualClock::new();
    let made = || {
        let cache = Cache::<String, String>::builder().clock(clock.clone()).index_prefixes();
        cache.build().unwrap()
    };
    let cache = made();
    let tagged = Loaded::new("one".to_owned()).ttl(HOUR).tags(["a", "b"]);
    cache.insert_loaded("x:1".to_owned(), tagged.stale_if_error(HOUR));
    cache.insert("x:2".to_owned(), "two".to_owned());
    cache.insert_loaded("x:3".to_owned(), Loaded::new("three".to_owned()).tags(["gone"]));
    cache.invalidate_tag("gone");
    let mut file = Vec::new();
    assert_eq!(cache.save(&mut file, &Raw, &Raw).unwrap().entries, 2);
    let after = made();
    assert_eq!(after.restore(file.as_slice(), &Raw, &Raw).unwrap().entries, 2);
    assert_eq!(after.get("x:1").as_deref(), Some("one"));
    let left = after.get_with_ttl("x:1").unwrap().1.unwrap();
    assert!(left <= HOUR);
    after.invalidate_tag("b");
    assert_eq!((after.get("x:1"), after.get("x:2").as_deref()), (None, Some("two")));
    after.remove_prefix("x:");
    assert!(after.is_empty());
}

#[test]
fn a_snapshot_may_be_taken_while_others_write() {
    let cache = texts(2000);
    for key in 0..1000 {
        cache.insert(key, key.to_string());
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            for key in 1000..20_000 {
                cache.insert(key % 3000 + 1000, String::new());
            }
        });
        let mut file = Vec::new();
        cache.save(&mut file, &Raw, &Raw).unwrap();
        let after = texts(100_000);
        let restored = after.restore(file.as_slice(), &Raw, &Raw).unwrap();
        assert!(!restored.damaged && restored.undecodable == 0);
        for (key, value) in after.iter() {
            assert!(value.is_empty() || value == key.to_string());
        }
    });
}

/// Takes so many bytes and no more.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_and_foreign_bytes_are_errors() {
    let cache = texts(10);
    cache.insert(1, "x".repeat(100));
    assert!(matches!(cache.save(Full(60), &Raw, &Raw), Err(SnapshotError::Io(_))));
    for foreign in [&b""[..], b"VCACHE", &[0; 64], b"a text of more than twenty bytes"] {
        let error = cache.restore(foreign, &Raw, &Raw).unwrap_err();
        assert!(matches!(error, SnapshotError::Foreign));
    }
}

#[test]
fn a_key_that_is_none_is_left_out() {
    let cache = Memory::<String, String>::builder().build().unwrap();
    cache.insert("short".to_owned(), "value".to_owned());
    let mut file = Vec::new();
    cache.save(&mut file, &Raw, &Raw).unwrap();
    let restored = texts(10).restore(file.as_slice(), &Raw, &Raw).unwrap();
    assert_eq!((restored.entries, restored.undecodable, restored.damaged), (0, 1, false));
}

proptest! {
    /// Whatever happened to the file: no value that was not there, and no silence about it.
    #[test]
    fn damage_brings_no_wrong_value(at in any::<prop::sample::Index>(), bits in 1_u8.., cut: bool) {
        let cache = texts(100);
        for key in 0..20 {
            cache.insert(key, format!("value {key}"));
        }
        let mut file = saved(&cache);
        let at = at.index(file.len());
        if cut { file.truncate(at) } else { file[at] ^= bits }
        let after = texts(100);
        if let Ok(restored) = after.restore(file.as_slice(), &Raw, &Raw) {
            prop_assert!(restored.damaged);
        }
        for (key, value) in after.iter() {
            prop_assert_eq!(value, format!("value {key}"));
        }
    }
}
