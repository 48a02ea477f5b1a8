//! Keys that this process is writing: what is read of them meanwhile is not kept.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

/// Counters that keys share.
const STRIPES: u64 = 256;

/// How many writes of which keys are under way.
#[derive(Clone)]
pub(super) struct Writing {
    keys: Arc<DashMap<Arc<str>, Writers, foldhash::fast::RandomState>>,
    /// Count the writes that began.
    begun: Arc<[AtomicU64]>,
}

/// Writes of one key that are under way.
#[derive(Default)]
struct Writers {
    count: usize,
    /// Two met.
    contested: bool,
}

/// Writes of some keys under way; they end when it is dropped.
pub(super) struct Writes {
    writing: Writing,
    pub(super) keys: Vec<Arc<str>>,
}

impl Writing {
    pub(super) fn new() -> Self {
        let begun = (0..STRIPES).map(|_| AtomicU64::new(0)).collect();
        Self { keys: Arc::default(), begun }
    }

    pub(super) fn begin(&self, keys: &[&str]) -> Writes {
        let keys: Vec<Arc<str>> = keys.iter().map(|key| Arc::from(*key)).collect();
        for key in &keys {
            let mut writers = self.keys.entry(Arc::clone(key)).or_default();
            writers.contested |= writers.count > 0;
            writers.count += 1;
            drop(writers);
            if let Some(begun) = self.stripe(key) {
                begun.fetch_add(1, Ordering::SeqCst);
            }
        }
        Writes { writing: self.clone(), keys }
    }

    /// Whether a key is being written.
    pub(super) fn has(&self, key: &str) -> bool {
        !self.keys.is_empty() && self.keys.contains_key(key)
    }

    /// A number that another write of the key changes, and seldom that of another.
    pub(super) fn epoch(&self, key: &str) -> u64 {
        self.stripe(key).map_or(0, |begun| begun.load(Ordering::SeqCst))
    }

    fn stripe(&self, key: &str) -> Option<&AtomicU64> {
        let place = self.keys.hasher().hash_one(key) % STRIPES;
        self.begun.get(usize::try_from(place).ok()?)
    }
}

impl Writes {
    /// Whether another write of the key met this one.
    pub(super) fn met_another(&self, key: &str) -> bool {
        self.writing.keys.get(key).is_some_and(|writers| writers.contested)
    }
}

impl Drop for Writes {
    fn drop(&mut self) {
        for key in self.keys.drain(..) {
            if let Entry::Occupied(mut entry) = self.writing.keys.entry(key) {
                entry.get_mut().count -= 1;
                if entry.get().count == 0 {
                    entry.remove();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_until_its_last_write_has_ended() {
        let writing = Writing::new();
        let before = writing.epoch("a");
        let one = writing.begin(&["a", "b"]);
        assert!(!one.met_another("a"));
        let two = writing.begin(&["a"]);
        assert_eq!(writing.epoch("a"), before + 2);
        assert!(one.met_another("a") && two.met_another("a") && !one.met_another("b"));
        drop(one);
        assert!(writing.has("a") && !writing.has("b"));
        drop(two);
        assert!(!writing.has("a"));
        assert!(writing.keys.is_empty());
    }
}
