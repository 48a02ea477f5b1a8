//! Tags by generation numbers: one step invalidates any number of entries.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::sync::{AtomicU64, Ordering, PoisonError, RwLock};

/// When which tag was last invalidated, on a clock that ticks with each invalidation.
///
/// An entry remembers the tick at which its load began. It is outdated if one of its tags has
/// been invalidated since. So an invalidation costs the same however many entries have the tag,
/// and one that comes while a load runs is not missed.
pub(crate) struct Tags {
    epoch: AtomicU64,
    table: RwLock<Table>,
    max: usize,
}

/// The last invalidation of each tag, by the tick of some clock.
#[derive(Default)]
pub(crate) struct Table {
    invalidated: HashMap<Arc<str>, u64, foldhash::fast::RandomState>,
    /// The same by time, each tag once.
    order: BTreeMap<u64, Arc<str>>,
    /// Tags invalidated up to here have been forgotten: what is older counts as outdated.
    floor: u64,
}

impl Tags {
    pub(crate) fn new(max: usize) -> Self {
        Self { epoch: AtomicU64::new(0), table: RwLock::new(Table::default()), max }
    }

    /// The present tick.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Invalidates all entries that began before and have one of `tags`, in one step.
    pub(crate) fn invalidate<T: AsRef<str>>(&self, tags: impl IntoIterator<Item = T>) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let mut epoch = self.epoch();
        for tag in tags {
            epoch += 1;
            table.put(tag.as_ref(), epoch);
            table.bound(self.max, 0);
        }
        // Under the lock: who sees the new tick finds the table changed.
        self.epoch.store(epoch, Ordering::Release);
    }

    /// Invalidates all entries that began before and have any tag.
    pub(crate) fn invalidate_all(&self) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let epoch = self.epoch() + 1;
        table.bound(0, epoch);
        self.epoch.store(epoch, Ordering::Release);
    }

    /// Whether none of `tags` was invalidated after the tick `born`.
    pub(crate) fn hold(&self, born: u64, tags: &[Arc<str>]) -> bool {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.holds(born, tags)
    }
}

impl Table {
    /// Notes an invalidation, newer than all before.
    pub(crate) fn put(&mut self, tag: &str, epoch: u64) {
        let tag: Arc<str> = Arc::from(tag);
        if let Some(before) = self.invalidated.insert(Arc::clone(&tag), epoch) {
            self.order.remove(&before);
        }
        self.order.insert(epoch, tag);
    }

    /// Forgets the oldest until `max` are left, and counts all up to `floor` as forgotten.
    pub(crate) fn bound(&mut self, max: usize, floor: u64) {
        self.floor = self.floor.max(floor);
        while self.order.len() > max {
            if let Some((epoch, tag)) = self.order.pop_first() {
                self.invalidated.remove(&tag);
                self.floor = self.floor.max(epoch);
            }
        }
    }

    /// Whether none of `tags` was invalidated after the tick `born`.
    pub(crate) fn holds(&self, born: u64, tags: &[impl AsRef<str>]) -> bool {
        let since = |tag| self.invalidated.get(tag).is_some_and(|at| *at > born);
        born >= self.floor && !tags.iter().map(AsRef::as_ref).any(since)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap as Model;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_tag_outdates_what_began_before() {
        let tags = Tags::new(10);
        let mine: [Arc<str>; 2] = ["a".into(), "b".into()];
        let born = tags.epoch();
        tags.invalidate(["c"]);
        assert!(tags.hold(born, &mine));
        tags.invalidate(["x", "b"]);
        assert!(!tags.hold(born, &mine));
        assert!(tags.hold(tags.epoch(), &mine));
    }

    #[test]
    fn all_tags_are_outdated_in_one_step() {
        let tags = Tags::new(10);
        let (born, mine): (_, [Arc<str>; 1]) = (tags.epoch(), ["a".into()]);
        tags.invalidate_all();
        assert!(!tags.hold(born, &mine));
        assert!(tags.hold(tags.epoch(), &mine));
    }

    #[test]
    fn a_forgotten_tag_outdates_all_that_is_older() {
        let tags = Tags::new(1);
        let (born, mine): (_, [Arc<str>; 1]) = (tags.epoch(), ["a".into()]);
        tags.invalidate(["b"]);
        assert!(tags.hold(born, &mine));
        tags.invalidate(["c"]);
        assert!(!tags.hold(born, &mine));
        assert!(tags.hold(tags.epoch(), &mine));
    }

    proptest! {
        /// However small the table, nothing that is outdated ever holds; with room for all tags
        /// nothing else is outdated.
        #[test]
        fn nothing_outdated_holds(max in 0_usize..6, steps in vec((0_u8..5, 0_u8..5), 1..60)) {
            let (tags, mut last, mut entries) = (Tags::new(max), Model::new(), Vec::new());
            for (time, (invalidated, tagged)) in steps.into_iter().enumerate() {
                entries.push((time, tags.epoch(), tagged));
                tags.invalidate([invalidated.to_string().as_str()]);
                last.insert(invalidated, time);
            }
            for (time, born, tagged) in entries {
                let outdated = last.get(&tagged).is_some_and(|at| *at >= time);
                let holds = tags.hold(born, &[tagged.to_string().into()]);
                prop_assert!(!(outdated && holds));
                prop_assert!(max < 5 || outdated != holds);
            }
        }
    }
}
