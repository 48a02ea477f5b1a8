//! The idle HTTP/1 connections of one origin: the last one in is the first one out.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::http::conn::{Http1, Http2};

/// Connections taken out of the books under the lock, to be dropped after it: closing a
/// connection may run code of others.
#[derive(Debug, Default)]
pub(crate) struct Dead {
    pub(crate) ones: Vec<Http1>,
    pub(crate) shared: Vec<Http2>,
}

/// Idle connections, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Idle {
    list: VecDeque<(Instant, Http1)>,
}

impl Idle {
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// Keeps `conn`; the longest idle one goes when there are more than `max`.
    pub(crate) fn push(&mut self, conn: Http1, now: Instant, max: usize) -> Option<Http1> {
        self.list.push_back((now, conn));
        if self.list.len() <= max {
            return None;
        }
        self.list.pop_front().map(|(_, conn)| conn)
    }

    /// The connection used last, when it is usable and young enough, and how many others were
    /// found dead on the way.
    pub(crate) fn pop(
        &mut self,
        now: Instant,
        limit: Duration,
        dead: &mut Dead,
    ) -> (Option<Http1>, usize) {
        let mut gone = 0;
        while let Some(entry) = self.list.pop_back() {
            if is_good(&entry, now, limit) {
                return (Some(entry.1), gone);
            }
            dead.ones.push(entry.1);
            gone += 1;
        }
        (None, gone)
    }

    /// Lets go of connections that are closed or idle for `limit`.
    pub(crate) fn expire(&mut self, now: Instant, limit: Duration, dead: &mut Dead) -> usize {
        let before = self.list.len();
        if self.list.iter().all(|entry| is_good(entry, now, limit)) {
            return 0;
        }
        let (good, bad) = self.list.drain(..).partition(|e| is_good(e, now, limit));
        self.list = good;
        let bad: VecDeque<_> = bad;
        dead.ones.extend(bad.into_iter().map(|(_, conn)| conn));
        before - self.list.len()
    }
}

fn is_good((since, conn): &(Instant, Http1), now: Instant, limit: Duration) -> bool {
    conn.is_usable() && now.saturating_duration_since(*since) < limit
}
