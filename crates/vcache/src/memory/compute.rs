//! Deciding on an entry and changing it in one step.

use std::hash::Hash as HashTrait;

use hashbrown::Equivalent;

use super::engine::Engine;
use super::keep::Keep;
use super::keep::NEVER;
use super::outcome::{Done, Op};
use crate::cause::Cause;

impl<K: HashTrait + Eq, V> Engine<K, V> {
    /// Shows `decide` the live value and does what it says. No other call for `key` comes between.
    /// If `decide` panics, nothing has changed.
    pub(super) fn compute<T>(
        &self,
        key: K,
        decide: impl FnOnce(Option<&V>) -> (Op<V>, T),
    ) -> (Done, T) {
        self.compute_pinned(key, |value, _pinned| decide(value))
    }

    /// The same; `decide` is also told whether the live value is pinned.
    pub(super) fn compute_pinned<T>(
        &self,
        key: K,
        decide: impl FnOnce(Option<&V>, bool) -> (Op<V>, T),
    ) -> (Done, T) {
        let hash = self.hash(&key);
        let mut writing = self.write(hash);
        let found = writing.shard.find(hash, &key);
        let live = found.filter(|(at, _)| self.time_left(writing.shard.expires(*at)).is_ok());
        let at = found.map(|(at, _)| at);
        let (is_live, pinned) = (live.is_some(), live.is_some_and(|(_, it)| it.meta.is_pinned()));
        let (op, told) = decide(live.map(|(_, entry)| &entry.value), pinned);
        let (value, keep) = match op {
            Op::Nop => return (Done::Nothing, told),
            Op::Remove => {
                if let Some(at) = at {
                    let over = writing.shard.over(at, NEVER).filter(|_| !is_live);
                    writing.take_out(at, over.unwrap_or(Cause::Removed));
                }
                return (Done::Removed, told);
            }
            Op::Put(value) => (value, Keep { pinned, ..Keep::new() }),
            Op::PutWith(value, keep) => (value, keep),
        };
        let life = self.life.with(keep);
        let (label, now) = self.label(&key, &value, life);
        let stored = writing.store(key, value, label, now);
        (if stored { Done::Stored } else { Done::Refused }, told)
    }

    /// Pins what `key` has, or lets it go; whether it was there.
    pub(super) fn set_pinned<Q>(&self, key: &Q, pinned: bool) -> bool
    where
        Q: HashTrait + Equivalent<K> + ?Sized,
    {
        let hash = self.hash(key);
        let mut writing = self.write(hash);
        let found = writing.shard.find(hash, key).map(|(at, _)| at);
        let Some(at) = found.filter(|at| self.time_left(writing.shard.expires(*at)).is_ok()) else {
            return false;
        };
        if pinned {
            self.any_pins();
        }
        writing.shard.set_pinned(at, pinned);
        true
    }
}
