//! One independent part of the engine: an index, a slab, columns for rare things, the policy.

use std::hash::Hash as HashTrait;

use hashbrown::Equivalent;

use super::idle::Idle;
use super::index::{Hash, Index};
use super::keep::NEVER;
use super::meta::Meta;
use super::policy::{Plan, Policy, Seats};
use super::slab::{Entry, NONE, Slab};
use super::stats::Counts;
use super::wheel::Wheel;
use crate::cause::Cause;

/// Entries that one insertion moves on in the wheel.
const TURNED: u32 = 16;

#[derive(Debug)]
pub(super) struct Shard<K, V> {
    index: Index,
    slab: Slab<K, V>,
    policy: Policy,
    /// Only where something has a TTL.
    wheel: Option<Box<Wheel>>,
    /// Only where entries differ; `None` if all weigh `least`.
    weights: Option<Vec<u64>>,
    /// What an entry weighs at least.
    least: u64,
    weight: u64,
    /// The shard's part of the bound.
    share: u64,
    moves: u32,
    pub(super) counts: Counts,
}

/// How a key and a value are to be stored. They themselves are handed on apart: they may be large,
/// and are to move once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Label {
    pub(super) hash: Hash,
    pub(super) weight: u64,
    pub(super) expires: u64,
    /// How long it may stay unused, or [`NEVER`].
    pub(super) tti: u64,
    pub(super) pinned: bool,
    /// Whether its time is over before it begins.
    pub(super) dead: bool,
}

/// What has left a shard.
#[derive(Debug)]
pub(super) struct Gone<K, V> {
    pub(super) key: K,
    pub(super) value: V,
    pub(super) weight: u64,
    pub(super) meta: Meta,
}

impl<K, V> Shard<K, V> {
    pub(super) fn new(share: u64, least: u64, weighed: bool) -> Self {
        Self {
            index: Index::new(),
            slab: Slab::new(),
            policy: Policy::default(),
            wheel: None,
            weights: weighed.then(Vec::new),
            least,
            weight: 0,
            share,
            moves: 0,
            counts: Counts::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(super) const fn weight(&self) -> u64 {
        self.weight
    }

    #[inline]
    pub(super) fn find<Q>(&self, hash: Hash, key: &Q) -> Option<(u32, &Entry<K, V>)>
    where
        Q: HashTrait + Equivalent<K> + ?Sized,
    {
        let mut found = None;
        let at = self.index.find(hash, |at| {
            found = self
                .slab
                .get(at)
                .filter(|entry| entry.meta.hash == hash.upper() && key.equivalent(&entry.key));
            found.is_some()
        })?;
        Some((at, found?))
    }

    /// Brings near what an arrival will look at.
    #[inline]
    pub(super) fn expect(&self, hash: Hash) {
        self.policy.fetch(hash.upper());
    }

    /// The times of all entries, if any has one.
    #[inline]
    pub(super) fn wheel(&self) -> Option<&Wheel> {
        self.wheel.as_deref()
    }

    pub(super) fn entry(&self, at: u32) -> Option<&Entry<K, V>> {
        self.slab.get(at)
    }

    /// One past the highest slot in use.
    pub(super) fn end(&self) -> u32 {
        self.slab.end()
    }

    /// How hot an entry is, 0 to 63.
    #[cfg(feature = "snapshot")]
    pub(super) fn heat(&self, at: u32) -> Option<u8> {
        Some(self.slab.get(at)?.meta.heat(self.policy.epoch()))
    }

    /// Pins an entry, or lets it go.
    pub(super) fn set_pinned(&mut self, at: u32, pinned: bool) {
        self.policy.set_pinned(at, pinned, &mut self.slab);
    }

    /// Makes its part of the bound another.
    pub(super) const fn set_share(&mut self, share: u64) {
        self.share = share;
    }

    /// When an entry expires if it is not used, or [`NEVER`].
    #[inline]
    pub(super) fn expires(&self, at: u32) -> u64 {
        self.wheel.as_ref().map_or(NEVER, |wheel| wheel.expires(at))
    }

    /// Which of an entry's times is over at `now`.
    pub(super) fn over(&self, at: u32, now: u64) -> Option<Cause> {
        let wheel = self.wheel().filter(|wheel| now >= wheel.expires(at))?;
        Some(wheel.idle(at).map_or(Cause::Expired, Idle::cause))
    }

    /// Why an entry leaves at `now`: `otherwise`, unless its time is over.
    pub(super) fn cause(&self, at: u32, now: u64, otherwise: Cause) -> Cause {
        self.over(at, now).unwrap_or(otherwise)
    }

    #[inline]
    pub(super) fn weight_of(&self, at: u32) -> u64 {
        let weights = self.weights.as_ref();
        weights
            .map_or(self.least, |weights| weights.get(at as usize).copied().unwrap_or(self.least))
    }

    /// Whether there are as many entries as there are numbers for them.
    pub(super) fn is_exhausted(&self) -> bool {
        self.slab.is_exhausted()
    }

    /// Adds an entry whose key is not here, with the standing of the one that it replaces if
    /// there was any.
    pub(super) fn insert(
        &mut self,
        key: K,
        value: V,
        label: Label,
        standing: Option<Meta>,
        now: u64,
        plan: Plan,
    ) {
        self.make_slot();
        let Label { hash, weight, expires, tti, pinned, .. } = label;
        let mut meta = standing.unwrap_or_else(|| self.policy.arrive(hash.upper(), plan));
        if meta.is_pinned() {
            meta.settle();
        }
        let at = self.slab.insert(Entry { meta, key, value });
        self.index.insert(hash, at);
        self.policy.seated(at, &mut self.slab);
        if pinned {
            self.set_pinned(at, true);
        }
        self.set_times(at, expires, tti, now);
        self.set_weight(at, weight);
        self.weight = self.weight.saturating_add(weight);
    }

    /// Exchanges an entry's key and value for others. A write is a use.
    #[inline]
    pub(super) fn replace(&mut self, at: u32, key: &mut K, value: &mut V, label: &Label, now: u64) {
        let Some(entry) = self.slab.get_mut(at) else {
            return;
        };
        entry.meta.touch();
        std::mem::swap(&mut entry.key, key);
        std::mem::swap(&mut entry.value, value);
        if entry.meta.is_pinned() != label.pinned {
            self.set_pinned(at, label.pinned);
        }
        let old = self.weight_of(at);
        if old != label.weight {
            self.weight = self.weight.saturating_sub(old).saturating_add(label.weight);
            self.set_weight(at, label.weight);
        }
        self.set_times(at, label.expires, label.tti, now);
    }

    #[inline]
    fn set_times(&mut self, at: u32, expires: u64, tti: u64, now: u64) {
        if self.wheel.is_none() && expires == NEVER && tti == NEVER {
            return;
        }
        let wheel = self.wheel.get_or_insert_with(|| Box::new(Wheel::new(now)));
        wheel.set(at, expires);
        if tti != NEVER {
            wheel.set_idle(at, tti, now);
        }
    }

    fn set_weight(&mut self, at: u32, weight: u64) {
        if self.weights.is_none() && weight == self.least {
            return;
        }
        let (weights, at) = (self.weights.get_or_insert_default(), at as usize);
        if weights.len() <= at {
            weights.resize(at + 1, self.least);
        }
        if let Some(place) = weights.get_mut(at) {
            *place = weight;
        }
    }

    /// Sees that one more entry has a slot and a place in the index. Grows by doubling only as
    /// far as the bound will let it come.
    fn make_slot(&mut self) {
        if self.slab.is_full() {
            let slots = self.wished();
            self.slab.grow(slots);
            if let Some(wheel) = &mut self.wheel {
                wheel.grow(slots);
            }
            if let Some(weights) = &mut self.weights {
                weights.reserve_exact(slots.saturating_sub(weights.len()));
            }
        }
        if self.index.is_full() {
            let slab = &self.slab;
            let upper = |at| slab.get(at).map_or(0, |entry| entry.meta.hash);
            self.index.grow(self.wished(), upper);
        }
    }

    /// Gives memory back if there is room for four times as many as there will be; entries then
    /// stand in other slots.
    pub(super) fn compact(&mut self) {
        let slots = self.wished();
        if self.slab.room() / 4 <= slots {
            return;
        }
        let end = self.slab.end();
        let places = self.slab.compact(slots);
        let (slab, moved) =
            (&self.slab, |at: u32| places.get(at as usize).copied().unwrap_or(NONE));
        let upper = |at| slab.get(at).map_or(0, |entry| entry.meta.hash);
        self.index.rebuild(slots, moved, upper);
        self.policy.renumber(end, |at| Some(moved(at)).filter(|at| *at != NONE), &mut self.slab);
        if let Some(wheel) = &mut self.wheel {
            wheel.renumber(&places);
        }
        if let Some(weights) = &mut self.weights {
            let old = std::mem::take(weights);
            let stays = |(at, weight): (&u32, u64)| (*at != NONE).then_some(weight);
            weights.reserve_exact(slots);
            weights.extend(places.iter().zip(old).filter_map(stays));
        }
        self.moves = self.moves.wrapping_add(1);
    }

    /// How often the entries have moved to other slots.
    pub(super) const fn moves(&self) -> u32 {
        self.moves
    }

    fn wished(&self) -> usize {
        let len = self.slab.len();
        let entries = u64::try_from(len).unwrap_or(u64::MAX);
        let each = self.weight.checked_div(entries).unwrap_or(self.least).max(1);
        let expected = usize::try_from(self.share / each).unwrap_or(usize::MAX);
        // Shards are not quite alike: they differ by the root of what is in them.
        let expected = expected.saturating_add(3 * expected.isqrt() + 8);
        if len < expected { expected.min(2 * len + 8) } else { len + len / 16 + 8 }
    }

    pub(super) fn remove(&mut self, at: u32) -> Option<Gone<K, V>> {
        let gone = self.take(at)?;
        self.policy.removed(&gone.meta);
        Some(gone)
    }

    fn take(&mut self, at: u32) -> Option<Gone<K, V>> {
        let weight = self.weight_of(at);
        let Entry { meta, key, value } = self.slab.remove(at)?;
        self.index.remove(meta.hash, at);
        if meta.is_pinned() {
            self.policy.mark(at, false);
        }
        self.weight = self.weight.saturating_sub(weight);
        if let Some(wheel) = &mut self.wheel {
            wheel.clear(at);
        }
        Some(Gone { key, value, weight, meta })
    }

    /// Takes the entry that is worth least; `None` when there is none that may leave.
    pub(super) fn evict(&mut self, now: u64, plan: Plan) -> Option<(Gone<K, V>, Cause)> {
        let at = self.policy.victim(&mut self.slab, plan)?;
        let cause = self.cause(at, now, Cause::Room);
        let gone = self.take(at)?;
        self.policy.evicted(&gone.meta);
        if let Some(next) = self.policy.look_ahead(&self.slab) {
            self.index.fetch(next);
        }
        Some((gone, cause))
    }

    /// Whether anything here has a time.
    #[inline]
    pub(super) const fn is_timed(&self) -> bool {
        self.wheel.is_some()
    }

    /// Takes an entry whose time is over, if the wheel comes across one.
    pub(super) fn reclaim(&mut self, now: u64) -> Option<(Gone<K, V>, Cause)> {
        let at = self.wheel.as_mut()?.expired(now, TURNED)?;
        let cause = self.cause(at, now, Cause::Expired);
        // Or the wheel would come across it once more.
        self.wheel.as_mut()?.set(at, NEVER);
        Some((self.remove(at)?, cause))
    }
}
