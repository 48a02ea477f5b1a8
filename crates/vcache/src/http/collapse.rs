//! One fetch for concurrent misses: a leader asks the origin, followers join its stream.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use http::HeaderValue;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::http::audience::{Audience, Seat};
use crate::http::failure::Failure;
use crate::http::filling::Filling;
use crate::http::generation::Ticket;
use crate::http::key::Key;
use crate::http::vary::VaryKey;

/// What a fetch is for: a key, and the variant as far as it is known before the answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct FlightKey {
    pub(crate) key: Key,
    pub(crate) vary: VaryKey,
    /// The range that is asked for, where that is all that is wanted.
    pub(crate) part: Option<HeaderValue>,
}

/// How a leader's fetch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The answer is stored.
    Stored,
    /// There is an answer, and it cannot be shared.
    Refused,
    /// There is none: the leader was dropped, or its fetch failed. The next one leads.
    Failed,
}

impl End {
    /// What became of an answer that was to be stored.
    pub(crate) const fn of(done: Option<bool>) -> Self {
        match done {
            Some(true) => Self::Stored,
            // Too heavy, or over before it was complete: the next one will be as well.
            Some(false) => Self::Refused,
            // Purged meanwhile: the next one asks for what is there now.
            None => Self::Failed,
        }
    }
}

/// What is known of a fetch.
#[derive(Debug, Clone)]
pub(crate) enum News {
    /// The origin has not answered yet.
    Waiting,
    /// The head has come and the answer may be shared; its body is on the way.
    Shared(Arc<Filling>),
    Over(End),
}

/// A fetch under way.
#[derive(Debug)]
pub(crate) struct Flight {
    news: watch::Sender<News>,
    audience: Audience,
    ticket: Ticket,
    begun: Instant,
    asking: Mutex<Asking>,
}

/// Who asks the origin for those who wait.
#[derive(Debug)]
struct Asking {
    /// How many do.
    count: u32,
    /// How many of them have met an outage, and the last one.
    failed: u32,
    failure: Option<Failure>,
    /// When one more was sent, because those before take so long.
    relieved: Instant,
}

impl Flight {
    fn new(ticket: Ticket) -> Self {
        let begun = Instant::now();
        let asking = Asking { count: 1, failed: 0, failure: None, relieved: begun };
        Self {
            news: watch::Sender::new(News::Waiting),
            audience: Audience::new(),
            ticket,
            begun,
            asking: Mutex::new(asking),
        }
    }

    fn asking(&self) -> MutexGuard<'_, Asking> {
        // Nothing in here panics half way.
        self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When it began.
    pub(crate) const fn ticket(&self) -> Ticket {
        self.ticket
    }

    pub(crate) fn news(&self) -> News {
        self.news.borrow().clone()
    }
}

/// The fetches under way; as many as there are requests waiting for an origin, at most.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    under_way: DashMap<FlightKey, Arc<Flight>>,
}

/// A request's part in a fetch.
#[derive(Debug)]
pub(crate) enum Turn {
    Lead(Lead),
    Follow(Follower),
    /// No fetch is under way, and the request was not to start one.
    Alone,
}

impl Flights {
    /// Joins the fetch for `key`, or leads a new one if the request may. A fetch that is not
    /// `current` any more is left to those who are on it.
    pub(crate) fn join(
        self: &Arc<Self>,
        key: FlightKey,
        may_lead: bool,
        ticket: impl FnOnce() -> Ticket,
        is_current: impl FnOnce(&Flight) -> bool,
    ) -> Turn {
        match self.under_way.entry(key) {
            Entry::Occupied(mut place) => {
                if is_current(place.get()) {
                    return Turn::Follow(Follower::new(place.get()));
                }
                if !may_lead {
                    return Turn::Alone;
                }
                let flight = Arc::new(Flight::new(ticket()));
                place.insert(Arc::clone(&flight));
                Turn::Lead(self.lead(place.key().clone(), flight))
            }
            Entry::Vacant(_) if !may_lead => Turn::Alone,
            Entry::Vacant(place) => {
                let flight = Arc::new(Flight::new(ticket()));
                let key = place.key().clone();
                place.insert(Arc::clone(&flight));
                Turn::Lead(self.lead(key, flight))
            }
        }
    }

    fn lead(self: &Arc<Self>, key: FlightKey, flight: Arc<Flight>) -> Lead {
        Lead {
            flights: Arc::clone(self),
            keys: vec![key],
            flight,
            how: End::Failed,
            failure: None,
            #[cfg(feature = "redis")]
            held: None,
        }
    }

    /// One more asks for those on `follower`'s flight; `None` when that is over.
    pub(crate) fn assist(self: &Arc<Self>, follower: &Follower, key: FlightKey) -> Option<Lead> {
        let flight = &follower.flight;
        let mut asking = flight.asking();
        if asking.count == 0 {
            return None;
        }
        asking.count = asking.count.saturating_add(1);
        drop(asking);
        Some(self.lead(key, Arc::clone(flight)))
    }
}

/// The leader's duty: dropped in any way, it ends the fetch and releases the followers.
#[derive(Debug)]
pub(crate) struct Lead {
    flights: Arc<Flights>,
    keys: Vec<FlightKey>,
    flight: Arc<Flight>,
    how: End,
    failure: Option<Failure>,
    /// What is held for all as long as this leads.
    #[cfg(feature = "redis")]
    held: Option<Held>,
}

/// Anything that ends when it is dropped.
#[cfg(feature = "redis")]
type Held = Box<dyn std::fmt::Debug + Send + Sync>;

impl Lead {
    /// Holds something until this has ended.
    #[cfg(feature = "redis")]
    pub(crate) fn hold(&mut self, held: Held) {
        self.held = Some(held);
    }

    /// Lets followers, those to come included, read the answer while it arrives.
    pub(crate) fn share(&mut self, filling: Arc<Filling>) {
        if !matches!(self.flight.news(), News::Waiting) {
            // Another one was faster.
            return;
        }
        let is_other = |first: &&FlightKey| first.vary != *filling.vary() || first.part.is_some();
        if let Some(first) = self.keys.first().filter(is_other) {
            // Whoever knows already what the answer depends on looks for it under that.
            let vary = filling.vary().clone();
            let key = FlightKey { key: first.key.clone(), vary, part: None };
            if let Entry::Vacant(place) = self.flights.under_way.entry(key.clone()) {
                place.insert(Arc::clone(&self.flight));
                self.keys.push(key);
            }
        }
        self.flight.news.send_replace(News::Shared(filling));
    }

    pub(crate) fn end(mut self, how: End) {
        self.how = how;
    }

    /// Ends it without an answer that others could have: the next one leads.
    pub(crate) fn fail(mut self, failure: Option<Failure>) {
        self.failure = failure;
    }

    /// Whether anyone follows.
    pub(crate) fn has_followers(&self) -> bool {
        self.flight.news.receiver_count() > 0
    }

    pub(crate) fn audience(&self) -> &Audience {
        &self.flight.audience
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        let mut asking = self.flight.asking();
        asking.count = asking.count.saturating_sub(1);
        asking.failed = asking.failed.saturating_add(u32::from(self.failure.is_some()));
        asking.failure = self.failure.or(asking.failure);
        let others_ask = asking.count > 0;
        drop(asking);
        if self.how == End::Failed && others_ask {
            // Who waits may have heard enough.
            self.flight.news.send_modify(|_| ());
            return;
        }
        // First out of the map, so that whoever is released and finds nothing can lead.
        for key in &self.keys {
            let is_ours = |_: &FlightKey, flight: &Arc<Flight>| Arc::ptr_eq(flight, &self.flight);
            self.flights.under_way.remove_if(key, is_ours);
        }
        self.flight.news.send_replace(News::Over(self.how));
    }
}

/// Waits for a leader.
#[derive(Debug)]
pub(crate) struct Follower {
    flight: Arc<Flight>,
    news: watch::Receiver<News>,
    _seat: Seat,
}

impl Follower {
    fn new(flight: &Arc<Flight>) -> Self {
        Self {
            flight: Arc::clone(flight),
            news: flight.news.subscribe(),
            _seat: flight.audience.seat(),
        }
    }

    /// The first news of the fetch; of its end only, if the stream is of no use. `Waiting` when
    /// after so many outages, and others still asking, it `has_heard_enough`.
    ///
    /// Cancel safe: a follower that is dropped has waited for nothing.
    pub(crate) async fn wait(
        &mut self,
        only_end: bool,
        has_heard_enough: impl Fn(u32) -> bool,
    ) -> News {
        let flight = Arc::clone(&self.flight);
        let is_news = |news: &News| match news {
            News::Waiting => has_heard_enough(flight.asking().failed),
            News::Shared(_) => !only_end,
            News::Over(_) => true,
        };
        match self.news.wait_for(is_news).await {
            Ok(news) => news.clone(),
            Err(_) => News::Over(End::Failed),
        }
    }

    /// Whether the head has come.
    pub(crate) fn has_head(&self) -> bool {
        matches!(*self.news.borrow(), News::Shared(_))
    }

    /// How many who asked met an outage, and the last one.
    pub(crate) fn failures(&self) -> (u32, Option<Failure>) {
        let asking = self.flight.asking();
        (asking.failed, asking.failure)
    }

    /// When one more may ask, after `limit` without an answer to the last one.
    pub(crate) fn relief(&self, limit: Duration) -> Option<Instant> {
        self.flight.asking().relieved.checked_add(limit)
    }

    /// Whether it is this one's turn to ask as well. Then the next turn is `limit` later.
    pub(crate) fn takes_relief(&self, limit: Duration) -> bool {
        let (mut asking, now) = (self.flight.asking(), Instant::now());
        let is_due = asking.relieved.checked_add(limit).is_some_and(|due| due <= now);
        if is_due {
            asking.relieved = now;
        }
        is_due
    }

    /// When the fetch began.
    pub(crate) fn begun(&self) -> Instant {
        self.flight.begun
    }
}
