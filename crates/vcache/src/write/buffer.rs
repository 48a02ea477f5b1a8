//! The writes that are still to come, one per key: pure, the worker and the callers share it.

use std::collections::BTreeMap;
use std::hash::Hash;

use hashbrown::HashMap;
use tokio::time::Instant;

/// What becomes of a key in the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<V> {
    /// It gets this value.
    Put(V),
    /// It is removed.
    Remove,
}

/// Writes in the order in which their keys came; a later write of a key takes the place of the
/// earlier one, but for one that is on its way: then it waits at its own.
pub(super) struct Buffer<K, V> {
    slots: HashMap<K, Slot<V>, foldhash::fast::RandomState>,
    /// Places in the order of arrival, and since when they are taken.
    order: BTreeMap<u64, (K, Instant)>,
    next: u64,
}

struct Slot<V> {
    /// A version of this key: the present one, or one before.
    place: u64,
    version: u64,
    /// When the present version came.
    since: Instant,
    change: Change<V>,
}

/// A write on its way to the source.
pub(super) struct Outgoing<K, V> {
    pub(super) key: K,
    pub(super) version: u64,
    pub(super) change: Change<V>,
}

impl<K: Hash + Eq + Clone, V: Clone> Buffer<K, V> {
    /// Empty; `next` is above every version used before.
    pub(super) fn new(next: u64) -> Self {
        Self { slots: HashMap::default(), order: BTreeMap::new(), next }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn get(&self, key: &K) -> Option<&Change<V>> {
        self.slots.get(key).map(|slot| &slot.change)
    }

    /// The newest version there was.
    pub(super) const fn newest(&self) -> u64 {
        self.next
    }

    /// The oldest place that is taken, and since when.
    pub(super) fn oldest(&self) -> Option<(u64, Instant)> {
        self.order.first_key_value().map(|(place, (_, since))| (*place, *since))
    }

    /// Takes a write, in place of what was to come for its key. Its version, above all before.
    pub(super) fn put(&mut self, key: K, change: Change<V>, now: Instant) -> u64 {
        self.next += 1;
        let version = self.next;
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.version = version;
            slot.since = now;
            slot.change = change;
        } else {
            self.order.insert(version, (key.clone(), now));
            self.slots.insert(key, Slot { place: version, version, since: now, change });
        }
        version
    }

    /// The `most` oldest; they stay until they are [`written`](Self::written).
    pub(super) fn batch(&self, most: usize) -> Vec<Outgoing<K, V>> {
        let oldest = self.order.values().take(most);
        let outgoing = |(key, _): &(K, Instant)| {
            let slot = self.slots.get(key)?;
            let (version, change) = (slot.version, slot.change.clone());
            Some(Outgoing { key: key.clone(), version, change })
        };
        oldest.filter_map(outgoing).collect()
    }

    /// This version of the key has reached the source. Whether nothing newer is to come; if it
    /// is, it queues where it would stand had it come alone: behind what came before it, so that a
    /// busy key does not hold up the others, and no later, for those who wait for it.
    pub(super) fn written(&mut self, key: &K, version: u64) -> bool {
        let Some(slot) = self.slots.get_mut(key) else {
            return false;
        };
        self.order.remove(&slot.place);
        if slot.version == version {
            self.slots.remove(key);
            return true;
        }
        slot.place = slot.version;
        self.order.insert(slot.place, (key.clone(), slot.since));
        false
    }

    /// Takes a write that was pending in another life, with its version.
    pub(super) fn restore(&mut self, key: K, version: u64, change: Change<V>, now: Instant) {
        self.next = self.next.max(version);
        self.order.insert(version, (key.clone(), now));
        let slot = Slot { place: version, version, since: now, change };
        if let Some(older) = self.slots.insert(key, slot) {
            // Bytes of the journal that differ may be one key all the same.
            self.order.remove(&older.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap as Model;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Put(u8, Option<u16>),
        /// Takes a batch of so many, lets so many puts and a flush happen, then it is written or
        /// fails.
        Batch(usize, Vec<(u8, u16)>, bool),
    }

    fn step() -> impl Strategy<Value = Step> {
        let batch =
            (1..5_usize, prop::collection::vec((0..8_u8, any::<u16>()), 0..4), any::<bool>());
        prop_oneof![
            (0..8_u8, any::<Option<u16>>()).prop_map(|(key, value)| Step::Put(key, value)),
            batch.prop_map(|(most, puts, fine)| Step::Batch(most, puts, fine)),
        ]
    }

    fn change(value: Option<u16>) -> Change<u16> {
        value.map_or(Change::Remove, Change::Put)
    }

    proptest! {
        /// The source, once all is written, has the last write of each key; nothing is sent twice
        /// without a failure between; what is to come is what the source lacks; and when all that
        /// was there at a moment counts as written, it is.
        #[test]
        fn the_source_ends_with_the_last_writes(steps in prop::collection::vec(step(), 0..60)) {
            let now = Instant::now();
            let mut buffer = Buffer::new(0);
            let (mut last, mut source) = (Model::new(), Model::new());
            // Versions that were put, and that the source has; what flushes wait for.
            let (mut newest, mut reached) = (Model::new(), Model::<u8, u64>::new());
            let mut flushes: Vec<(u64, Model<u8, u64>)> = Vec::new();
            let mut put = |buffer: &mut Buffer<u8, u16>, key, change: Change<u16>| {
                last.insert(key, change.clone());
                (key, buffer.put(key, change, now))
            };
            for step in steps {
                match step {
                    Step::Put(key, value) => {
                        newest.extend([put(&mut buffer, key, change(value))]);
                    }
                    Step::Batch(most, puts, fine) => {
                        let batch = buffer.batch(most);
                        prop_assert!(batch.len() == most.min(buffer.len()));
                        for (key, value) in puts {
                            newest.extend([put(&mut buffer, key, Change::Put(value))]);
                        }
                        flushes.push((buffer.newest(), newest.clone()));
                        for write in batch.into_iter().filter(|_| fine) {
                            source.insert(write.key, write.change);
                            reached.insert(write.key, write.version);
                            buffer.written(&write.key, write.version);
                        }
                    }
                }
                prop_assert_eq!(buffer.slots.len(), buffer.order.len());
                for (flush, owed) in &flushes {
                    if buffer.oldest().is_none_or(|(place, _)| place > *flush) {
                        prop_assert!(owed.iter().all(|(key, version)| reached[key] >= *version));
                    }
                }
            }
            for (key, change) in &last {
                let known = buffer.get(key).or_else(|| source.get(key));
                prop_assert_eq!(known, Some(change));
            }
            while buffer.len() > 0 {
                for write in buffer.batch(3) {
                    source.insert(write.key, write.change);
                    prop_assert!(buffer.written(&write.key, write.version));
                }
            }
            prop_assert_eq!(source, last);
        }
    }

    #[test]
    fn a_busy_key_does_not_hold_up_the_others() {
        let now = Instant::now();
        let mut buffer = Buffer::new(0);
        let first = buffer.put("busy", Change::Put(1), now);
        buffer.put("other", Change::Put(1), now);
        buffer.put("busy", Change::Put(2), now);
        assert_eq!(buffer.batch(1)[0].change, Change::Put(2));
        // An older version was under way.
        assert!(!buffer.written(&"busy", first));
        assert_eq!(buffer.batch(1)[0].key, "other");
    }
}
