//! Refreshes behind stale answers, owned by the cache's handles: RFC 5861 §3.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
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
        Self { tasks: Mutex::new(Vec::new()), max, timeout }
    }

    /// Runs `refresh` on the current runtime, for a bounded time. When too many run, or outside
    /// of a runtime, it is dropped: the next stale answer tries again.
    pub(crate) fn spawn(&self, refresh: impl Future<Output = ()> + Send + 'static) {
        if Handle::try_current().is_err() {
            return;
        }
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|task| !task.is_finished());
        if tasks.len() < self.max {
            let limit = self.timeout;
            tasks.push(Task::spawn(async move {
                // Out of time, the refresh is dropped and releases who waited for it.
                let _ = tokio::time::timeout(limit, refresh).await;
            }));
        }
    }

    /// How many are under way.
    pub(crate) fn len(&self) -> usize {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.iter().filter(|task| !task.is_finished()).count()
    }
}
