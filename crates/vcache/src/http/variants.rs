//! What is stored under one key: a bounded number of variants, most recent first.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderMap;

use crate::http::policy::select;
use crate::http::purge::Fate;
use crate::http::ranges::Partial;
use crate::http::stored::Stored;
use crate::http::tags::Tag;
use crate::http::variant_index::VariantIndex;
use crate::http::vary::VaryKey;

/// The variants of a key; a change makes a new value, so that readers need no lock.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variants {
    list: Vec<Arc<Stored>>,
    /// Of the list, where that is long.
    index: Option<VariantIndex>,
    /// Parts of variants of which the whole is not there, most recent first.
    parts: Vec<Arc<Partial>>,
    /// Until then requests do not wait for each other: the last answer could not be shared.
    hit_for_miss: Option<SystemTime>,
}

impl Variants {
    /// The variant that fits a request.
    pub(crate) fn select(&self, request: &HeaderMap, now: SystemTime) -> Option<Arc<Stored>> {
        let stored = match &self.index {
            Some(index) => {
                let key = |place: usize| self.list.get(place).map(|stored| &stored.vary);
                self.list.get(index.find(request, key)?)?
            }
            None => select(self.list.iter().map(|stored| (&stored.vary, stored)), request)?,
        };
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
        let other = |part: &&Arc<Partial>| part.vary() != &vary;
        let parts = self.parts.iter().filter(other).cloned().collect();
        Self { parts, ..Self::default() }.listing(list)
    }

    /// With this list in place of its own.
    fn listing(mut self, list: Vec<Arc<Stored>>) -> Self {
        let keys: Vec<_> = list.iter().map(|stored| &stored.vary).collect();
        self.index = VariantIndex::new(&keys);
        self.list = list;
        self
    }

    /// The part that fits a request.
    pub(crate) fn part(&self, request: &HeaderMap) -> Option<&Arc<Partial>> {
        select(self.parts.iter().map(|part| (part.vary(), part)), request)
    }

    /// The part of the variant `vary`.
    pub(crate) fn part_of(&self, vary: &VaryKey) -> Option<&Arc<Partial>> {
        self.parts.iter().find(|part| part.vary() == vary)
    }

    /// Adds a part in place of what there was of the same variant; above `max` the oldest leaves.
    pub(crate) fn with_part(&self, part: Arc<Partial>, max: usize, now: SystemTime) -> Self {
        let mut parts = vec![part];
        for other in &self.parts {
            let is_other = parts.iter().all(|part| part.vary() != other.vary());
            if is_other && !other.retention(now).is_zero() {
                parts.push(Arc::clone(other));
            }
        }
        parts.truncate(max.max(1));
        Self { parts, ..self.clone() }
    }

    /// Whether the same variant is there, and not older.
    pub(crate) fn has_newer(&self, stored: &Stored) -> bool {
        let received = |stored: &Stored| stored.terms.freshness().received();
        let same = |other: &&Arc<Stored>| other.vary == stored.vary;
        self.list.iter().find(same).is_some_and(|other| received(other) >= received(stored))
    }

    /// Takes a variant out; `None` when nothing is left.
    pub(crate) fn without(&self, stored: &Arc<Stored>) -> Option<Self> {
        let others = self.list.iter().filter(|other| !Arc::ptr_eq(other, stored));
        let rest = self.clone().listing(others.cloned().collect());
        rest.is_of_use().then_some(rest)
    }

    fn is_of_use(&self) -> bool {
        !self.list.is_empty() || !self.parts.is_empty() || self.hit_for_miss.is_some()
    }

    /// What is left of the variants after a purge of those that `takes` means, and how many those
    /// were.
    pub(crate) fn purged(
        &self,
        fate: Fate,
        takes: impl Fn(&[Tag]) -> bool,
    ) -> (Option<Self>, usize) {
        let (mut rest, mut count) = (self.clone(), 0);
        // A part has nothing that would be worth to keep.
        rest.parts.retain(|part| !takes(part.tags()));
        count += self.parts.len() - rest.parts.len();
        let mut list = Vec::with_capacity(self.list.len());
        for stored in &self.list {
            if !takes(&stored.tags) {
                list.push(Arc::clone(stored));
                continue;
            }
            count += 1;
            list.extend(stored.after(fate).map(Arc::new));
        }
        let rest = rest.listing(list);
        (rest.is_of_use().then_some(rest), count)
    }

    /// Whether any variant has `tag`.
    pub(crate) fn has_tag(&self, tag: &Tag) -> bool {
        self.list.iter().any(|stored| stored.tags.contains(tag))
            || self.parts.iter().any(|part| part.tags().contains(tag))
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

    /// The variants, most recent first.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Arc<Stored>> {
        self.list.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// The values of `request` for the fields that the most recent variant depends on.
    pub(crate) fn ask(&self, request: &HeaderMap) -> Option<VaryKey> {
        self.list.first().map(|stored| stored.vary.ask(request))
    }

    /// How long from `now` on anything here is of use.
    pub(crate) fn retention(&self, now: SystemTime) -> Duration {
        let marker =
            self.hit_for_miss.and_then(|end| end.duration_since(now).ok()).unwrap_or_default();
        let parts = self.parts.iter().map(|part| part.retention(now));
        let all = self.list.iter().map(|stored| stored.retention(now)).chain(parts);
        all.fold(marker, Duration::max)
    }

    /// Bytes on the cache's account.
    pub(crate) fn weight(&self) -> usize {
        let list: usize = self.list.iter().map(|stored| stored.weight()).sum();
        let parts: usize = self.parts.iter().map(|part| part.weight()).sum();
        let index = self.index.as_ref().map_or(0, VariantIndex::weight);
        list + parts + index + (self.list.len() + self.parts.len()) * 16 + 64
    }
}
