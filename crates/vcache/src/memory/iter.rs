//! Walking a cache that others go on using.

use std::fmt;
use std::hash::Hash;
use std::vec;

use super::Memory;
use super::operations::Place;

/// All live entries of a cache, in no order; see [`Memory::iter`].
pub struct Iter<K, V> {
    cache: Memory<K, V>,
    /// Copied and not yet given.
    batch: vec::IntoIter<(K, V)>,
    /// The shard and the slot to go on with.
    place: Option<Place>,
}

impl<K, V> Iter<K, V> {
    pub(super) fn new(cache: Memory<K, V>) -> Self {
        Self { cache, batch: Vec::new().into_iter(), place: Some(Place::default()) }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Iterator for Iter<K, V> {
    type Item = (K, V);

    fn next(&mut self) -> Option<(K, V)> {
        loop {
            if let Some(entry) = self.batch.next() {
                return Some(entry);
            }
            let place = self.place?;
            let mut batch = Vec::new();
            self.place = self.cache.engine.visit_some(place, |key, value| {
                batch.push((key.clone(), value.clone()));
            });
            self.batch = batch.into_iter();
        }
    }
}

impl<K, V> fmt::Debug for Iter<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").field("place", &self.place).finish_non_exhaustive()
    }
}
