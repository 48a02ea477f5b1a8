//! How the engine purges: in step with fills under way, so that none undoes it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use http::{HeaderMap, Method};

use crate::http::engine::Engine;
use crate::http::generation::Ticket;
use crate::http::key::Key;
use crate::http::policy::{Early, is_safe};
use crate::http::purge::{Fate, Pattern, Purge, PurgeError, Purged};
use crate::http::tags::Tag;
use crate::http::tiers::{Near, Tiers};

impl Engine {
    /// Purges memory at once, and has the tiers below learn of it.
    pub(crate) fn purge(&self, purge: &Purge) -> Result<Purged, PurgeError> {
        let pattern = self.pattern(purge)?;
        if let Some(tiers) = &self.tiers {
            tiers.tell_later(&pattern, purge.hard);
        }
        Ok(self.purge_here(purge, &pattern))
    }

    /// Purges memory and everything below it, here and in all processes that share that.
    pub(crate) async fn purge_everywhere(&self, purge: &Purge) -> Result<Purged, PurgeError> {
        let pattern = self.pattern(purge)?;
        let mut told = Ok(());
        if let Some(tiers) = &self.tiers {
            told = tiers.tell(self, &pattern, purge.hard).await;
        }
        let purged = self.purge_here(purge, &pattern);
        told.map(|()| purged).map_err(|error| PurgeError::Elsewhere(error.to_string()))
    }

    fn pattern(&self, purge: &Purge) -> Result<Pattern, PurgeError> {
        Ok(match purge.pattern()? {
            Pattern::Key(key) => Pattern::Key(self.query.apply(key)),
            pattern => pattern,
        })
    }

    fn purge_here(&self, purge: &Purge, pattern: &Pattern) -> Purged {
        let keep = self.config.keep_stale;
        let fate = if purge.hard { Fate::Gone } else { Fate::Stale { now: self.now(), keep } };
        let purged = self.purge_pattern(pattern, fate);
        self.meters().purged(purge, purged);
        purged
    }

    /// Removes all variants of a key, and those of it that are still on their way.
    pub(crate) async fn invalidate(&self, key: &Key) {
        let key = self.query.apply(key.clone());
        self.invalidate_below(&key).await;
        self.purge_pattern(&Pattern::Key(key), Fate::Gone);
    }

    /// Removes all variants of a key from the tiers below memory.
    pub(crate) async fn invalidate_below(&self, key: &Key) {
        let Some(tiers) = &self.tiers else {
            return;
        };
        if key.has_claims() || self.claimed.load(Ordering::SeqCst) {
            // What is there under the same URL with other claims does not show in any one look.
            let _ = tiers.tell(self, &Pattern::Key(key.plain()), true).boxed().await;
        } else {
            tiers.drop_url(self, key).boxed().await;
        }
    }

    /// Removes all variants of a key for one that comes in their place: a new ticket for that, if
    /// its old one was not void.
    pub(crate) fn supersede(&self, key: &Key, ticket: Ticket, tags: &[Tag]) -> Option<Ticket> {
        let pattern = Pattern::Key(key.clone());
        #[cfg(any(feature = "disk", feature = "redis"))]
        let ticket = match &self.tiers {
            // Of what is known there by now, what is not yet known here makes it void yet.
            Some(tiers) => ticket.at(tiers.place()),
            None => ticket,
        };
        self.generations.renew(ticket, key, tags, || {
            self.purge_key(key, &pattern, Fate::Gone);
        })
    }

    /// Learns, the first time, which purges the tiers below memory know of.
    pub(crate) async fn learn_purges(&self) {
        if let Some(tiers) = &self.tiers {
            tiers.load().boxed().await;
        }
    }

    /// Removes what an answer to an unsafe request says is out of date (RFC 9875 §3).
    pub(crate) async fn invalidate_groups(&self, method: &Method, key: &Key, response: &HeaderMap) {
        if is_safe(method) {
            return;
        }
        for tag in self.tags.invalidated(response, key.split_origin().0) {
            let pattern = Pattern::Tag(tag);
            if let Some(tiers) = &self.tiers {
                // What cannot be told now is told later.
                let _ = tiers.tell(self, &pattern, true).boxed().await;
            }
            self.purge_pattern(&pattern, Fate::Gone);
        }
    }

    /// Begins what is to be done in the background, if that is not under way.
    pub(crate) fn start(self: &Arc<Self>) {
        if let Some(tiers) = &self.tiers {
            tiers.start(|| {
                let weak: Weak<Self> = Arc::downgrade(self);
                weak
            });
        }
    }

    /// Whether processes share what one of them fetches.
    pub(crate) fn shares_fetches(&self) -> bool {
        self.tiers.as_ref().is_some_and(Tiers::shares_fetches)
    }

    fn purge_pattern(&self, pattern: &Pattern, fate: Fate) -> Purged {
        let Pattern::Key(key) = pattern else {
            return self.purge_many(pattern, fate);
        };
        let key = key.plain();
        let change = || self.purge_key(&key, pattern, fate);
        let responses = self.generations.advance(key.as_str(), change);
        // And the keys of the same URL that claims tell apart.
        let mut purged = match self.claimed.load(Ordering::SeqCst) {
            true => self.purge_many(&Pattern::Tag(Tag::url(key.as_str())), fate),
            false => Purged::default(),
        };
        purged.add(responses.unwrap_or(0));
        purged
    }

    fn purge_many(&self, pattern: &Pattern, fate: Fate) -> Purged {
        let mut purged = Purged::default();
        // What asks from now on is younger than the purge; what asked before either finds the
        // note, or has been stored when this returns, and is met below.
        self.generations.note(pattern.clone());
        let keys = match pattern {
            Pattern::Tag(tag) => self.tagged.keys(tag),
            _ => self.keys(pattern),
        };
        for key in &keys {
            let change = || self.purge_key(key, pattern, fate);
            purged.add(self.generations.alone(key.as_str(), change).unwrap_or(0));
        }
        purged
    }

    /// The keys that the pattern means, among all.
    fn keys(&self, pattern: &Pattern) -> Vec<Key> {
        let mut keys = Vec::new();
        self.memory().retain(|key, _| {
            if pattern.matches_key(key) {
                keys.push(key.clone());
            }
            true
        });
        keys
    }

    /// Purges what the pattern means under a key, alone among all changes of it; how many
    /// responses that were.
    fn purge_key(&self, key: &Key, pattern: &Pattern, fate: Fate) -> usize {
        let Some(before) = self.memory().peek(key.as_str()) else {
            return 0;
        };
        let (after, count) = before.purged(fate, |tags| pattern.takes(tags));
        if let Pattern::Key(_) = pattern
            && fate == Fate::Gone
        {
            self.memory().remove(key.as_str());
        } else if count > 0 {
            self.put(key, after);
        }
        count
    }
}

impl Near for Engine {
    #[cfg(feature = "redis")]
    fn name(&self) -> &str {
        &self.config.name
    }

    fn now(&self) -> SystemTime {
        self.now()
    }

    fn keep_stale(&self) -> Duration {
        self.config.keep_stale
    }

    fn early(&self) -> Early {
        self.rules.early
    }

    fn is_current(&self, ticket: Ticket, key: &Key, tags: &[Tag]) -> bool {
        self.generations.is_current(ticket, key, Some(tags))
    }

    fn has(&self, key: &Key) -> bool {
        self.memory().peek(key.as_str()).is_some()
    }

    #[cfg(feature = "redis")]
    fn apply(&self, pattern: &Pattern, fate: Fate) {
        self.purge_pattern(pattern, fate);
    }
}
