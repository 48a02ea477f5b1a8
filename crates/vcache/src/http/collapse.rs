//! One fetch for concurrent misses: a leader asks the origin, followers wait for its end.

use std::sync::Arc;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::sync::watch;

use crate::http::key::Key;
use crate::http::vary::VaryKey;

/// What a fetch is for: a key, and the variant as far as it is known before the answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct FlightKey {
    pub(crate) key: Key,
    pub(crate) vary: VaryKey,
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

/// The fetches under way; as many as there are requests waiting for an origin, at most.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    waiting: DashMap<FlightKey, watch::Receiver<Option<End>>>,
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
    /// Joins the fetch for `key`, or leads a new one if the request may.
    pub(crate) fn join(self: &Arc<Self>, key: FlightKey, may_lead: bool) -> Turn {
        match self.waiting.entry(key) {
            Entry::Occupied(flight) => Turn::Follow(Follower(flight.get().clone())),
            Entry::Vacant(_) if !may_lead => Turn::Alone,
            Entry::Vacant(place) => {
                let (end, waiting) = watch::channel(None);
                let key = place.key().clone();
                place.insert(waiting);
                Turn::Lead(Lead { flights: Arc::clone(self), key, end, how: End::Failed })
            }
        }
    }
}

/// The leader's duty: dropped in any way, it ends the fetch and releases the followers.
#[derive(Debug)]
pub(crate) struct Lead {
    flights: Arc<Flights>,
    key: FlightKey,
    end: watch::Sender<Option<End>>,
    how: End,
}

impl Lead {
    pub(crate) fn end(mut self, how: End) {
        self.how = how;
    }

    /// Whether anyone waits; the map's own receiver does not count.
    pub(crate) fn has_followers(&self) -> bool {
        self.end.receiver_count() > 1
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        // First out of the map, so that whoever is released and finds nothing can lead.
        self.flights.waiting.remove(&self.key);
        self.end.send_replace(Some(self.how));
    }
}

/// Waits for a leader.
#[derive(Debug)]
pub(crate) struct Follower(watch::Receiver<Option<End>>);

impl Follower {
    /// Cancel safe: a follower that is dropped has waited for nothing.
    pub(crate) async fn wait(mut self) -> End {
        match self.0.wait_for(Option::is_some).await {
            Ok(end) => end.unwrap_or(End::Failed),
            Err(_) => End::Failed,
        }
    }
}
