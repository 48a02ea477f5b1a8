//! Keys that this process is writing: what is read of them meanwhile is not kept.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

/// Counters that keys share.
const STRIPES: u64 = 256;

/// How many writes of which keys are under way, and how many there have been.
#[derive(Clone)]
pub(super) struct Writing {
    keys: Arc<DashMap<Arc<str>, Writers, foldhash::fast::RandomState>>,
    /// Beginnings and ends of this process's writes.
    here: Arc<Turns>,
    /// What was heard of others' writes; of its own as well, a little later.
    heard: Arc<Turns>,
}

/// Counts what happens to keys.
struct Turns {
    stripes: Box<[AtomicU64]>,
    /// What may concern any key.
    sweeps: AtomicU64,
}

impl Turns {
    fn new() -> Arc<Self> {
        let stripes = (0..STRIPES).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self { stripes, sweeps: AtomicU64::new(0) })
    }

    fn turn(&self, hash: u64) {
        if let Some(stripe) = self.stripe(hash) {
            stripe.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn sweep(&self) {
        self.sweeps.fetch_add(1, Ordering::SeqCst);
    }

    fn sum(&self, hash: u64) -> u64 {
        let turns = self.stripe(hash).map_or(0, |turns| turns.load(Ordering::SeqCst));
        turns.wrapping_add(self.sweeps.load(Ordering::SeqCst))
    }

    fn stripe(&self, hash: u64) -> Option<&AtomicU64> {
        let place = usize::try_from(hash % STRIPES).ok()?;
        self.stripes.get(place)
    }
}

/// What was written of a key by some moment: other than that, it has been written since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Epoch {
    here: u64,
    heard: u64,
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
        Self { keys: Arc::default(), here: Turns::new(), heard: Turns::new() }
    }

    pub(super) fn begin(&self, keys: &[&str]) -> Writes {
        let keys: Vec<Arc<str>> = keys.iter().map(|key| Arc::from(*key)).collect();
        for key in &keys {
            let mut writers = self.keys.entry(Arc::clone(key)).or_default();
            writers.contested |= writers.count > 0;
            writers.count += 1;
            drop(writers);
            self.here.turn(self.hash(key));
        }
        Writes { writing: self.clone(), keys }
    }

    /// Notes a write of unnamed keys: what is being loaded now is not for the store.
    pub(super) fn sweep(&self) {
        self.here.sweep();
    }

    /// Notes what was heard of a write of one key, or of unnamed ones.
    #[cfg(feature = "redis")]
    pub(super) fn hear(&self, key: Option<&str>) {
        match key {
            Some(key) => self.heard.turn(self.hash(key)),
            None => self.heard.sweep(),
        }
    }

    /// Whether a key is being written.
    pub(super) fn has(&self, key: &str) -> bool {
        !self.keys.is_empty() && self.keys.contains_key(key)
    }

    /// To be compared later. Seldom, the write of another key changes it too.
    pub(super) fn epoch(&self, key: &str) -> Epoch {
        let hash = self.hash(key);
        Epoch { here: self.here.sum(hash), heard: self.heard.sum(hash) }
    }

    /// Whether this process has written the key since, or is writing it. What it has put into the
    /// store for readers is no write, but heard of like one.
    pub(super) fn has_written(&self, key: &str, since: Epoch) -> bool {
        self.here.sum(self.hash(key)) != since.here || self.has(key)
    }

    fn hash(&self, key: &str) -> u64 {
        self.keys.hasher().hash_one(key)
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
            self.writing.here.turn(self.writing.hash(&key));
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
        assert!(writing.has_written("a", before));
        assert!(one.met_another("a") && two.met_another("a") && !one.met_another("b"));
        drop(one);
        assert!(writing.has("a") && !writing.has("b"));
        let late = writing.epoch("a");
        assert!(writing.has_written("a", late));
        drop(two);
        assert!(!writing.has("a"));
        assert!(writing.has_written("a", late));
        assert!(writing.keys.is_empty());
    }

    #[test]
    fn a_sweep_writes_every_key_and_hearsay_none() {
        let writing = Writing::new();
        let before = writing.epoch("a");
        assert!(!writing.has_written("a", before));
        #[cfg(feature = "redis")]
        for key in [Some("a"), None] {
            let before = writing.epoch("a");
            writing.hear(key);
            assert!(writing.epoch("a") != before && !writing.has_written("a", before));
        }
        writing.sweep();
        assert!(writing.has_written("a", before));
    }
}
