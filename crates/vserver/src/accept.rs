//! Accepts connections on one socket, owns their tasks, and drains them.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet, unconstrained};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vtask::{Backoff, Watcher};

use crate::conn::{Accepted, App, Hold, serve};
use crate::fault::Fault;
use crate::site::Site;
use crate::stats::Tally;
use crate::trouble::Trouble;

/// Waits between failures to accept stay below this, growing up to the second.
const FIRST_WAIT: Duration = Duration::from_millis(20);
/// What a client waits at most, once descriptors are free again.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The accept loop of one socket.
pub(crate) struct Loop<S> {
    service: S,
    site: Arc<Site>,
    watcher: Watcher,
    /// Ends everything at once.
    kill: CancellationToken,
    /// Tells the connections that the drain has begun.
    drain: CancellationToken,
    tasks: JoinSet<()>,
    /// Every transport that lives, upgraded ones included.
    open: TaskTracker,
}

impl<S: App> Loop<S> {
    pub(crate) fn new(
        service: S,
        site: Arc<Site>,
        watcher: Watcher,
        kill: CancellationToken,
    ) -> Self {
        Self {
            service,
            site,
            watcher,
            kill,
            drain: CancellationToken::new(),
            tasks: JoinSet::new(),
            open: TaskTracker::new(),
        }
    }

    /// Serves until drained; says how many connections were cut at the deadline.
    pub(crate) async fn run(mut self, listener: TcpListener) -> usize {
        // The shutdown waits for this loop while it accepts, and for each connection.
        let (guard, listening) = (self.watcher.guard(), self.site.listening.token());
        self.accept(listener).await;
        drop(listening);
        let (site, watcher, kill) = (self.site.clone(), self.watcher.clone(), self.kill.clone());
        // At once when it is so already: a turn of the other tasks in between would let requests
        // be answered as if there was no drain.
        unconstrained(nobody_accepts(&site, &watcher, &kill)).await;
        self.drain.cancel();
        drop(guard);
        self.finish().await
    }

    async fn accept(&mut self, listener: TcpListener) {
        let mut acceptor = Acceptor::new(listener);
        let (watcher, site, kill) = (self.watcher.clone(), self.site.clone(), self.kill.clone());
        let mut stop = pin!(async {
            tokio::select! {
                () = kill.cancelled() => {}
                () = watcher.deadline_passed() => {}
                () = async { watcher.draining().await; sleep(site.drain_delay).await } => {}
            }
        });
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(ended) = self.tasks.join_next() => note(ended, &site.tally),
                (stream, peer) = acceptor.next(&site.tally) => self.start(stream, peer),
            }
        }
        // Whoever is in the queue by now would get a reset.
        for _ in 0..self.site.backlog {
            let Some((stream, peer)) = unconstrained(acceptor.waiting()).await else {
                break;
            };
            self.start(stream, peer);
        }
    }

    fn start(&mut self, stream: TcpStream, peer: SocketAddr) {
        let Some(place) = self.site.tally.enter(self.site.max_connections) else {
            return;
        };
        let hold = Hold { _place: place, _token: self.open.token(), _guard: self.watcher.guard() };
        // Both fail only when the client has left already.
        let ready = stream.set_nodelay(self.site.tcp_nodelay);
        let Ok(local) = ready.and_then(|()| stream.local_addr()) else {
            return self.site.tally.failed(Fault::Io);
        };
        let accepted = Accepted { io: stream, peer, local, hold };
        let (service, site, drain) = (self.service.clone(), self.site.clone(), self.drain.clone());
        self.tasks.spawn(async move {
            serve(accepted, service, &site.rules, &site.tally, &drain).await;
        });
    }

    async fn finish(&mut self) -> usize {
        self.open.close();
        let cut = tokio::select! {
            biased;
            () = self.open.wait() => 0,
            () = self.watcher.deadline_passed() => self.open.len(),
            () = self.kill.cancelled() => self.open.len(),
        };
        for _ in 0..cut {
            self.site.tally.failed(Fault::Aborted);
        }
        if cut > 0 {
            self.tasks.abort_all();
        }
        while let Some(ended) = self.tasks.join_next().await {
            note(ended, &self.site.tally);
        }
        cut
    }
}

/// Waits until no worker's socket of the listener accepts any longer: a client that is told to go
/// comes back at once, and must not land in a queue that is about to close.
async fn nobody_accepts(site: &Site, watcher: &Watcher, kill: &CancellationToken) {
    site.listening.close();
    tokio::select! {
        () = site.listening.wait() => {}
        () = kill.cancelled() => {}
        () = watcher.deadline_passed() => {}
    }
}

/// Counts a connection's task that panicked; the panic hook has told of it.
fn note(ended: Result<(), JoinError>, tally: &Tally) {
    if ended.is_err_and(|error| error.is_panic()) {
        tally.failed(Fault::Panic);
    }
}

/// A listening socket that outlives the failures of `accept`.
struct Acceptor {
    listener: TcpListener,
    backoff: Backoff,
    /// No try before this.
    not_before: Option<Instant>,
}

impl Acceptor {
    fn new(listener: TcpListener) -> Self {
        Self { listener, backoff: Backoff::new(FIRST_WAIT, LONGEST_WAIT), not_before: None }
    }

    /// The next connection. Dropped while it waits, nothing is lost.
    async fn next(&mut self, tally: &Tally) -> (TcpStream, SocketAddr) {
        loop {
            if let Some(time) = self.not_before {
                sleep_until(time).await;
                self.not_before = None;
            }
            match self.listener.accept().await {
                Ok(connection) => {
                    self.backoff.reset();
                    return connection;
                }
                Err(error) => self.failed(&error, tally),
            }
        }
    }

    fn failed(&mut self, error: &io::Error, tally: &Tally) {
        let trouble = Trouble::of(error);
        tally.accept_failed(trouble);
        if !trouble.lasts() {
            return;
        }
        if self.backoff.attempts() == 0 {
            tracing::warn!(%error, kind = trouble.name(), "cannot accept connections; trying on");
        }
        self.not_before = Some(Instant::now() + self.backoff.next_wait());
    }

    /// A connection that is there already, if any.
    async fn waiting(&self) -> Option<(TcpStream, SocketAddr)> {
        std::future::poll_fn(|cx| match self.listener.poll_accept(cx) {
            Poll::Ready(accepted) => Poll::Ready(accepted.ok()),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }
}

#[cfg(test)]
mod tests;
