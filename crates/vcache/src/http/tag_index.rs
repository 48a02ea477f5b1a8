//! Which keys have responses with a tag, so that a purge need not look at all.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;

use crate::http::key::Key;
use crate::http::tags::Tag;

/// Pairs of tag and key below which the index is never looked through.
const SLACK: usize = 4096;

/// Keys by tag. It may name keys whose responses are gone, and lacks none that is there.
#[derive(Debug)]
pub(crate) struct TagIndex {
    keys: DashMap<Tag, HashSet<Key, foldhash::fast::RandomState>>,
    pairs: AtomicUsize,
    /// Above this many pairs those that are dead are taken out.
    limit: AtomicUsize,
}

impl TagIndex {
    pub(crate) fn new() -> Self {
        Self { keys: DashMap::new(), pairs: AtomicUsize::new(0), limit: AtomicUsize::new(SLACK) }
    }

    /// Notes a key that has been stored with `tags`.
    pub(crate) fn add(&self, key: &Key, tags: &[Tag]) {
        for tag in tags {
            if self.keys.entry(tag.clone()).or_default().insert(key.clone()) {
                self.pairs.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// The keys that may have responses with `tag`.
    pub(crate) fn keys(&self, tag: &Tag) -> Vec<Key> {
        self.keys.get(tag).map(|keys| keys.iter().cloned().collect()).unwrap_or_default()
    }

    /// Takes out what is dead, once there may be as much of it as of the living.
    pub(crate) fn prune(&self, lives: impl Fn(&Key, &Tag) -> bool) {
        let limit = self.limit.load(Ordering::Relaxed);
        if self.pairs.load(Ordering::Relaxed) <= limit {
            return;
        }
        // Only one does it; the others go on.
        let raised =
            self.limit.compare_exchange(limit, usize::MAX, Ordering::Relaxed, Ordering::Relaxed);
        if raised.is_err() {
            return;
        }
        let mut gone = 0_usize;
        self.keys.retain(|tag, keys| {
            let before = keys.len();
            keys.retain(|key| lives(key, tag));
            gone += before - keys.len();
            !keys.is_empty()
        });
        let left = self.pairs.fetch_sub(gone, Ordering::Relaxed).saturating_sub(gone);
        self.limit.store(left.saturating_mul(2).saturating_add(SLACK), Ordering::Relaxed);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.pairs.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_stays_within_twice_the_living() {
        let index = TagIndex::new();
        let tag = Tag::named("t").unwrap();
        let key = |n: usize| Key::of_url(&format!("http://a/{n}")).unwrap();
        for n in 0..20_000 {
            index.add(&key(n), std::slice::from_ref(&tag));
            index.prune(|key, _| key.as_str().ends_with('7'));
        }
        assert!(index.len() <= 2 * 2_000 + SLACK + 1, "{}", index.len());
        assert!(index.keys(&tag).contains(&key(19_997)));
        assert_eq!(index.keys(&tag).len(), index.len());
    }
}
