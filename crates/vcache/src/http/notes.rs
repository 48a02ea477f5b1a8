//! Purges of more than one key, as long as a fill may be under way that began before.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::http::key::Key;
use crate::http::purge::Pattern;
use crate::http::tags::Tag;

/// Purges remembered; a fill that began before more of them is taken as purged.
const MAX_NOTES: usize = 1024;

/// The last purges, in their order.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    count: AtomicU64,
    /// The last one is number `count`.
    last: RwLock<VecDeque<Pattern>>,
}

impl Notes {
    /// How many purges there have been.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    pub(crate) fn add(&self, pattern: Pattern) {
        let mut last = self.last.write().unwrap_or_else(PoisonError::into_inner);
        if last.len() == MAX_NOTES {
            last.pop_front();
        }
        last.push_back(pattern);
        // Under the lock: whoever sees the new number finds the pattern.
        self.count.fetch_add(1, Ordering::Release);
    }

    /// Whether none of the purges since number `since` meant a response with `tags` under `key`.
    pub(crate) fn spare(&self, since: u64, key: &Key, tags: Option<&[Tag]>) -> bool {
        if self.count() == since {
            return true;
        }
        let last = self.last.read().unwrap_or_else(PoisonError::into_inner);
        let newer = self.count().saturating_sub(since);
        let Some(newer) = usize::try_from(newer).ok().filter(|newer| *newer <= last.len()) else {
            return false;
        };
        !last.iter().rev().take(newer).any(|pattern| pattern.matches(key, tags))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::purge::Purge;

    #[test]
    fn a_purge_is_remembered_for_what_it_meant() {
        let (notes, key) = (Notes::default(), Key::of_url("http://a/x").unwrap());
        let since = notes.count();
        notes.add(Purge::host("b").pattern().unwrap());
        notes.add(Purge::tag("t").pattern().unwrap());
        let tag = |text| Tag::named(text).unwrap();
        assert!(notes.spare(since, &key, Some(&[tag("u")])));
        assert!(!notes.spare(since, &key, Some(&[tag("u"), tag("t")])));
        assert!(!notes.spare(since, &key, None));
        assert!(notes.spare(notes.count(), &key, None));
    }

    #[test]
    fn what_is_forgotten_counts_as_purged() {
        let (notes, key) = (Notes::default(), Key::of_url("http://a/x").unwrap());
        let (mut since, other) = (notes.count(), Purge::host("b").pattern().unwrap());
        for _ in 0..MAX_NOTES {
            notes.add(other.clone());
        }
        assert!(notes.spare(since, &key, None));
        notes.add(other);
        assert!(!notes.spare(since, &key, None));
        since = notes.count();
        assert!(notes.spare(since, &key, None));
    }
}
