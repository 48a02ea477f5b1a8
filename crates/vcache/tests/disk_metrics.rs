//! What the store on disk and writing behind report.
#![cfg(all(feature = "disk", feature = "metrics", feature = "write-behind"))]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use vcache::{Change, DiskConfig, DiskStore, Store, WriteBehind};

/// Values by name and the label that is not the cache's.
fn told(snapshotter: &Snapshotter) -> HashMap<String, u64> {
    let all = snapshotter.snapshot().into_vec().into_iter();
    all.map(|(key, _, _, value)| {
        let label = key.key().labels().find(|label| label.key() != "cache");
        let label = label.map_or(String::new(), |label| format!(" {}", label.value()));
        let value = match value {
            DebugValue::Counter(value) => value,
            DebugValue::Gauge(value) => format!("{value}").parse().unwrap(),
            DebugValue::Histogram(_) => 0,
        };
        (format!("{}{label}", key.key().name()), value)
    })
    .collect()
}

#[tokio::test]
async fn the_disk_tells_of_its_room_and_its_troubles() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let config = DiskConfig { path, max_size: 1 << 20, ..DiskConfig::default() };
    let open = || DiskStore::named("pages", &config).unwrap();
    let store = metrics::with_local_recorder(&recorder, open);
    for number in 0..2000 {
        store.set(&format!("k{number}"), vec![0; 1024].into(), None).await.unwrap();
    }
    store.set("large", vec![0; 1 << 20].into(), None).await.unwrap();
    let (told, stats) = (told(&snapshotter), store.stats());
    assert_eq!(told["vcache_disk_used_bytes"], stats.used);
    assert!(stats.evicted > 500);
    assert_eq!(told["vcache_disk_evictions_total room"], stats.evicted);
    assert_eq!(told["vcache_disk_errors_total refused"], 1);
    assert_eq!(told["vcache_disk_errors_total write"], 0);
}

#[tokio::test(start_paused = true)]
async fn writing_behind_tells_what_it_saved() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let build = || {
        let write = |_: Vec<(u8, Change<u8>)>| async { Ok::<_, io::Error>(()) };
        WriteBehind::builder(write).name("counts").build().unwrap()
    };
    let writer = metrics::with_local_recorder(&recorder, build);
    for value in 0..10 {
        writer.put(1, value).await.unwrap();
    }
    writer.put(2, 0).await.unwrap();
    assert_eq!(told(&snapshotter)["vcache_writes_pending"], 2);
    writer.close(Duration::from_secs(1)).await;
    let told = told(&snapshotter);
    assert_eq!(told["vcache_writes_total written"], 2);
    assert_eq!(told["vcache_writes_pending"], 0);
}
