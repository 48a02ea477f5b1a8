//! What is stored under one key: a bounded number of variants, most recent first.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName};

use crate::http::policy::select;
use crate::http::stored::Stored;

/// The variants of a key; a change makes a new value, so that readers need no lock.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variants {
    list: Vec<Arc<Stored>>,
    /// Until then requests do not wait for each other: the last answer could not be shared.
    hit_for_miss: Option<SystemTime>,
}

impl Variants {
    /// The variant that fits a request.
    pub(crate) fn select(&self, request: &HeaderMap, now: SystemTime) -> Option<Arc<Stored>> {
        let candidates = self.list.iter().map(|stored| (&stored.vary, stored));
        let stored = select(candidates, request)?;
        if self.list.len() > 1 {
            stored.touch(now);
        }
        Some(Arc::clone(stored))
    }

    /// Adds a variant or replaces its former self; above `max` the least recently used leaves.
    pub(crate) fn with(&self, stored: Arc<Stored>, max: usize, now: SystemTime) -> Self {
        let mut list = Vec::with_capacity((self.list.len() + 1).min(max));
        let vary = stored.vary.clone();
        list.push(stored);
        let others =
            self.list.iter().filter(|other| other.vary != vary && !other.retention(now).is_zero());
        list.extend(others.cloned());
        while list.len() > max.max(1) {
            let oldest = list.iter().enumerate().skip(1);
            let Some((index, _)) = oldest.min_by_key(|(_, stored)| stored.last_used()) else {
                break;
            };
            list.remove(index);
        }
        Self { list, hit_for_miss: None }
    }

    /// Takes a variant out; `None` when nothing is left.
    pub(crate) fn without(&self, stored: &Arc<Stored>) -> Option<Self> {
        let mut rest = self.clone();
        rest.list.retain(|other| !Arc::ptr_eq(other, stored));
        (!rest.list.is_empty() || rest.hit_for_miss.is_some()).then_some(rest)
    }

    /// Notes that answers cannot be shared until `end`.
    pub(crate) fn marked(&self, end: SystemTime) -> Self {
        let mut marked = self.clone();
        marked.hit_for_miss = Some(end);
        marked
    }

    /// Whether requests should not wait for each other.
    pub(crate) fn is_marked(&self, now: SystemTime) -> bool {
        self.hit_for_miss.is_some_and(|end| now < end)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Stored>> {
        self.list.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// The request fields that the most recent variant depends on.
    pub(crate) fn vary_names(&self) -> &[HeaderName] {
        self.list.first().map_or(&[], |stored| stored.vary.names())
    }

    /// How long from `now` on anything here is of use.
    pub(crate) fn retention(&self, now: SystemTime) -> Duration {
        let marker =
            self.hit_for_miss.and_then(|end| end.duration_since(now).ok()).unwrap_or_default();
        self.list.iter().map(|stored| stored.retention(now)).fold(marker, Duration::max)
    }

    /// Bytes on the cache's account.
    pub(crate) fn weight(&self) -> usize {
        let list: usize = self.list.iter().map(|stored| stored.weight()).sum();
        list + self.list.len() * 16 + 64
    }
}
