//! The plain part of an origin's books: counts, idle and shared connections, the queue.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::http::idle::{Dead, Idle};
use crate::http::limits::Limits;
use crate::http::shared::Shared;
use crate::metrics::Census;

/// Who has what; `G` is what those who wait are given.
///
/// Invariant: somebody waits only while nothing is idle and no place is free, except for those
/// who wait for an HTTP/2 connection on its way.
#[derive(Debug)]
pub(crate) struct Books<G> {
    pub(crate) idle: Idle,
    pub(crate) shared: Shared,
    pub(crate) waiting: VecDeque<oneshot::Sender<G>>,
    /// Places taken: connections open or being opened.
    pub(crate) open: usize,
    /// Of these, being opened.
    pub(crate) connecting: usize,
    /// Whether the next connection is expected to be a shared one.
    pub(crate) shares: bool,
    pub(crate) retired: bool,
    pub(crate) created: u64,
    pub(crate) reused: u64,
    pub(crate) failures: u64,
}

impl<G> Books<G> {
    pub(crate) fn new(shares: bool) -> Self {
        Self {
            idle: Idle::default(),
            shared: Shared::default(),
            waiting: VecDeque::new(),
            open: 0,
            connecting: 0,
            shares,
            retired: false,
            created: 0,
            reused: 0,
            failures: 0,
        }
    }

    pub(crate) fn census(&self) -> Census {
        let idle = self.idle.len() + self.shared.idle();
        Census {
            idle,
            in_use: self.open.saturating_sub(idle + self.connecting),
            connecting: self.connecting,
            waiting: self.waiting.len(),
        }
    }

    /// Whether no request needs these books.
    pub(crate) fn is_quiet(&self) -> bool {
        self.waiting.is_empty() && self.open == self.idle.len() + self.shared.idle()
    }

    /// Whether another connection may and should be opened for `wanting` requests: not while
    /// shared ones on their way will carry them all.
    pub(crate) const fn has_place(&self, limits: &Limits, wanting: usize) -> bool {
        let coming =
            if self.shares { self.connecting.saturating_mul(limits.max_streams) } else { 0 };
        self.open < limits.max_connections && wanting > coming
    }

    /// A connection begins to be opened.
    pub(crate) const fn enter(&mut self) {
        self.open += 1;
        self.connecting += 1;
    }

    /// A connection is gone, or was never opened.
    pub(crate) const fn leave(&mut self, connecting: bool) {
        self.open = self.open.saturating_sub(1);
        if connecting {
            self.connecting = self.connecting.saturating_sub(1);
        }
    }

    /// A connection was opened; `shared`: it carries many requests.
    pub(crate) const fn opened(&mut self, shared: bool) {
        self.connecting = self.connecting.saturating_sub(1);
        self.created += 1;
        self.shares = shared;
    }

    /// Lets go of connections that are closed or were idle for `limit`.
    pub(crate) fn expire(&mut self, now: Instant, limit: Duration, dead: &mut Dead) {
        let gone = self.idle.expire(now, limit, dead) + self.shared.expire(now, limit, dead);
        self.open = self.open.saturating_sub(gone);
    }

    /// Gives `grant` to whoever waits longest and is still there; hands it back when nobody is.
    pub(crate) fn offer(&mut self, mut grant: G) -> Option<G> {
        while let Some(waiting) = self.waiting.pop_front() {
            match waiting.send(grant) {
                Ok(()) => return None,
                Err(back) => grant = back,
            }
        }
        Some(grant)
    }

    /// Nothing is kept from now on: what is idle goes at once, the rest when it is free.
    pub(crate) fn retire(&mut self, dead: &mut Dead) {
        self.retired = true;
        self.expire(Instant::now(), Duration::ZERO, dead);
    }
}
