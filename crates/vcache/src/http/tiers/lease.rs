//! Leases of fetches: of all gateways, one asks the origin.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use tokio::time::{Instant, sleep};
use vtask::Task;

use crate::http::key::Key;
use crate::http::record::{Kind, Record};
use crate::http::tiers::desk::Job;
use crate::http::tiers::inner::Inner;
use crate::http::tiers::metrics::Fetched;
use crate::http::tiers::place;
use crate::http::tiers::remote::Remote;
use crate::http::tiers::shelf::Shelf;
use crate::store::lease::{Acquired, Lease, LeaseStore, Released};
use crate::tiered::Fleet;

/// A fetch that all gateways need, and that one of them is to do.
pub(crate) struct Turn {
    inner: Arc<Inner>,
    key: Key,
    /// What the lease is for.
    place: String,
    fleet: Fleet,
    end: Option<Instant>,
}

/// Who does it.
pub(crate) enum Whose {
    /// This process, for all, as long as it holds this.
    Ours(Hold),
    /// Somebody else, who has just ended: there may be an answer. Whether it said that there is
    /// none.
    Theirs { gave_up: bool },
    /// Each for itself: Redis cannot tell, or the time to wait is over.
    Everybodys,
}

/// A lease that is held, and extended, until this is dropped.
pub(crate) struct Hold {
    inner: Arc<Inner>,
    key: Key,
    place: String,
    _beat: Task,
}

/// A turn to take, where gateways share fetches and are in touch.
pub(super) async fn take(
    inner: &Arc<Inner>,
    now: SystemTime,
    (key, request): (&Key, &HeaderMap),
) -> Option<Turn> {
    let remote = inner.remote.as_ref()?;
    let fleet = remote.fleet.clone()?;
    if !inner.trust.is_in_touch(now) {
        return None;
    }
    let shelf = inner.shelves.iter().find(|shelf| shelf.is_shared())?;
    let place = leased(shelf, key, request).await?;
    let end = Instant::now().checked_add(fleet.wait);
    Some(Turn { inner: Arc::clone(inner), key: key.clone(), place, fleet, end })
}

/// What a lease is for: the URL, or the variant where it is known what those vary with.
async fn leased(shelf: &Shelf, key: &Key, request: &HeaderMap) -> Option<String> {
    let url = place::of_url(key);
    let Some((bytes, _)) = shelf.get(&url).await.ok()? else {
        return Some(url);
    };
    Some(match Record::parse(&bytes) {
        Ok(Record { kind: Kind::Rule(rule), .. }) => place::of_request(key, &rule, request),
        _ => url,
    })
}

impl Turn {
    /// Takes the turn, or waits for the one whose turn it is.
    pub(crate) async fn next(&self) -> Whose {
        let Some(Remote { store, .. }) = &self.inner.remote else {
            return Whose::Everybodys;
        };
        match store.acquire(&self.place, self.fleet.lease).await {
            Ok(Acquired::Held(lease)) => return Whose::Ours(self.hold(lease)),
            Ok(Acquired::Busy) => {}
            Err(_) => return Whose::Everybodys,
        }
        let left = self.end.map(|end| end.saturating_duration_since(Instant::now()));
        let Some(left) = left.filter(|left| !left.is_zero()) else {
            return Whose::Everybodys;
        };
        match store.released(&self.place, left).await {
            Ok(released) => Whose::Theirs { gave_up: released == Released::GivenUp },
            Err(_) => Whose::Everybodys,
        }
    }

    fn hold(&self, lease: Lease) -> Hold {
        let (lease, time) = (Arc::new(lease), self.fleet.lease);
        let (inner, key) = (Arc::clone(&self.inner), self.key.clone());
        inner.leases.insert(self.place.clone(), Arc::clone(&lease));
        let beat = Task::spawn(beat(Arc::clone(&inner), lease, time));
        Hold { inner, key, place: self.place.clone(), _beat: beat }
    }

    /// Counts what came of it.
    pub(crate) fn led(&self) {
        self.inner.meters.fetched(Fetched::Led);
    }

    /// Another gateway has brought the answer.
    pub(crate) fn shared(&self) {
        self.inner.meters.fetched(Fetched::Shared);
    }

    /// This gateway asks for itself.
    pub(crate) fn alone(&self) {
        self.inner.meters.fetched(Fetched::Alone);
    }
}

/// Gives signs of life.
async fn beat(inner: Arc<Inner>, lease: Arc<Lease>, time: Duration) {
    let Some(Remote { store, .. }) = &inner.remote else { return };
    loop {
        sleep(time / 3).await;
        // If that fails, the lease may end, and then two ask.
        if store.extend(&lease, time).await.is_ok_and(|is_held| !is_held) {
            return;
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // After what was left to be written with it.
        let job = Job::Release(std::mem::take(&mut self.place));
        self.inner.desk.leave(&self.key, job);
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold").field("place", &self.place).finish_non_exhaustive()
    }
}
