//! The requests under way, owned by the handles: they end with the last one.

use std::sync::{Mutex, PoisonError};

use tokio::runtime::Handle;
use vtask::Task;

/// Ended tasks are cleared away when so many have come together, at least.
const SWEEP: usize = 64;

/// Tasks in the background.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    tasks: Mutex<Tasks>,
}

#[derive(Debug, Default)]
struct Tasks {
    list: Vec<Task>,
    sweep_at: usize,
}

impl Runs {
    /// Runs `task` on the current runtime; false outside of one.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> bool {
        if Handle::try_current().is_err() {
            return false;
        }
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if tasks.list.len() >= tasks.sweep_at {
            tasks.list.retain(|task| !task.is_finished());
            tasks.sweep_at = (2 * tasks.list.len()).max(SWEEP);
        }
        tasks.list.push(Task::spawn(task));
        true
    }
}
