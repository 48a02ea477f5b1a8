//! Looking into one tier.

use std::sync::Arc;

use http::HeaderMap;

use crate::http::encodings::Encodings;
use crate::http::generation::Ticket;
use crate::http::key::Key;
use crate::http::purge::Fate;
use crate::http::record::{Kept, Kind, Record, RecordError};
use crate::http::stored::Stored;
use crate::http::tiers::inner::Inner;
use crate::http::tiers::journal::Verdict;
use crate::http::tiers::metrics::Read;
use crate::http::tiers::near::Near;
use crate::http::tiers::place;
use crate::http::tiers::shelf::Shelf;

impl Inner {
    /// What a tier has for a request, as far as it was not purged; and the ticket to store it with.
    pub(super) async fn find(
        &self,
        shelf: &Shelf,
        near: &dyn Near,
        (key, request): (&Key, &HeaderMap),
        ticket: Ticket,
    ) -> Option<(Arc<Stored>, Ticket)> {
        if self.desk.is_busy_with(key) {
            // What is there is about to change: what memory had is newer.
            shelf.figures.read(Read::Skipped);
            return None;
        }
        if shelf.is_shared() && !self.trust.is_in_touch(near.now()) {
            shelf.figures.read(Read::Skipped);
            return None;
        }
        let kept = self.look(shelf, key, request).await?;
        let ticket = ticket.at(kept.place);
        let stored = self.judged(near, key, kept);
        shelf.figures.read(if stored.is_some() { Read::Hit } else { Read::Purged });
        Some((Arc::new(stored?), ticket))
    }

    /// The response for a request.
    async fn look(&self, shelf: &Shelf, key: &Key, request: &HeaderMap) -> Option<Kept> {
        let mut place = place::of_url(key);
        for _ in 0..2 {
            let Some((bytes, _)) = shelf.get(&place).await.ok()? else {
                shelf.figures.read(Read::Miss);
                return None;
            };
            let record = Record::parse(&bytes).and_then(|record| match record.key == *key {
                true => Ok(record.kind),
                false => Err(RecordError::Damaged),
            });
            match record {
                Ok(Kind::Response(kept)) => return Some(*kept),
                Ok(Kind::Rule(rule)) => place = place::of_request(key, &rule, request),
                Err(_) => break,
            }
        }
        shelf.figures.read(Read::Damaged);
        None
    }

    /// The response as the purges since it was asked for have left it.
    fn judged(&self, near: &dyn Near, key: &Key, kept: Kept) -> Option<Stored> {
        let Kept { place, mut head, body } = kept;
        let (now, keep) = (near.now(), near.keep_stale());
        head.keep = keep;
        head.ahead.early = near.early();
        let verdict = self.journal.judge(place, key, &head.tags);
        let stored = head.with_body(body, Arc::new(Encodings::default()));
        match verdict {
            Verdict::Holds => Some(stored),
            Verdict::Stale(at) => stored.after(Fate::Stale { now: at.min(now), keep }),
            Verdict::Gone => None,
            Verdict::Doubtful => stored.after(Fate::Doubted { now, keep }),
        }
    }
}
