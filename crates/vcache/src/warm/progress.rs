//! How far warming is, and watching it.

use tokio::sync::watch;

/// How far a round of warming is. When it is over, its figures stay until the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Progress {
    /// Rounds that are over.
    pub rounds: u64,
    /// Keys of this round that are known so far; grows while patterns make theirs.
    pub keys: u64,
    /// Keys fetched and given to the cache.
    pub loaded: u64,
    /// Keys left alone because the cache has them, fresh until the next round.
    pub skipped: u64,
    /// Keys whose fetch failed, panicked or took too long.
    pub failed: u64,
    /// Patterns that could not make their keys.
    pub failed_patterns: u64,
}

impl Progress {
    /// Keys that are dealt with.
    #[must_use]
    pub const fn done(&self) -> u64 {
        self.loaded + self.skipped + self.failed
    }
}

/// Follows a warmer's progress.
#[derive(Debug, Clone)]
pub struct Watch {
    progress: watch::Receiver<Progress>,
    begun: bool,
}

impl Watch {
    pub(super) const fn new(progress: watch::Receiver<Progress>) -> Self {
        Self { progress, begun: false }
    }

    /// The present progress at first, then the next whenever there is one; steps that nobody
    /// fetched in time are left out. `None` when the warmer has ended and its last state was
    /// given.
    ///
    /// Cancel safety: nothing is lost when it is dropped.
    pub async fn next(&mut self) -> Option<Progress> {
        if self.begun {
            self.progress.changed().await.ok()?;
        }
        self.begun = true;
        Some(*self.progress.borrow_and_update())
    }
}
