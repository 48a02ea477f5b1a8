//! The tiers of one cache, as the cache holds them.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use tokio::runtime::Handle;
use vtask::Task;

use crate::http::config::{BuildError, Config};
use crate::http::generation::Ticket;
use crate::http::key::Key;
use crate::http::purge::Pattern;
use crate::http::record::Place;
use crate::http::stored::Stored;
use crate::http::tiers::build;
use crate::http::tiers::desk::Job;
use crate::http::tiers::inner::Inner;
use crate::http::tiers::keep;
#[cfg(feature = "redis")]
use crate::http::tiers::lease::{Turn, take};
#[cfg(feature = "redis")]
use crate::http::tiers::listen::listen;
use crate::http::tiers::near::Near;
use crate::http::tiers::stats::TiersStats;
use crate::store::StoreError;

/// The tiers of one cache. What works for them in the background ends with this.
pub(crate) struct Tiers {
    inner: Arc<Inner>,
    started: AtomicBool,
    tasks: Mutex<Vec<Task>>,
}

impl Tiers {
    /// The tiers that `config` asks for; `None` if it asks for none.
    pub(crate) fn new(config: &Config) -> Result<Option<Self>, BuildError> {
        let inner = build::inner(config)?;
        let (started, tasks) = (AtomicBool::new(false), Mutex::default());
        Ok(inner.map(|inner| Self { inner: Arc::new(inner), started, tasks }))
    }

    /// Begins to work in the background, once and if there is a runtime.
    pub(crate) fn start(&self, near: impl FnOnce() -> Weak<dyn Near>) {
        if self.started.load(Ordering::Acquire) || Handle::try_current().is_err() {
            return;
        }
        if self.started.swap(true, Ordering::AcqRel) {
            return;
        }
        let near = near();
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for lane in self.inner.desk.work() {
            let work = keep::work(Arc::clone(&self.inner), Weak::clone(&near), lane);
            tasks.push(Task::spawn(work));
        }
        #[cfg(feature = "redis")]
        if self.inner.remote.is_some() {
            tasks.push(Task::spawn(listen(Arc::clone(&self.inner), near)));
        }
    }

    /// Learns, the first time, which purges there were before this process.
    pub(crate) async fn load(&self) {
        self.inner.load().await;
    }

    /// What is known of the purges, for what the origin is asked from now on.
    pub(crate) fn place(&self) -> Place {
        self.inner.journal.place()
    }

    /// Whether what was received then may be used now without asking the origin.
    pub(crate) fn cover(&self, received: SystemTime, now: SystemTime) -> bool {
        self.inner.trust.covers(received, now)
    }

    /// Keeps a response on every tier, later.
    pub(crate) fn keep(&self, key: &Key, ticket: Ticket, stored: &Arc<Stored>) {
        self.inner.keep(key, ticket, stored, usize::MAX);
    }

    /// Drops, later, what the tiers have of a URL, because the origin has disowned it.
    pub(crate) fn forget(&self, key: &Key) {
        self.inner.desk.leave(key, Job::Forget);
    }

    /// Which tiers to look into for a request, the nearer first. Memory has what this machine's
    /// disk has; what others fetched meanwhile it has not.
    pub(crate) fn numbers(&self, only_shared: bool) -> impl Iterator<Item = usize> {
        let shelves = self.inner.shelves.iter().enumerate();
        shelves.filter(move |(_, shelf)| shelf.is_shared() || !only_shared).map(|(at, _)| at)
    }

    /// What tier `number` has for a request, as far as it was not purged; and the ticket to store
    /// it with, which knows of no more purges than whoever put it there.
    pub(crate) async fn find(
        &self,
        number: usize,
        near: &dyn Near,
        (key, request): (&Key, &HeaderMap),
        ticket: Ticket,
    ) -> Option<(Arc<Stored>, Ticket)> {
        self.inner.load().await;
        let shelf = self.inner.shelves.get(number)?;
        self.inner.find(shelf, near, (key, request), ticket).await
    }

    /// Keeps what tier `number` had on the nearer ones as well.
    pub(crate) fn promote(&self, number: usize, key: &Key, ticket: Ticket, stored: &Arc<Stored>) {
        if number > 0 {
            self.inner.keep(key, ticket, stored, number);
        }
    }

    /// Notes a purge where all tiers, and all gateways, find it; memory is to be purged after it.
    /// Where that fails the purge counts in this process, and is told later.
    pub(crate) async fn tell(
        &self,
        near: &dyn Near,
        pattern: &Pattern,
        hard: bool,
    ) -> Result<(), StoreError> {
        let told = self.inner.tell(near, pattern, hard).await;
        if told.is_err() {
            self.inner.journal.defer(pattern.clone(), hard);
        }
        told
    }

    /// The same for one who cannot wait.
    pub(crate) fn tell_later(&self, pattern: &Pattern, hard: bool) {
        self.inner.tell_later(pattern, hard);
    }

    /// Drops what the tiers have of a URL, because an unsafe request has changed it. Only if there
    /// was anything it is noted as a purge: most of such requests are to URLs that nobody stores.
    pub(crate) async fn drop_url(&self, near: &dyn Near, key: &Key) {
        if self.inner.had_url(near, key).await {
            let _ = self.tell(near, &Pattern::Key(key.clone()), true).await;
        }
    }

    /// Whether gateways share fetches.
    pub(crate) fn shares_fetches(&self) -> bool {
        #[cfg(feature = "redis")]
        return self.inner.remote.as_ref().is_some_and(|remote| remote.fleet.is_some());
        #[cfg(not(feature = "redis"))]
        return false;
    }

    /// Whose turn it is to fetch for all gateways, where they share fetches and can tell.
    #[cfg(feature = "redis")]
    pub(crate) async fn turn(
        &self,
        now: SystemTime,
        (key, request): (&Key, &HeaderMap),
    ) -> Option<Turn> {
        take(&self.inner, now, (key, request)).await
    }

    /// Waits until what waits to be written is written, but no longer than `most`.
    pub(crate) async fn flush(&self, most: Duration) -> bool {
        self.inner.desk.empty(most).await
    }

    /// The same, and closes what is this process's own.
    pub(crate) async fn close(&self, most: Duration) -> bool {
        let is_empty = self.flush(most).await;
        self.inner.save_again().await;
        for shelf in &self.inner.shelves {
            shelf.close().await;
        }
        is_empty
    }

    pub(crate) fn stats(&self, now: SystemTime) -> TiersStats {
        self.inner.stats(now)
    }
}

impl fmt::Debug for Tiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.inner.shelves.iter().map(|shelf| shelf.name());
        f.debug_list().entries(names).finish()
    }
}
