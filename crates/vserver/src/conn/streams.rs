//! HTTP/2 streams that end when their client takes nothing for too long.

use std::cell::Cell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper_util::rt::TokioTimer;
use pin_project_lite::pin_project;

use crate::config::Http2Config;
use crate::conn::activity::Activity;
use crate::conn::patience::Patience;
use crate::fault::Fault;

/// What the body of the response said last, in one poll of its stream.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// It was not asked.
    Nothing,
    /// It has no bytes, or is at its end.
    Dry,
    /// It gave bytes.
    Bytes,
}

thread_local! {
    /// How a body talks to the stream that polls it; hyper stands between them, and knows neither.
    static SAID: Cell<Said> = const { Cell::new(Said::Nothing) };
}

/// A response's body tells the stream that is polling it what it says.
pub(crate) fn say(said: Said) {
    SAID.set(said);
}

/// Runs the streams of one HTTP/2 connection, each as a task.
#[derive(Clone)]
pub(crate) struct Streams {
    /// Longest time that a stream waits for its client to take more.
    limit: Duration,
    activity: Arc<Activity>,
}

impl Streams {
    pub(crate) const fn new(limit: Duration, activity: Arc<Activity>) -> Self {
        Self { limit, activity }
    }

    /// Sets hyper up for the connection whose streams these are.
    pub(crate) fn builder(self, config: &Http2Config) -> http2::Builder<Self> {
        let list = u32::try_from(config.max_header_list_size).unwrap_or(u32::MAX);
        let buffer = usize::try_from(config.max_send_buffer).unwrap_or(usize::MAX);
        let mut builder = http2::Builder::new(self);
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(config.max_concurrent_streams)
            .max_header_list_size(list)
            .max_send_buf_size(buffer)
            .keep_alive_interval(config.ping_interval)
            .keep_alive_timeout(config.ping_timeout);
        builder
    }
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let patience = Patience::new(self.limit);
        let activity = Arc::clone(&self.activity);
        tokio::spawn(Stream { stream, blocked: false, patience, activity });
    }
}

pin_project! {
    /// One stream; it gives up when its client shuts the flow control window for too long.
    ///
    /// hyper asks a body for more as soon as what it gave fits into the window (RFC 9113 §5.2). So
    /// a stream that waits, and whose body gave bytes last and was not asked since, waits for the
    /// client; a body that has nothing to give may take its time.
    struct Stream<F> {
        #[pin]
        stream: F,
        blocked: bool,
        patience: Patience,
        activity: Arc<Activity>,
    }
}

impl<F: Future<Output = ()>> Future for Stream<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let outer = SAID.replace(Said::Nothing);
        let ended = this.stream.poll(cx);
        let said = SAID.replace(outer);
        if ended.is_ready() {
            return ended;
        }
        if said != Said::Nothing {
            // Whatever was waiting has got through.
            this.patience.settle();
            *this.blocked = said == Said::Bytes;
        }
        if !*this.blocked || this.patience.poll(cx).is_pending() {
            return Poll::Pending;
        }
        // Dropped, the stream is reset, and what it held for the client is given back.
        this.activity.failed(Fault::WriteStall);
        Poll::Ready(())
    }
}
