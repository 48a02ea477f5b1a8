//! The books of one origin: connections open, idle and shared, and who waits for one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::client::conn::http2::SendRequest;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::http::books::Books;
use crate::http::conn::{Http1, Http2};
use crate::http::idle::Dead;
use crate::http::limits::Limits;
use crate::http::origin::Origin;
use crate::http::stats::OriginStats;
use crate::http::upload::Upload;
use crate::metrics::Census;

/// What a request is given to go on with.
#[derive(Debug)]
pub(crate) enum Grant {
    /// A connection that was idle.
    Reuse(Lease),
    /// Room on a connection that carries other requests too.
    Stream(Stream),
    /// The right to open a connection.
    Open(Place),
}

/// The answer to a request that wants a connection.
#[derive(Debug)]
pub(crate) enum Checkout {
    /// At once.
    Now(Grant),
    /// Later.
    Wait(Waiting),
    /// Too many wait already.
    Busy,
    /// These books are closed; look the origin up again.
    Retired,
}

/// The connections of one origin.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) origin: Origin,
    limits: Arc<Limits>,
    used: AtomicU64,
    /// Never held over an await, and nothing of others is dropped under it.
    books: Mutex<Books<Grant>>,
}

impl Site {
    pub(crate) fn new(origin: Origin, limits: Arc<Limits>) -> Self {
        let books = Mutex::new(Books::new(limits.prior_knowledge));
        Self { origin, limits, used: AtomicU64::new(0), books }
    }

    /// Notes a use at the table's time `tick`.
    pub(crate) fn touch(&self, tick: u64) {
        self.used.store(tick, Ordering::Relaxed);
    }

    /// The table's time of the last use.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// A connection, a place to open one, or a place in the queue.
    pub(crate) fn checkout(self: &Arc<Self>, now: Instant) -> Checkout {
        let mut dead = Dead::default();
        self.with(|books| books.checkout(self, now, &mut dead))
    }

    /// Lets go of idle connections whose time is over.
    pub(crate) fn sweep(self: &Arc<Self>, now: Instant) {
        let mut dead = Dead::default();
        let limit = self.limits.idle_timeout;
        self.with(|books| {
            books.expire(now, limit, &mut dead);
            books.pass_places(self);
        });
    }

    /// Whether no request needs these books now.
    pub(crate) fn is_quiet(&self) -> bool {
        self.with(|books| books.is_quiet())
    }

    /// Closes the books when no request needs them; says whether it did.
    pub(crate) fn retire_if_quiet(&self) -> bool {
        let mut dead = Dead::default();
        self.with(|books| {
            if books.is_quiet() {
                books.retire(&mut dead);
            }
            books.retired
        })
    }

    /// Closes the books: idle connections end now, busy ones with their request, and whoever
    /// waits is told.
    pub(crate) fn retire(&self) {
        let mut dead = Dead::default();
        let waiting = self.with(|books| {
            books.retire(&mut dead);
            std::mem::take(&mut books.waiting)
        });
        drop(waiting);
    }

    pub(crate) fn stats(&self) -> OriginStats {
        self.with(|books| {
            let census = books.census();
            OriginStats {
                origin: self.origin.clone(),
                open: books.open - books.connecting,
                idle: census.idle,
                in_use: census.in_use,
                connecting: census.connecting,
                waiting: census.waiting,
                created: books.created,
                reused: books.reused,
                failures: books.failures,
            }
        })
    }

    fn with<R>(&self, change: impl FnOnce(&mut Books<Grant>) -> R) -> R {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let before = books.census();
        let result = change(&mut books);
        self.limits.meters.moved(before, books.census());
        result
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let books = self.books.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.limits.meters.moved(books.census(), Census::default());
    }
}

/// The parts of the books' work that hand out grants.
impl Books<Grant> {
    fn checkout(&mut self, site: &Arc<Site>, now: Instant, dead: &mut Dead) -> Checkout {
        if self.retired {
            return Checkout::Retired;
        }
        let limits = &site.limits;
        let (idle, gone) = self.idle.pop(now, limits.idle_timeout, dead);
        self.open = self.open.saturating_sub(gone);
        if let Some(conn) = idle {
            self.reused += 1;
            return Checkout::Now(Grant::Reuse(Lease::new(conn, site, true)));
        }
        if let Some((id, sender)) = self.shared.pick(limits.max_streams) {
            self.reused += 1;
            return Checkout::Now(Grant::Stream(Stream::new(id, sender, site, true)));
        }
        self.expire(now, limits.idle_timeout, dead);
        if self.has_place(limits, self.waiting.len() + 1) {
            return Checkout::Now(Grant::Open(self.take_place(site)));
        }
        if self.waiting.len() >= limits.max_waiting {
            return Checkout::Busy;
        }
        let (sender, receiver) = oneshot::channel();
        self.waiting.push_back(sender);
        Checkout::Wait(Waiting { receiver, site: Arc::clone(site), granted: false })
    }

    fn take_place(&mut self, site: &Arc<Site>) -> Place {
        self.enter();
        Place { site: Arc::clone(site), connecting: true, armed: true }
    }

    /// Gives free places to those who wait.
    fn pass_places(&mut self, site: &Arc<Site>) {
        while !self.waiting.is_empty() && self.has_place(&site.limits, self.waiting.len()) {
            let place = self.take_place(site);
            if let Some(Grant::Open(mut place)) = self.offer(Grant::Open(place)) {
                place.armed = false;
                self.leave(true);
            }
        }
    }

    /// Gives room on shared connections to those who wait.
    fn pass_streams(&mut self, site: &Arc<Site>, now: Instant) {
        while !self.waiting.is_empty() {
            let Some((id, sender)) = self.shared.pick(site.limits.max_streams) else {
                return;
            };
            let stream = Stream::new(id, sender, site, true);
            if let Some(Grant::Stream(mut stream)) = self.offer(Grant::Stream(stream)) {
                stream.armed = false;
                self.shared.end(id, now);
            } else {
                self.reused += 1;
            }
        }
    }

    fn put_back(&mut self, site: &Arc<Site>, conn: Http1, now: Instant, dead: &mut Dead) {
        if self.retired {
            dead.ones.push(conn);
            self.leave(false);
            return;
        }
        let grant = Grant::Reuse(Lease::new(conn, site, true));
        let Some(Grant::Reuse(lease)) = self.offer(grant) else {
            self.reused += 1;
            return;
        };
        let conn = lease.disarm();
        if let Some(oldest) = self.idle.push(conn, now, site.limits.max_idle) {
            dead.ones.push(oldest);
            self.leave(false);
        }
    }
}

/// The right to one connection. Dropped, it goes to whoever waits longest.
#[derive(Debug)]
pub(crate) struct Place {
    site: Arc<Site>,
    connecting: bool,
    /// Whether the place is still ours to give on.
    armed: bool,
}

impl Place {
    /// Where the connection leads.
    pub(crate) fn origin(&self) -> &Origin {
        &self.site.origin
    }

    /// The connection is there.
    pub(crate) fn opened(mut self, conn: Http1) -> Lease {
        self.site.with(|books| {
            books.opened(false);
            books.pass_places(&self.site);
        });
        self.connecting = false;
        Lease { conn, place: self, reused: false }
    }

    /// The connection is there, and carries others' requests too. `None` only when it was lost
    /// at once.
    pub(crate) fn opened_shared(mut self, conn: Http2) -> Option<Stream> {
        self.armed = false;
        let (site, now) = (&self.site, Instant::now());
        let picked = site.with(|books| {
            books.opened(true);
            books.shared.add(conn, now);
            let picked = books.shared.pick(site.limits.max_streams);
            books.pass_streams(site, now);
            picked
        });
        let Some((id, sender)) = picked else {
            // Takes it off the books at once, for whoever waits.
            site.sweep(now);
            return None;
        };
        Some(Stream::new(id, sender, site, false))
    }

    /// The connection could not be opened.
    pub(crate) fn failed(self) {
        self.site.with(|books| books.failures += 1);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.armed {
            self.site.with(|books| {
                books.leave(self.connecting);
                books.pass_places(&self.site);
            });
        }
    }
}

/// A connection in use by one request. Dropped, the connection is closed.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) conn: Http1,
    place: Place,
    pub(crate) reused: bool,
}

impl Lease {
    fn new(conn: Http1, site: &Arc<Site>, reused: bool) -> Self {
        let place = Place { site: Arc::clone(site), connecting: false, armed: true };
        Self { conn, place, reused }
    }

    /// The connection alone; the books stay as they are.
    fn disarm(mut self) -> Http1 {
        self.place.armed = false;
        self.conn
    }

    /// The exchange is complete: the connection serves the next request if it can.
    pub(crate) fn finish(mut self) {
        if !self.conn.is_usable() {
            return;
        }
        self.place.armed = false;
        let (site, now) = (&self.place.site, Instant::now());
        let mut dead = Dead::default();
        site.with(|books| books.put_back(site, self.conn, now, &mut dead));
    }

    /// Closes the connection and keeps its place for a fresh one.
    pub(crate) fn reopen(mut self) -> Place {
        self.place.site.with(|books| books.connecting += 1);
        self.place.connecting = true;
        self.place
    }
}

/// Room for one request on a shared connection. Dropped, another may have it.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) sender: SendRequest<Upload>,
    id: u64,
    site: Arc<Site>,
    pub(crate) reused: bool,
    /// Whether the room is still ours to give back.
    armed: bool,
}

impl Stream {
    fn new(id: u64, sender: SendRequest<Upload>, site: &Arc<Site>, reused: bool) -> Self {
        Self { sender, id, site: Arc::clone(site), reused, armed: true }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        let site = &self.site;
        let (now, mut dead) = (Instant::now(), Dead::default());
        site.with(|books| {
            books.shared.end(self.id, now);
            let limit = if books.retired { Duration::ZERO } else { site.limits.idle_timeout };
            books.expire(now, limit, &mut dead);
            books.pass_streams(site, now);
            books.pass_places(site);
        });
    }
}

/// A place in the queue. Dropped, the queue closes up.
#[derive(Debug)]
pub(crate) struct Waiting {
    receiver: oneshot::Receiver<Grant>,
    site: Arc<Site>,
    granted: bool,
}

/// Why waiting ended without a grant.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unserved {
    /// The time is over.
    Timeout,
    /// The books were closed.
    Retired,
}

impl Waiting {
    /// Waits for at most `limit`.
    pub(crate) async fn grant(mut self, limit: Duration) -> Result<Grant, Unserved> {
        let received = tokio::time::timeout(limit, &mut self.receiver).await;
        let grant = match received {
            Ok(received) => received.map_err(|_| Unserved::Retired),
            // One that came at the last moment is not lost.
            Err(_) => self.last_chance().ok_or(Unserved::Timeout),
        };
        self.granted = grant.is_ok();
        grant
    }

    fn last_chance(&mut self) -> Option<Grant> {
        self.receiver.close();
        self.receiver.try_recv().ok()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.granted {
            return;
        }
        if let Some(Grant::Reuse(lease)) = self.last_chance() {
            lease.finish();
        }
        self.site.with(|books| books.waiting.retain(|waiting| !waiting.is_closed()));
    }
}
