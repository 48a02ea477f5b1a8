//! The HTTP/2 connections of one origin, and how many requests each carries.

use std::time::Duration;

use hyper::client::conn::http2::SendRequest;
use tokio::time::Instant;

use crate::http::conn::Http2;
use crate::http::idle::Dead;
use crate::http::upload::Upload;

/// Connections that carry many requests at a time.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    entries: Vec<Entry>,
    next: u64,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    conn: Http2,
    streams: usize,
    since: Instant,
}

impl Shared {
    /// Connections without a request.
    pub(crate) fn idle(&self) -> usize {
        self.entries.iter().filter(|e| e.streams == 0).count()
    }

    pub(crate) fn add(&mut self, conn: Http2, now: Instant) {
        self.entries.push(Entry { id: self.next, conn, streams: 0, since: now });
        self.next += 1;
    }

    /// One more request on the first connection that has room for it.
    pub(crate) fn pick(&mut self, max: usize) -> Option<(u64, SendRequest<Upload>)> {
        let free = |e: &&mut Entry| e.streams < max && !e.conn.is_closed();
        let entry = self.entries.iter_mut().find(free)?;
        entry.streams += 1;
        Some((entry.id, entry.conn.sender()))
    }

    /// One request less on connection `id`.
    pub(crate) fn end(&mut self, id: u64, now: Instant) {
        if let Some(entry) = self.entries.iter_mut().find(|e| e.id == id) {
            entry.streams = entry.streams.saturating_sub(1);
            entry.since = now;
        }
    }

    /// Lets go of connections that are closed or without a request for `limit`.
    pub(crate) fn expire(&mut self, now: Instant, limit: Duration, dead: &mut Dead) -> usize {
        let over = |e: &mut Entry| {
            e.conn.is_closed()
                || (e.streams == 0 && now.saturating_duration_since(e.since) >= limit)
        };
        let before = dead.shared.len();
        dead.shared.extend(self.entries.extract_if(.., over).map(|e| e.conn));
        dead.shared.len() - before
    }
}
