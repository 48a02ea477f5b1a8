//! How far warming is, and watching it.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::stream::{self, BoxStream, StreamExt};
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

/// Follows a warmer's progress: a stream of the present one at first, then the next whenever there
/// is one; steps that nobody fetched in time are left out. It ends when the warmer has ended and
/// its last state was given.
#[must_use = "streams do nothing unless they are polled"]
pub struct Watch {
    steps: stream::Fuse<BoxStream<'static, Progress>>,
}

impl Watch {
    pub(super) fn new(progress: watch::Receiver<Progress>) -> Self {
        let steps = stream::unfold((progress, false), |(mut progress, begun)| async move {
            if begun {
                progress.changed().await.ok()?;
            }
            let step = *progress.borrow_and_update();
            Some((step, (progress, true)))
        });
        Self { steps: steps.boxed().fuse() }
    }

    /// The next step, without the traits of streams; `None` when there will be none.
    ///
    /// Cancel safety: nothing is lost when it is dropped.
    pub async fn next(&mut self) -> Option<Progress> {
        self.steps.next().await
    }
}

impl Stream for Watch {
    type Item = Progress;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Progress>> {
        self.steps.poll_next_unpin(cx)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}
