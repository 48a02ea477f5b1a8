//! Writing responses to the tiers below memory, after they were answered.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::http::generation::Ticket;
use crate::http::key::Key;
use crate::http::record::{Kind, Record, Rule, of_stored};
use crate::http::stored::Stored;
use crate::http::tiers::desk::Job;
use crate::http::tiers::inner::Inner;
use crate::http::tiers::metrics::{Read, Write};
use crate::http::tiers::near::Near;
use crate::http::tiers::place;
use crate::http::tiers::shelf::Shelf;
use crate::random::Random;
#[cfg(feature = "redis")]
use crate::store::Keeping;
use crate::store::StoreError;
#[cfg(feature = "redis")]
use crate::store::lease::LeaseStore;

/// Does one job after the other.
pub(super) async fn work(
    inner: Arc<Inner>,
    near: Weak<dyn Near>,
    mut lane: UnboundedReceiver<(Key, Job)>,
) {
    while let Some((key, job)) = lane.recv().await {
        let bytes = job.bytes();
        let ended = Ended { inner: &inner, key: &key, bytes };
        match job {
            Job::Keep { ticket, stored, nearer_than } => {
                let Some(near) = near.upgrade() else { return };
                inner.keep_now(&*near, &key, (ticket, &stored), nearer_than).await;
            }
            Job::Forget => {
                for shelf in &inner.shelves {
                    // If it is away, others find out for themselves.
                    let _ = shelf.delete(&place::of_url(&key)).await;
                }
            }
            Job::Tell => {
                let Some(near) = near.upgrade() else { return };
                inner.tell_pending(&*near).await;
            }
            #[cfg(feature = "redis")]
            Job::Release(place) => inner.release(&place).await,
        }
        drop(ended);
        inner.meters.waiting(inner.desk.bytes());
    }
}

/// Says that a job is over, also when the task ends in the midst of it.
struct Ended<'a> {
    inner: &'a Inner,
    key: &'a Key,
    bytes: u64,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.inner.desk.ended(self.key, self.bytes);
    }
}

impl Inner {
    async fn keep_now(
        &self,
        near: &dyn Near,
        key: &Key,
        (ticket, stored): (Ticket, &Arc<Stored>),
        nearer_than: usize,
    ) {
        let mut record = None;
        for shelf in self.shelves.iter().take(nearer_than) {
            let left = stored.retention(near.now());
            let is_current = near.is_current(ticket, key, &stored.tags);
            // Without a place in the journal it would be doubted whenever it is read.
            if left.is_zero() || !is_current || ticket.place.journal == 0 {
                shelf.figures.write(Write::Overtaken);
                continue;
            }
            let size = u64::try_from(stored.body.len()).unwrap_or(u64::MAX);
            if size > shelf.max_object {
                shelf.figures.write(Write::TooLarge);
                // What was there is older.
                let _ = shelf.delete(&place::of_url(key)).await;
                continue;
            }
            let bytes = record.get_or_insert_with(|| of_stored(key, ticket.place, stored));
            self.keep_on(shelf, key, stored, (bytes.clone(), left)).await;
        }
    }

    async fn keep_on(
        &self,
        shelf: &Shelf,
        key: &Key,
        stored: &Stored,
        (bytes, left): (Bytes, Duration),
    ) {
        let url = place::of_url(key);
        if stored.vary.names().is_empty() {
            shelf.wrote(self.put(shelf, &url, bytes, left).await);
            return;
        }
        let Some((rule, stays)) = self.rule(shelf, key, stored).await else {
            // The store cannot tell: it would not keep it either.
            shelf.figures.write(Write::Failed);
            return;
        };
        let variant = place::of_variant(key, rule.number, &stored.vary);
        // As long as the longest of the variants.
        let mut written = self.put(shelf, &variant, bytes, left).await;
        if matches!(written, Ok(true)) && stays < left {
            let rule = Record::rule(key.clone(), rule).to_bytes();
            written = self.put(shelf, &url, rule, left).await;
        }
        shelf.wrote(written);
    }

    /// What the responses of a URL vary with, and how long that is known there; or anew.
    async fn rule(&self, shelf: &Shelf, key: &Key, stored: &Stored) -> Option<(Rule, Duration)> {
        let (names, normalise) = (stored.vary.names(), stored.terms.normalise);
        if let Some((bytes, stays)) = shelf.get(&place::of_url(key)).await.ok()? {
            match Record::parse(&bytes) {
                Ok(Record { kind: Kind::Rule(rule), key: of })
                    if of == *key && rule.names == names && rule.normalise == normalise =>
                {
                    return Some((rule, stays));
                }
                Ok(_) => {}
                Err(_) => shelf.figures.read(Read::Damaged),
            }
        }
        let (number, names) = (Random::new().next(), names.to_vec());
        Some((Rule { number, normalise, names }, Duration::ZERO))
    }

    /// Puts bytes there; with the lease, if this process has one for that. False, and nothing is
    /// kept, if that lease is over: somebody else has come later.
    async fn put(
        &self,
        shelf: &Shelf,
        place: &str,
        bytes: Bytes,
        left: Duration,
    ) -> Result<bool, StoreError> {
        #[cfg(feature = "redis")]
        if let (Some(remote), true) = (&self.remote, shelf.is_shared())
            && let Some((_, lease)) = self.leases.remove(place)
        {
            let keeping = Keeping { ttl: Some(left), ..Keeping::default() };
            let filled = remote.store.fill(&lease, bytes, keeping).await;
            if filled.is_err() {
                // If that fails as well, the lease ends by itself.
                let _ = remote.store.release(&lease).await;
            }
            return filled;
        }
        shelf.set(place, bytes, left).await.map(|()| true)
    }

    /// Gives a lease back, if nothing that was kept has ended it.
    #[cfg(feature = "redis")]
    async fn release(&self, place: &str) {
        if let (Some(remote), Some((_, lease))) = (&self.remote, self.leases.remove(place)) {
            let _ = remote.store.release(&lease).await;
        }
    }
}
