//! Refreshes behind stale answers, owned by the cache's handles: RFC 5861 §3.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use vtask::Task;

/// The refreshes under way; dropped with the last handle, it ends them.
#[derive(Debug)]
pub(crate) struct Refreshes {
    tasks: Mutex<Vec<Task>>,
    max: usize,
    timeout: Duration,
}

impl Refreshes {
    pub(crate) const fn new(max: usize, timeout: Duration) -> Self {
        Self {
            tasks: Mutex::new(Vec::new()),
            max,
            timeout,
        }
    }

    /// Runs `refresh` on the current runtime, for a bounded time. When too many run, it is
    /// dropped: the next stale answer tries again.
    pub(crate) fn spawn(&self, refresh: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|task| !task.is_finished());
        if tasks.len() < self.max {
            let limited = tokio::time::timeout(self.timeout, refresh);
            tasks.push(Task::spawn(async move {
                // Out of time, the refresh is dropped and releases who waited for it.
                let _ = limited.await;
            }));
        }
    }

    /// How many are under way.
    pub(crate) fn len(&self) -> usize {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.iter().filter(|task| !task.is_finished()).count()
    }
}
