//! How the engine purges: in step with fills under way, so that none undoes it.

use std::sync::atomic::Ordering;

use http::{HeaderMap, Method};

use crate::http::engine::Engine;
use crate::http::key::Key;
use crate::http::policy::is_safe;
use crate::http::purge::{Fate, Pattern, Purge, PurgeError, Purged};
use crate::http::tags::Tag;

impl Engine {
    pub(crate) fn purge(&self, purge: &Purge) -> Result<Purged, PurgeError> {
        let pattern = match purge.pattern()? {
            Pattern::Key(key) => Pattern::Key(self.query.apply(key)),
            pattern => pattern,
        };
        let keep = self.config.keep_stale;
        let fate = if purge.hard { Fate::Gone } else { Fate::Stale { now: self.now(), keep } };
        let purged = self.purge_pattern(&pattern, fate);
        self.meters().purged(purge, purged);
        Ok(purged)
    }

    /// Removes all variants of a key, and those of it that are still on their way.
    pub(crate) fn invalidate(&self, key: &Key) {
        let key = self.query.apply(key.clone());
        self.purge_pattern(&Pattern::Key(key), Fate::Gone);
    }

    /// Removes what an answer to an unsafe request says is out of date (RFC 9875 §3).
    pub(crate) fn invalidate_groups(&self, method: &Method, key: &Key, response: &HeaderMap) {
        if is_safe(method) {
            return;
        }
        for tag in self.tags.invalidated(response, key.split_origin().0) {
            self.purge_pattern(&Pattern::Tag(tag), Fate::Gone);
        }
    }

    fn purge_pattern(&self, pattern: &Pattern, fate: Fate) -> Purged {
        let Pattern::Key(key) = pattern else {
            return self.purge_many(pattern, fate);
        };
        let (url, claims) = key.split_claims();
        let plain = (!claims.is_empty()).then(|| Key::from_text(url.to_owned()));
        let key = plain.as_ref().unwrap_or(key);
        let change = || self.purge_key(key, pattern, fate);
        let responses = self.generations.advance(key.as_str(), change);
        // And the keys of the same URL that claims tell apart.
        let mut purged = match self.claimed.load(Ordering::SeqCst) {
            true => self.purge_many(&Pattern::Tag(Tag::url(url)), fate),
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
