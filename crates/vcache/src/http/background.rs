//! Fetches that no request owns: fills, and refreshes behind stale answers (RFC 5861 §3).

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::http::audience::Audience;

/// The fetches under way. It belongs to the cache's handles and to the bodies that read from a
/// fetch; dropped with the last of them, it ends what is left.
///
/// A fetch that somebody waits for or reads goes on as long as it takes. Without anybody it needs
/// one of a bounded number of places, and has a bounded time.
#[derive(Debug)]
pub(crate) struct Background {
    tasks: Mutex<JoinSet<()>>,
    places: Arc<Semaphore>,
    max: usize,
    limit: Duration,
}

impl Background {
    pub(crate) fn new(max: usize, limit: Duration) -> Self {
        let max = max.min(Semaphore::MAX_PERMITS);
        Self { tasks: Mutex::default(), places: Arc::new(Semaphore::new(max)), max, limit }
    }

    /// Runs `work` for `audience` on the current runtime. Outside of one it is dropped.
    pub(crate) fn spawn(
        &self,
        audience: Audience,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        if Handle::try_current().is_err() {
            return;
        }
        let attended = attended(audience, work, Arc::clone(&self.places), self.limit);
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(attended);
    }

    /// How many are under way.
    pub(crate) fn under_way(&self) -> usize {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.len()
    }

    /// How many go on without anybody who waits.
    pub(crate) fn len(&self) -> usize {
        self.max.saturating_sub(self.places.available_permits())
    }
}

/// Runs `work` to its end; dropped before that, it releases who waits for it.
async fn attended(
    audience: Audience,
    work: impl Future<Output = ()>,
    places: Arc<Semaphore>,
    limit: Duration,
) {
    let mut work = pin!(work);
    loop {
        if let Either::Left(_) = select(work.as_mut(), pin!(audience.empty())).await {
            return;
        }
        let Ok(_place) = places.try_acquire() else {
            return;
        };
        let mut somebody = pin!(audience.present());
        match timeout(limit, select(work.as_mut(), somebody.as_mut())).await {
            Ok(Either::Right(_)) => {}
            Ok(Either::Left(_)) | Err(_) => return,
        }
    }
}
