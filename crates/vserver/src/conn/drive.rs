//! Runs hyper's connection with our own clock: waits that end, and a drain that is heard.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::conn::activity::{Activity, Times, Wait};
use crate::conn::bell::Bell;
use crate::conn::stall::Flow;
use crate::fault::Fault;

/// Waits until the drain has begun and what was on its way by then has had time to arrive.
pub(crate) async fn waited_out(drain: &CancellationToken, closing: Duration) {
    drain.cancelled().await;
    sleep(closing).await;
}

/// A connection that can be told to end after what is in flight.
pub(crate) trait Graceful: Future<Output = hyper::Result<()>> {
    fn graceful_shutdown(self: Pin<&mut Self>);
}

/// The clock of one connection.
pub(crate) struct Clock {
    pub(crate) activity: Arc<Activity>,
    pub(crate) flow: Flow,
    pub(crate) times: Times,
    /// Since when the connection has been told to end.
    closing: Option<Instant>,
    start: Instant,
}

impl Clock {
    pub(crate) fn new(activity: Arc<Activity>, flow: Flow, times: Times) -> Self {
        Self { activity, flow, times, closing: None, start: Instant::now() }
    }

    fn due(&self) -> Option<(Instant, Wait)> {
        let floor = self.closing.unwrap_or(self.start);
        // What was answered is still on its way: the write has a limit of its own.
        let due = self.activity.due(&self.times, floor);
        due.filter(|(_, wait)| *wait != Wait::NextRequest || !self.flow.is_blocked())
    }

    fn close(&mut self) {
        self.closing = Some(Instant::now());
        self.times.idle = self.times.closing;
        self.activity.settle();
    }

    /// Sorts the end of a connection that hyper calls an error.
    fn judge(&self, error: &hyper::Error) -> Result<(), Fault> {
        if self.flow.is_stalled() {
            return Err(Fault::WriteStall);
        }
        match Fault::of(error) {
            // The client may leave before or between requests, in whatever way.
            Fault::Io if self.activity.is_quiet() => Ok(()),
            fault => Err(fault),
        }
    }

    /// Waits until something is overdue, and says what.
    ///
    /// The timer is moved forward at once, but back only when it fires, so a busy connection
    /// seldom touches it.
    fn poll(&self, mut timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<Wait> {
        loop {
            let due = self.due();
            if let Some((at, _)) = due
                && at < timer.deadline()
            {
                timer.as_mut().reset(at);
            }
            ready!(timer.as_mut().poll(cx));
            let now = Instant::now();
            match due {
                Some((at, wait)) if at <= now => return Poll::Ready(wait),
                Some((at, _)) => timer.as_mut().reset(at),
                // An HTTP/2 request can end without waking this task, so look again.
                None => timer.as_mut().reset(now + self.times.idle),
            }
        }
    }
}

/// Runs `connection` until it has ended, or nobody waits for it any longer.
pub(crate) async fn drive(
    connection: impl Graceful,
    mut clock: Clock,
    drain: &CancellationToken,
) -> Result<(), Fault> {
    let mut connection = pin!(connection);
    let (mut drained, mut bell) = (pin!(drain.cancelled()), Bell::default());
    let mut timer = pin!(sleep_until(clock.start + clock.times.first_byte));
    let mut draining = false;
    poll_fn(|cx| {
        loop {
            // First the drain: the answer to a request that is there already is the last one.
            if !draining && bell.poll(drained.as_mut(), cx).is_ready() {
                draining = true;
                clock.close();
                if !clock.activity.end_after_next() {
                    connection.as_mut().graceful_shutdown();
                }
            }
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                return Poll::Ready(ended.or_else(|error| clock.judge(&error)));
            }
            match ready!(clock.poll(timer.as_mut(), cx)) {
                Wait::FirstByte => return Poll::Ready(Err(Fault::FirstByteTimeout)),
                Wait::Head => return Poll::Ready(Err(Fault::HeaderTimeout)),
                Wait::NextRequest if clock.closing.is_some() => return Poll::Ready(Ok(())),
                Wait::NextRequest => {
                    clock.close();
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    })
    .await
}
