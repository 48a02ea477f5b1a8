//! The writes that are still to come, one per key: pure, the worker and the callers share it.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::mem;

use hashbrown::{Equivalent, HashMap};
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
    /// The places of writes that the source did not take alone, and until when they wait.
    aside: BTreeMap<u64, (K, Instant)>,
    next: u64,
    weight: u64,
}

struct Slot<V> {
    /// A version of this key: the present one, or one before.
    place: u64,
    version: u64,
    /// When the present version came.
    since: Instant,
    weight: u64,
    /// How often the source did not take it though it came alone.
    attempts: u32,
    change: Change<V>,
}

/// A write on its way to the source.
pub(super) struct Outgoing<K, V> {
    pub(super) key: K,
    pub(super) version: u64,
    pub(super) change: Change<V>,
}

/// A write that has left: dropped by the one who gets it, under no lock.
pub(super) struct Left<K, V> {
    pub(super) weight: u64,
    _key: Option<K>,
    _change: Change<V>,
}

impl<K: Hash + Eq + Clone, V: Clone> Buffer<K, V> {
    /// Empty; `next` is above every version used before.
    pub(super) fn new(next: u64) -> Self {
        let (order, aside) = (BTreeMap::new(), BTreeMap::new());
        Self { slots: HashMap::default(), order, aside, next, weight: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// What all writes weigh.
    pub(super) const fn weight(&self) -> u64 {
        self.weight
    }

    pub(super) fn get<Q>(&self, key: &Q) -> Option<&Change<V>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.slots.get(key).map(|slot| &slot.change)
    }

    /// What the write of this key weighs.
    pub(super) fn weight_of(&self, key: &K) -> Option<u64> {
        self.slots.get(key).map(|slot| slot.weight)
    }

    /// Whether this version of the key is what is to come.
    pub(super) fn is_newest(&self, key: &K, version: u64) -> bool {
        self.slots.get(key).is_some_and(|slot| slot.version == version)
    }

    /// The newest version there was.
    pub(super) const fn newest(&self) -> u64 {
        self.next
    }

    /// The oldest place that is not set aside, and since when it is taken.
    pub(super) fn oldest(&self) -> Option<(u64, Instant)> {
        self.order.first_key_value().map(|(place, (_, since))| (*place, *since))
    }

    /// The oldest place of all.
    pub(super) fn owed(&self) -> Option<u64> {
        let (ready, aside) = (self.order.first_key_value(), self.aside.first_key_value());
        ready.into_iter().chain(aside).map(|(place, _)| *place).min()
    }

    /// Takes a write, in place of what was to come for its key. Its version, above all before;
    /// and what it took the place of.
    pub(super) fn put(
        &mut self,
        key: K,
        change: Change<V>,
        weight: u64,
        now: Instant,
    ) -> (u64, Option<Left<K, V>>) {
        self.next += 1;
        let version = self.next;
        self.weight = self.weight.saturating_add(weight);
        let slot = Slot { place: version, version, since: now, weight, attempts: 0, change };
        if let Some(present) = self.slots.get_mut(&key) {
            let place = present.place;
            let old = mem::replace(present, Slot { place, ..slot });
            self.weight = self.weight.saturating_sub(old.weight);
            return (version, Some(Left::of(Some(key), old)));
        }
        self.order.insert(version, (key.clone(), now));
        self.slots.insert(key, slot);
        (version, None)
    }

    /// The `most` oldest of those that are not set aside, of so many bytes, and one at least; they
    /// stay until they are [`written`](Self::written).
    pub(super) fn batch(&self, most: usize, size: u64) -> Vec<Outgoing<K, V>> {
        let mut batch = Vec::with_capacity(most.min(self.order.len()));
        let mut room = size;
        for (key, _) in self.order.values().take(most) {
            let Some(slot) = self.slots.get(key) else { continue };
            if !batch.is_empty() && slot.weight > room {
                break;
            }
            room = room.saturating_sub(slot.weight);
            batch.push(slot.outgoing(key));
        }
        batch
    }

    /// How many are not set aside.
    pub(super) fn ready(&self) -> usize {
        self.order.len()
    }

    /// The oldest of those that were set aside and have waited until now.
    pub(super) fn suspect(&self, now: Instant) -> Option<Outgoing<K, V>> {
        let (key, _) = self.aside.values().find(|(_, until)| *until <= now)?;
        self.slots.get(key).map(|slot| slot.outgoing(key))
    }

    /// This version of the key has reached the source, or was given up. What has left, if nothing
    /// newer is to come; if it is, it queues where it would stand had it come alone: behind what
    /// came before it, so that a busy key does not hold up the others, and no later, for those who
    /// wait for it.
    pub(super) fn written(&mut self, key: &K, version: u64) -> Option<Left<K, V>> {
        let slot = self.slots.get_mut(key)?;
        let place = self.order.remove(&slot.place).or_else(|| self.aside.remove(&slot.place));
        if slot.version == version {
            let slot = self.slots.remove(key)?;
            self.weight = self.weight.saturating_sub(slot.weight);
            return Some(Left::of(place.map(|(key, _)| key), slot));
        }
        slot.place = slot.version;
        self.order.insert(slot.place, (key.clone(), slot.since));
        None
    }

    /// The source has not taken this version of the key, which came alone; how often that was.
    /// Nothing if something newer is to come.
    pub(super) fn failed(&mut self, key: &K, version: u64) -> Option<u32> {
        let slot = self.slots.get_mut(key).filter(|slot| slot.version == version)?;
        slot.attempts = slot.attempts.saturating_add(1);
        Some(slot.attempts)
    }

    /// Lets a key wait until then, at its place, and go alone then.
    pub(super) fn set_aside(&mut self, key: &K, until: Instant) {
        let Some(slot) = self.slots.get(key) else { return };
        let place = self.order.remove(&slot.place).or_else(|| self.aside.remove(&slot.place));
        if let Some((key, _)) = place {
            self.aside.insert(slot.place, (key, until));
        }
    }

    /// When the next of those that were set aside has waited long enough.
    pub(super) fn ripe(&self) -> Option<Instant> {
        self.aside.values().map(|(_, until)| *until).min()
    }

    /// Those that were set aside have waited long enough.
    pub(super) fn hasten(&mut self, now: Instant) {
        for (_, until) in self.aside.values_mut() {
            *until = now.min(*until);
        }
    }

    /// Takes a write that was pending in another life, with its version.
    pub(super) fn restore(
        &mut self,
        key: K,
        version: u64,
        change: Change<V>,
        weight: u64,
        now: Instant,
    ) {
        self.next = self.next.max(version);
        self.weight = self.weight.saturating_add(weight);
        self.order.insert(version, (key.clone(), now));
        let slot = Slot { place: version, version, since: now, weight, attempts: 0, change };
        if let Some(older) = self.slots.insert(key, slot) {
            // Bytes of the journal that differ may be one key all the same.
            self.order.remove(&older.place);
            self.weight = self.weight.saturating_sub(older.weight);
        }
    }

    /// What each write weighs.
    pub(super) fn weights(&self) -> Vec<u64> {
        self.slots.values().map(|slot| slot.weight).collect()
    }

    /// The keys that something is to come for.
    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.slots.keys()
    }
}

impl<V: Clone> Slot<V> {
    fn outgoing<K: Clone>(&self, key: &K) -> Outgoing<K, V> {
        Outgoing { key: key.clone(), version: self.version, change: self.change.clone() }
    }
}

impl<K, V> Left<K, V> {
    fn of(key: Option<K>, slot: Slot<V>) -> Self {
        Self { weight: slot.weight, _key: key, _change: slot.change }
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
                (key, buffer.put(key, change, 1, now).0)
            };
            for step in steps {
                match step {
                    Step::Put(key, value) => {
                        newest.extend([put(&mut buffer, key, change(value))]);
                    }
                    Step::Batch(most, puts, fine) => {
                        let batch = buffer.batch(most, u64::MAX);
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
                for write in buffer.batch(3, u64::MAX) {
                    source.insert(write.key, write.change);
                    prop_assert!(buffer.written(&write.key, write.version).is_some());
                }
            }
            prop_assert_eq!(source, last);
        }
    }

    #[test]
    fn a_busy_key_does_not_hold_up_the_others() {
        let now = Instant::now();
        let mut buffer = Buffer::new(0);
        let (first, _) = buffer.put("busy", Change::Put(1), 1, now);
        buffer.put("other", Change::Put(1), 1, now);
        buffer.put("busy", Change::Put(2), 1, now);
        assert_eq!(buffer.batch(1, 9)[0].change, Change::Put(2));
        // An older version was under way.
        assert!(buffer.written(&"busy", first).is_none());
        assert_eq!(buffer.batch(1, 9)[0].key, "other");
    }

    #[test]
    fn a_batch_ends_before_it_is_too_heavy_and_has_one_write_at_least() {
        let now = Instant::now();
        let mut buffer = Buffer::new(0);
        for (key, weight) in [("a", 20), ("b", 6), ("c", 4), ("d", 1)] {
            buffer.put(key, Change::Put(0), weight, now);
        }
        assert_eq!(buffer.weight(), 31);
        let mut batches = Vec::new();
        while buffer.len() > 0 {
            let batch = buffer.batch(9, 10);
            batches.push(batch.iter().map(|write| write.key).collect::<Vec<_>>());
            for write in batch {
                buffer.written(&write.key, write.version);
            }
        }
        assert_eq!(batches, [vec!["a"], vec!["b", "c"], vec!["d"]]);
        assert_eq!(buffer.weight(), 0);
    }

    #[test]
    fn what_failed_alone_waits_at_its_place_and_goes_alone() {
        let now = Instant::now();
        let later = now + std::time::Duration::from_secs(1);
        let mut buffer = Buffer::new(0);
        let (version, _) = buffer.put("bad", Change::Put(1), 1, now);
        buffer.put("good", Change::Put(1), 1, now);
        assert_eq!(buffer.failed(&"bad", version), Some(1));
        buffer.set_aside(&"bad", later);
        let keys = |buffer: &Buffer<_, _>| {
            buffer.batch(9, 9).into_iter().map(|write| write.key).collect::<Vec<_>>()
        };
        assert_eq!((keys(&buffer), buffer.ripe()), (vec!["good"], Some(later)));
        // It is still the oldest for one who waits for it.
        assert_eq!(buffer.owed(), Some(version));
        assert!(buffer.suspect(now).is_none());
        assert_eq!(buffer.suspect(later).unwrap().key, "bad");
        // A newer write of the key starts anew, but goes alone as well.
        let (newer, _) = buffer.put("bad", Change::Put(2), 1, now);
        assert_eq!(buffer.failed(&"bad", version), None);
        assert_eq!(buffer.failed(&"bad", newer), Some(1));
        buffer.hasten(now);
        assert_eq!(buffer.suspect(now).unwrap().change, Change::Put(2));
        assert_eq!(keys(&buffer), ["good"]);
        assert!(buffer.written(&"bad", newer).is_some());
        assert_eq!((buffer.ripe(), buffer.len(), buffer.ready()), (None, 1, 1));
    }
}
