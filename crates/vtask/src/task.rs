//! A background task with an owner: dropping the handle ends it, stopping it can be awaited.

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A task that runs as long as somebody holds it.
///
/// Dropping the handle aborts the task at its next `await`; [`stop`](Self::stop) ends it in an
/// orderly way and waits until it is gone. A panic inside is reported by the panic hook and ends
/// this task only.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// use vtask::Task;
///
/// let mut sum = Task::spawn(async { 1 + 1 });
/// assert_eq!(sum.wait().await, Some(2));
///
/// let endless = Task::spawn(std::future::pending::<()>());
/// assert_eq!(endless.stop().await, None);
/// # });
/// ```
#[derive(Debug)]
#[must_use = "dropping a task aborts it"]
pub struct Task<T = ()> {
    handle: Option<JoinHandle<Option<T>>>,
    stop: CancellationToken,
}

/// Tells a task that its owner wants it to stop; see [`Task::cooperative`].
#[derive(Debug, Clone)]
pub struct Stop(CancellationToken);

impl<T: Send + 'static> Task<T> {
    /// Runs `future` on the current runtime. [`stop`](Self::stop) drops it at its next `await`.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub fn spawn(future: impl Future<Output = T> + Send + 'static) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let handle = tokio::spawn(async move { stopped.run_until_cancelled(future).await });
        Self { handle: Some(handle), stop }
    }

    /// Runs a future that is told to stop and then ends by itself, in its own time.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    ///
    /// ```
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # runtime.block_on(async {
    /// use vtask::Task;
    ///
    /// let task = Task::cooperative(|stop| async move {
    ///     stop.requested().await;
    ///     "flushed"
    /// });
    /// assert_eq!(task.stop().await, Some("flushed"));
    /// # });
    /// ```
    pub fn cooperative<F>(start: impl FnOnce(Stop) -> F) -> Self
    where
        F: Future<Output = T> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let future = start(Stop(stop.clone()));
        let handle = tokio::spawn(async move { Some(future.await) });
        Self { handle: Some(handle), stop }
    }

    /// Asks the task to stop and waits until it is gone: its result, or `None` when it was stopped
    /// before it had one, or panicked.
    ///
    /// Cancel safety: a dropped `stop` aborts the task, as dropping the task does.
    pub async fn stop(mut self) -> Option<T> {
        self.stop.cancel();
        self.wait().await
    }

    /// Waits for the task to end by itself: its result, or `None` when it was stopped, panicked, or
    /// has given its result before.
    ///
    /// Cancel safety: a dropped `wait` leaves the task running and can be called again.
    pub async fn wait(&mut self) -> Option<T> {
        let result = self.handle.as_mut()?.await;
        // A handle must not be asked again after its answer.
        self.handle = None;
        result.ok().flatten()
    }

    /// Whether the task has ended, for whatever reason.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.handle.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if let Some(handle) = &self.handle {
            handle.abort();
        }
    }
}

impl Stop {
    /// Resolves when the owner wants the task to stop, at once if it already does.
    ///
    /// Cancel safety: nothing is lost when it is dropped.
    pub async fn requested(&self) {
        self.0.cancelled().await;
    }

    /// Whether the owner wants the task to stop.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Runs `future` until it ends, or until the owner wants the task to stop; `None` then, and the
    /// future is dropped.
    ///
    /// Cancel safety: that of `future`.
    pub async fn or<F: Future>(&self, future: F) -> Option<F::Output> {
        self.0.run_until_cancelled(future).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Waits until nobody but the test holds `held`.
    async fn released(held: &Arc<()>) {
        while Arc::strong_count(held) > 1 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_dropped_task_is_aborted() {
        let held = Arc::new(());
        let inside = held.clone();
        let task = Task::cooperative(|_stop| async move {
            let _inside = inside;
            std::future::pending::<()>().await;
        });
        tokio::task::yield_now().await;
        drop(task);
        released(&held).await;
    }

    #[tokio::test]
    async fn a_stopped_task_is_gone_when_stop_returns() {
        let held = Arc::new(());
        let inside = held.clone();
        let task = Task::spawn(async move {
            let _inside = inside;
            std::future::pending::<()>().await;
        });
        tokio::task::yield_now().await;
        assert_eq!(task.stop().await, None);
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[tokio::test]
    async fn a_cooperative_task_finishes_its_work_first() {
        let task = Task::cooperative(|stop| async move {
            let interrupted = stop.or(std::future::pending::<()>()).await;
            assert!(stop.is_requested());
            (interrupted, "saved")
        });
        assert_eq!(task.stop().await, Some((None, "saved")));
    }

    #[tokio::test]
    async fn a_result_is_given_once() {
        let mut task = Task::spawn(async { 7 });
        assert_eq!(task.wait().await, Some(7));
        assert_eq!(task.wait().await, None);
        assert!(task.is_finished());
    }

    #[tokio::test]
    async fn a_panic_ends_the_task_only() {
        let mut task = Task::<()>::spawn(async { panic!("on purpose") });
        assert_eq!(task.wait().await, None);
    }
}
