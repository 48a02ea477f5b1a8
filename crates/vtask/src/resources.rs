//! What has to be cleaned up at the end: in reverse order, each with its own limit.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::task::Task;

/// Resources to clean up after the drain, last registered first.
///
/// A hook that fails to end in time, or panics, is given up and does not keep the others from
/// running. Clones are the same list.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
/// # runtime.block_on(async {
/// use std::time::Duration;
/// use vtask::{Ending, Resources};
///
/// let resources = Resources::new();
/// resources.register("pool", Duration::from_secs(5), || async { /* close it */ });
/// resources.register("metrics", Duration::from_secs(2), || async { /* flush them */ });
///
/// let outcomes = resources.clean_up().await;
/// assert_eq!(outcomes[0].name, "metrics");
/// assert!(outcomes.iter().all(|outcome| outcome.ending == Ending::Done));
/// # });
/// ```
#[derive(Clone, Default)]
pub struct Resources {
    hooks: Arc<Mutex<Vec<Hook>>>,
}

/// How the clean-up of one resource went.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The name that it was registered with.
    pub name: String,
    /// How it ended.
    pub ending: Ending,
    /// How long it took.
    pub took: Duration,
}

/// How a hook ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// It ran to its end.
    Done,
    /// It took too long and was aborted.
    TimedOut,
    /// It panicked; the panic hook has reported it.
    Panicked,
}

struct Hook {
    name: String,
    limit: Duration,
    start: Box<dyn FnOnce() -> Running + Send>,
}

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Resources {
    /// No resources yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a resource: at [`clean_up`](Self::clean_up), `hook` runs for at most `limit`.
    ///
    /// The hook must not block its thread: nothing can end that, so no limit holds.
    pub fn register<F, Fut>(&self, name: impl Into<String>, limit: Duration, hook: F)
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.lock().push(Hook {
            name: name.into(),
            limit,
            start: Box::new(|| Box::pin(async { hook().await })),
        });
    }

    /// Runs every hook, one after another, last registered first, and forgets them.
    ///
    /// Cancel safety: when it is dropped the hook under way is aborted; the others stay registered
    /// and run at the next call.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub async fn clean_up(&self) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        while let Some(hook) = self.last() {
            outcomes.push(hook.run().await);
        }
        outcomes
    }

    fn last(&self) -> Option<Hook> {
        self.lock().pop()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Hook>> {
        // A list of hooks is whole between any two operations.
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hook {
    async fn run(self) -> Outcome {
        let began = Instant::now();
        let mut task = Task::spawn((self.start)());
        let ending = match timeout(self.limit, task.wait()).await {
            Ok(Some(())) => Ending::Done,
            Ok(None) => Ending::Panicked,
            Err(_) => Ending::TimedOut,
        };
        Outcome { name: self.name, ending, took: began.elapsed() }
    }
}

impl fmt::Debug for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hooks = self.lock();
        let names = hooks.iter().map(|hook| &hook.name);
        f.debug_list().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn one_bad_hook_does_not_stop_the_others() {
        let resources = Resources::new();
        resources.register("first", LIMIT, || async {});
        resources.register("hangs", LIMIT, std::future::pending);
        resources.register("panics", LIMIT, || async { panic!("on purpose") });
        resources.register("slow", LIMIT, || tokio::time::sleep(LIMIT / 5));
        assert_eq!(format!("{resources:?}"), r#"["first", "hangs", "panics", "slow"]"#);

        let outcomes = resources.clean_up().await;
        let found: Vec<_> = outcomes
            .iter()
            .map(|outcome| (&*outcome.name, outcome.ending, outcome.took.as_secs()))
            .collect();
        let expected = [
            ("slow", Ending::Done, 1),
            ("panics", Ending::Panicked, 0),
            ("hangs", Ending::TimedOut, 5),
            ("first", Ending::Done, 0),
        ];
        assert_eq!(found, expected);
        assert!(resources.clean_up().await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_clean_up_can_be_resumed() {
        let resources = Resources::new();
        resources.register("left", LIMIT, || async {});
        resources.register("hangs", LIMIT, std::future::pending);
        let given_up = timeout(LIMIT / 5, resources.clean_up()).await;
        assert!(given_up.is_err());
        assert_eq!(resources.clean_up().await[0].name, "left");
    }
}
