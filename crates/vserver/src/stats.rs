//! What happened to connections, counted per listener.

use std::ops::Add;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use crate::fault::Fault;
use crate::metrics::Meters;
use crate::tls::Protocol;
use crate::trouble::Trouble;

/// What happened to connections since the server started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections that are open now, upgraded ones included.
    pub open: usize,
    /// Connections taken on.
    pub accepted: u64,
    /// Connections closed at once, because `max_connections` were open.
    pub refused: u64,
    /// Connections that began to speak HTTP/1.
    pub http1: u64,
    /// Connections that began to speak HTTP/2.
    pub http2: u64,
    /// TLS handshakes that failed or took too long.
    pub tls_failures: u64,
    /// Connections that did not end in peace: timeouts, broken rules, lost clients. Also HTTP/2
    /// streams whose client stood still.
    pub errors: u64,
    /// Failures to accept a connection, such as for lack of file descriptors.
    pub accept_errors: u64,
}

impl Add for Stats {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            open: self.open + other.open,
            accepted: self.accepted + other.accepted,
            refused: self.refused + other.refused,
            http1: self.http1 + other.http1,
            http2: self.http2 + other.http2,
            tls_failures: self.tls_failures + other.tls_failures,
            errors: self.errors + other.errors,
            accept_errors: self.accept_errors + other.accept_errors,
        }
    }
}

/// The counters behind [`Stats`], of one listener over all workers.
pub(crate) struct Tally {
    open: AtomicUsize,
    accepted: AtomicU64,
    refused: AtomicU64,
    http1: AtomicU64,
    http2: AtomicU64,
    tls_failures: AtomicU64,
    errors: AtomicU64,
    accept_errors: AtomicU64,
    meters: Meters,
}

impl Tally {
    pub(crate) fn new(listener: &str) -> Self {
        Self {
            open: AtomicUsize::new(0),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            http1: AtomicU64::new(0),
            http2: AtomicU64::new(0),
            tls_failures: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            accept_errors: AtomicU64::new(0),
            meters: Meters::new(listener),
        }
    }

    /// A place for one more connection; none, and counted as refused, when `most` are open.
    pub(crate) fn enter(self: &Arc<Self>, most: usize) -> Option<Place> {
        let free = |open| (open < most).then_some(open + 1);
        if self.open.fetch_update(Relaxed, Relaxed, free).is_err() {
            self.refused.fetch_add(1, Relaxed);
            self.meters.refused();
            return None;
        }
        self.accepted.fetch_add(1, Relaxed);
        self.meters.opened();
        Some(Place { tally: Arc::clone(self) })
    }

    pub(crate) fn negotiated(&self, protocol: Protocol) {
        match protocol {
            Protocol::Http1 => self.http1.fetch_add(1, Relaxed),
            Protocol::Http2 => self.http2.fetch_add(1, Relaxed),
        };
        self.meters.negotiated(protocol);
    }

    pub(crate) fn failed(&self, fault: Fault) {
        if matches!(fault, Fault::Tls | Fault::TlsTimeout) {
            self.tls_failures.fetch_add(1, Relaxed);
            self.meters.handshake_failed();
        }
        self.errors.fetch_add(1, Relaxed);
        self.meters.failed(fault);
    }

    pub(crate) fn accept_failed(&self, trouble: Trouble) {
        self.accept_errors.fetch_add(1, Relaxed);
        self.meters.accept_failed(trouble);
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            open: self.open.load(Relaxed),
            accepted: self.accepted.load(Relaxed),
            refused: self.refused.load(Relaxed),
            http1: self.http1.load(Relaxed),
            http2: self.http2.load(Relaxed),
            tls_failures: self.tls_failures.load(Relaxed),
            errors: self.errors.load(Relaxed),
            accept_errors: self.accept_errors.load(Relaxed),
        }
    }
}

/// One connection's place under `max_connections`.
pub(crate) struct Place {
    tally: Arc<Tally>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.tally.open.fetch_sub(1, Relaxed);
        self.tally.meters.closed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_and_given_back() {
        let tally = Arc::new(Tally::new("test"));
        let first = tally.enter(1);
        assert!(first.is_some());
        assert!(tally.enter(1).is_none());
        drop(first);
        assert!(tally.enter(1).is_some());
        let stats = tally.stats();
        assert_eq!((stats.open, stats.accepted, stats.refused), (0, 2, 1));
    }
}
