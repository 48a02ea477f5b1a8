//! What a connection is doing, and how long it may go on doing that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

use crate::conn::stall::Flow;
use crate::fault::Fault;
use crate::stats::Tally;
use crate::tls::Protocol;

/// Nothing has come yet.
const FIRST: u8 = 0;
/// Part of a request's head has come.
const HEAD: u8 = 1;
/// Between two requests.
const IDLE: u8 = 2;

/// How long a connection may wait in each state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) first_byte: Duration,
    pub(crate) head: Duration,
    pub(crate) idle: Duration,
    /// How long a client may take to agree to the end of an idle connection (HTTP/2: to answer
    /// the PING behind the GOAWAY), and a request that is on its way to arrive.
    pub(crate) closing: Duration,
}

/// What is waited for in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    FirstByte,
    Head,
    NextRequest,
}

/// What a connection is doing; the transport and the requests write, the driver reads.
///
/// Several tasks write (each HTTP/2 request runs in its own), so a reader can see a state that is
/// just being left. The driver looks again later, and no state is final.
pub(crate) struct Activity {
    start: Instant,
    http2: bool,
    phase: AtomicU8,
    /// Nanoseconds from `start` to the change of phase.
    since: AtomicU64,
    in_flight: AtomicU32,
    /// Whether the last request came with a body, which may not have been read to its end.
    body: AtomicBool,
    /// Whether the client has ended its side.
    ended: AtomicBool,
    /// Whether the next answer is the last one.
    last: AtomicBool,
    flow: Flow,
    tally: Arc<Tally>,
}

impl Activity {
    /// The state of a connection that now begins to speak `protocol`.
    pub(crate) fn new(protocol: Protocol, flow: Flow, tally: Arc<Tally>) -> Arc<Self> {
        let http2 = protocol == Protocol::Http2;
        Arc::new(Self {
            start: Instant::now(),
            http2,
            // An HTTP/2 connection begins with its preface, and may then wait for its first
            // request as for any other.
            phase: AtomicU8::new(if http2 { IDLE } else { FIRST }),
            since: AtomicU64::new(0),
            in_flight: AtomicU32::new(0),
            body: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            last: AtomicBool::new(false),
            flow,
            tally,
        })
    }

    /// Counts a request that failed while its connection goes on.
    pub(crate) fn failed(&self, fault: Fault) {
        self.tally.failed(fault);
    }

    /// Bytes have come from the client, or none: its end.
    pub(crate) fn read(&self, bytes: usize) {
        if bytes == 0 {
            self.ended.store(true, Relaxed);
            return;
        }
        // In HTTP/2, bytes between requests can be PINGs: they do not make a request, and must
        // not keep the connection.
        let begins_a_head = !self.http2
            && self.in_flight.load(Relaxed) == 0
            && self.phase.swap(HEAD, Relaxed) != HEAD;
        if begins_a_head {
            self.mark();
        }
    }

    /// A request's head is complete; the request lasts until the guard is dropped.
    pub(crate) fn begin(self: &Arc<Self>, has_body: bool) -> InFlight {
        self.in_flight.fetch_add(1, Relaxed);
        self.body.store(has_body, Relaxed);
        InFlight(Arc::clone(self))
    }

    /// Whether the client may be sending what nobody has read.
    pub(crate) fn unread(&self) -> bool {
        !self.http2
            && !self.ended.load(Relaxed)
            && (self.phase.load(Relaxed) == HEAD || self.body.load(Relaxed))
    }

    /// Whether the client waits for nothing and is asking for nothing.
    pub(crate) fn is_quiet(&self) -> bool {
        self.in_flight.load(Relaxed) == 0 && self.phase.load(Relaxed) != HEAD
    }

    /// Makes the next answer the last one, unless a request is in flight; whether it is.
    ///
    /// In HTTP/1 a request may be on its way, or here in part, when a connection is closed, and the
    /// client cannot know whether it arrived (RFC 9112 §9.5). HTTP/2 has GOAWAY for that.
    pub(crate) fn end_after_next(&self) -> bool {
        let waits = !self.http2 && self.in_flight.load(Relaxed) == 0;
        if waits {
            self.last.store(true, Relaxed);
            // From now on the first request is waited for as any other.
            let _ = self.phase.compare_exchange(FIRST, IDLE, Relaxed, Relaxed);
        }
        waits
    }

    /// The connection was kept for another request, so the last one's body was read.
    pub(crate) fn settle(&self) {
        if self.is_quiet() {
            self.body.store(false, Relaxed);
        }
    }

    /// When the state that now holds has lasted too long; none while a request is in flight.
    /// A wait for the next request counts from `floor` at the earliest.
    pub(crate) fn due(&self, times: &Times, floor: Instant) -> Option<(Instant, Wait)> {
        if self.in_flight.load(Relaxed) > 0 {
            return None;
        }
        let since = self.start + Duration::from_nanos(self.since.load(Relaxed));
        Some(match self.phase.load(Relaxed) {
            FIRST => (since + times.first_byte, Wait::FirstByte),
            HEAD => (since + times.head, Wait::Head),
            _ => (since.max(floor) + times.idle, Wait::NextRequest),
        })
    }

    fn mark(&self) {
        let nanos = self.start.elapsed().as_nanos();
        self.since.store(u64::try_from(nanos).unwrap_or(u64::MAX), Relaxed);
    }
}

/// One request under way, from its complete head to the end of its response's body.
pub(crate) struct InFlight(Arc<Activity>);

impl InFlight {
    /// Whether the request came by HTTP/2.
    pub(crate) fn is_http2(&self) -> bool {
        self.0.http2
    }

    /// Behind the answer, an HTTP/1 connection is the service's. To be said before hyper hands it
    /// over: its first read has to know.
    pub(crate) fn upgrade(&self) {
        if !self.0.http2 {
            self.0.flow.upgrade();
        }
    }

    /// Whether the connection ends with this answer.
    pub(crate) fn is_last(&self) -> bool {
        self.0.last.load(Relaxed)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        // The time first: who sees no request in flight must not see the old time.
        self.0.mark();
        self.0.phase.store(IDLE, Relaxed);
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Times = Times {
        first_byte: Duration::from_secs(1),
        head: Duration::from_secs(2),
        idle: Duration::from_secs(3),
        closing: Duration::from_secs(4),
    };

    fn activity(protocol: Protocol) -> Arc<Activity> {
        Activity::new(protocol, Flow::default(), Arc::new(Tally::new("test")))
    }

    fn wait(activity: &Activity, since: Instant) -> Option<(Duration, Wait)> {
        let due = activity.due(&TIMES, since);
        due.map(|(at, wait)| (at - since, wait))
    }

    #[tokio::test(start_paused = true)]
    async fn each_state_has_its_own_limit() {
        let start = Instant::now();
        let activity = activity(Protocol::Http1);
        let second = Duration::from_secs(1);
        assert_eq!(wait(&activity, start), Some((second, Wait::FirstByte)));
        tokio::time::advance(second).await;
        activity.read(1);
        tokio::time::advance(second).await;
        activity.read(1);
        assert_eq!(wait(&activity, start), Some((second * 3, Wait::Head)));
        let request = activity.begin(false);
        assert_eq!(wait(&activity, start), None);
        drop(request);
        assert_eq!(wait(&activity, start), Some((second * 5, Wait::NextRequest)));
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_do_not_keep_an_idle_http2_connection() {
        let start = Instant::now();
        let activity = activity(Protocol::Http2);
        tokio::time::advance(Duration::from_secs(2)).await;
        activity.read(17);
        assert_eq!(wait(&activity, start), Some((TIMES.idle, Wait::NextRequest)));
    }
}
