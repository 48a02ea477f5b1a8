//! The same conversations with nothing in memory: each step is served from the file on disk.

use std::time::Duration;

use tempfile::TempDir;
use vcache::DiskConfig;
use vcache::http::{Config, HttpCache};

use crate::converse::converse;
use crate::script::Step;

/// Longer than anything takes; time stands still but for the steps.
const LONG: Duration = Duration::from_secs(3600);

/// Runs a conversation whose memory is emptied before each step.
pub(crate) fn run(config: Config, steps: &'static [Step]) {
    let folder = TempDir::new().unwrap();
    let disk = DiskConfig { path: folder.path().join("pages.sqlite"), ..DiskConfig::default() };
    let config = Config { disk: Some(disk), disk_timeout: LONG, ..config };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    // The clock would run ahead while the disk is read: not as long as this is blocked.
    let (end, blocked) = std::sync::mpsc::channel::<()>();
    runtime.spawn_blocking(move || blocked.recv());
    runtime.block_on(converse(config, steps, empty));
    drop(end);
}

/// Moves everything to disk.
async fn empty(cache: HttpCache) {
    // What goes on behind an answer.
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert!(cache.flush(LONG).await);
    cache.empty_memory();
}
