//! Who leaves when there is no room: a window of newcomers before a clock of the settled.
//!
//! Newcomers stand in the window in order of arrival; the settled stand where they stand, and a
//! hand goes round by slot number, sparing what was used since it last came by. A hit changes a
//! byte of the entry and nothing else. Two ways of admitting the window's oldest, of which the
//! [`Tuner`](super::tuner::Tuner) takes the one that hits more often:
//!
//! - by **frequency** (TinyLFU: Einziger, Friedman, Manes, ACM ToS 2017): it must have been met
//!   more often than the one that the hand points to. Incumbents win ties, which keeps loops from
//!   thrashing.
//! - by **recency** (S3-FIFO: Yang et al., SOSP 2023): it must have been used while it stood in
//!   the window, and a newcomer that was here a moment ago does not stand there at all.

use std::collections::VecDeque;

use super::history::History;
use super::meta::{Meta, Place};
use super::pins::Pins;

/// Entries that the hand spares before it takes whatever it points to, so that one insertion
/// never walks the whole cache.
const MOST_SPARED: u32 = 64;
/// Slots that the hand passes at most, those of the window included.
const MOST_PASSED: u32 = 1024;
/// Entries for which a policy remembers at least: a small cache must remember beyond itself.
const LEAST_REMEMBERED: usize = 512;
/// A miss counts so many parts of a step, so that hits can count fractions.
pub(super) const PARTS: u16 = 16;

/// What the policy goes by at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    /// Whether recent use admits instead of frequency.
    pub(super) recency: bool,
    /// The window's share of all entries, in parts of 65,536.
    pub(super) window: u16,
    /// Steps for each entry after which all counts are halved.
    pub(super) age: u8,
    /// Hits for each 16 misses, which no hit can tell itself: they age what was counted.
    pub(super) hits: u16,
}

/// Where the policy finds the entries.
pub(super) trait Seats {
    fn seat(&mut self, at: u32) -> Option<&mut Meta>;
    fn peek(&self, at: u32) -> Option<&Meta>;
    /// Brings an entry near that will be looked at soon.
    fn fetch(&self, at: u32);
    /// One past the highest slot in use.
    fn end(&self) -> u32;
    fn len(&self) -> usize;
}

#[derive(Debug)]
pub(super) struct Policy {
    /// Slots of the window and the turns of their entries, oldest first. Those that have left
    /// otherwise are skipped.
    ring: VecDeque<(u32, u8)>,
    /// How many really stand in the window.
    window: usize,
    hand: u32,
    /// Nothing is remembered before the first eviction.
    history: Option<History>,
    /// For how many entries the history was made.
    sized: usize,
    /// For how many it is made at least.
    least: usize,
    turn: u8,
    /// Only where something is pinned.
    pins: Option<Box<Pins>>,
}

impl Default for Policy {
    fn default() -> Self {
        Self::new(LEAST_REMEMBERED)
    }
}

impl Policy {
    const fn new(least: usize) -> Self {
        Self {
            ring: VecDeque::new(),
            window: 0,
            hand: 0,
            history: None,
            sized: 0,
            least,
            turn: 0,
            pins: None,
        }
    }

    /// For a miniature of a cache that is so many times as large.
    pub(super) fn scaled(scale: usize) -> Self {
        Self::new(LEAST_REMEMBERED / scale.max(1))
    }

    #[inline]
    pub(super) fn epoch(&self) -> u8 {
        self.history.as_ref().map_or(0, History::epoch)
    }

    /// Meets a key that is not there, and says how it starts.
    #[inline]
    pub(super) fn arrive(&mut self, hash: u32, plan: Plan) -> Meta {
        self.turn = self.turn.wrapping_add(1);
        let Some(history) = &mut self.history else {
            return Meta::new(hash, 1, Place::Main, 0, self.turn);
        };
        let count = history.add(hash);
        self.age(u64::from(PARTS) + u64::from(plan.hits), plan);
        let returns = plan.recency && count > 1;
        let place = if returns { Place::Main } else { Place::Window };
        Meta::new(hash, count, place, self.epoch(), self.turn)
    }

    /// Goes on by some sixteenths of a step.
    #[inline]
    pub(super) fn age(&mut self, parts: u64, plan: Plan) {
        if let Some(history) = &mut self.history {
            history.age(parts, u64::from(PARTS) * u64::from(plan.age));
        }
    }

    /// An entry has taken a slot.
    pub(super) fn seated(&mut self, at: u32, seats: &mut impl Seats) {
        let Some(meta) = seats.seat(at).filter(|meta| meta.place == Place::Window) else {
            return;
        };
        let turn = meta.turn;
        self.window += 1;
        self.ring.push_back((at, turn));
        // Callers removed many: what is left of them would pile up.
        if self.ring.len() > 2 * self.window + 64 {
            self.ring.retain(|(at, turn)| stands(seats, *at, *turn));
        }
    }

    /// An entry has left its slot for another reason than room.
    #[inline]
    pub(super) fn removed(&mut self, meta: &Meta) {
        if meta.place == Place::Window {
            self.window = self.window.saturating_sub(1);
        }
    }

    /// Pins the entry in a slot, or lets it go to the settled.
    pub(super) fn set_pinned(&mut self, at: u32, pinned: bool, seats: &mut impl Seats) {
        let Some(meta) = seats.seat(at).filter(|meta| meta.is_pinned() != pinned) else {
            return;
        };
        self.removed(meta);
        meta.place = if pinned { Place::Pinned } else { Place::Main };
        self.mark(at, pinned);
    }

    /// Notes that a slot is pinned, or not.
    pub(super) fn mark(&mut self, at: u32, pinned: bool) {
        self.pins.get_or_insert_default().set(at, pinned);
    }

    fn pinned(&self) -> usize {
        self.pins.as_ref().map_or(0, |pins| pins.len())
    }

    /// An entry has left for want of room: its frequency is remembered.
    #[inline]
    pub(super) fn evicted(&mut self, meta: &Meta) {
        self.removed(meta);
        let frequency = meta.frequency_at(self.epoch());
        if let Some(history) = &mut self.history {
            history.raise(meta.hash, frequency);
        }
    }

    /// The slot of the entry that is worth least; `None` when there is none that may leave.
    pub(super) fn victim(&mut self, seats: &mut impl Seats, plan: Plan) -> Option<u32> {
        let len = seats.len() - self.pinned();
        if len == 0 {
            return None;
        }
        if self.history.is_none() || len > self.sized + self.sized / 2 {
            self.sized = len;
            self.history = Some(History::new(len, self.least));
        }
        let target = ((len * usize::from(plan.window)) >> 16).max(1);
        let mut spared = 0;
        loop {
            if self.window < target
                && let Some(at) = self.settled(seats)
            {
                return Some(at);
            }
            let Some(at) = self.oldest(seats) else {
                return self.settled(seats).or_else(|| any(seats));
            };
            let meta = seats.seat(at)?;
            spared += 1;
            if meta.uses() == 0 || spared > MOST_SPARED {
                return if plan.recency { Some(at) } else { self.duel(at, seats) };
            }
            if plan.recency {
                meta.settle();
                meta.forget_uses();
                self.window = self.window.saturating_sub(1);
            } else {
                meta.cool();
                let turn = meta.turn;
                self.ring.push_back((at, turn));
            }
        }
    }

    /// The entries have moved to other slots: `moved` gives the new one of an old one, which was below
    /// `end`. What was remembered of those that have left makes room for less.
    pub(super) fn renumber(
        &mut self,
        end: u32,
        moved: impl Fn(u32) -> Option<u32>,
        seats: &mut impl Seats,
    ) {
        let ring = self.ring.iter().filter_map(|(at, turn)| Some((moved(*at)?, *turn)));
        self.ring = ring.filter(|(at, turn)| stands(seats, *at, *turn)).collect();
        self.hand = (self.hand..end).find_map(&moved).unwrap_or(0);
        if self.pins.is_some() {
            let mut pins = Box::<Pins>::default();
            let pinned = |at: &u32| seats.peek(*at).is_some_and(Meta::is_pinned);
            (0..seats.end()).filter(pinned).for_each(|at| pins.set(at, true));
            self.pins = Some(pins);
        }
        if let Some(history) = self.history.take_if(|_| seats.len() < self.sized / 2) {
            self.sized = seats.len();
            self.history = Some(History::new(self.sized, self.least).at(history.epoch()));
        }
    }

    /// Brings near what the arrival of a key will look at.
    #[inline]
    pub(super) fn fetch(&self, hash: u32) {
        if let Some(history) = &self.history {
            history.fetch(hash);
        }
    }

    /// Brings near what the next eviction will look at, which is nearly always known: what it
    /// says of the window's oldest and of the hand's next, and where the one after stands. Gives
    /// the hash of the window's oldest.
    #[inline]
    pub(super) fn look_ahead(&self, seats: &impl Seats) -> Option<u32> {
        if let Some((after, _)) = self.ring.get(1) {
            seats.fetch(*after);
        }
        seats.fetch(self.hand.saturating_add(2));
        if let Some(incumbent) = seats.peek(self.hand) {
            self.fetch(incumbent.hash);
        }
        let oldest = seats.peek(self.ring.front()?.0)?.hash;
        self.fetch(oldest);
        Some(oldest)
    }

    /// The window's oldest against the one the hand points to; gives the loser.
    fn duel(&mut self, newcomer: u32, seats: &mut impl Seats) -> Option<u32> {
        let Some(incumbent) = self.settled(seats) else {
            return Some(newcomer);
        };
        if self.rank(newcomer, seats) <= self.rank(incumbent, seats) {
            return Some(newcomer);
        }
        seats.seat(newcomer)?.settle();
        self.window = self.window.saturating_sub(1);
        Some(incumbent)
    }

    /// How often an entry was met. The greater of both counts on either side of a duel, so that
    /// like is compared with like.
    fn rank(&self, at: u32, seats: &mut impl Seats) -> u8 {
        seats.seat(at).map_or(0, |meta| {
            let remembered = self.history.as_ref().map_or(0, |history| history.count(meta.hash));
            meta.frequency(self.epoch()).max(remembered)
        })
    }

    /// Takes the oldest out of the window's order.
    fn oldest(&mut self, seats: &mut impl Seats) -> Option<u32> {
        while let Some((at, turn)) = self.ring.pop_front() {
            if stands(seats, at, turn) {
                return Some(at);
            }
        }
        None
    }

    /// Moves the hand to the next of the settled that was not used since it last came by.
    fn settled(&mut self, seats: &mut impl Seats) -> Option<u32> {
        let (mut spared, mut last, epoch) = (0, None, self.epoch());
        for _ in 0..MOST_PASSED.min(seats.end().saturating_mul(4)) {
            let at = self.pins.as_ref().map_or(self.hand, |pins| pins.leap(self.hand));
            self.hand = if at + 1 < seats.end() { at + 1 } else { 0 };
            let Some(meta) = seats.seat(at).filter(|meta| meta.place == Place::Main) else {
                continue;
            };
            if meta.uses() == 0 || spared == MOST_SPARED {
                return Some(at);
            }
            meta.frequency(epoch);
            meta.cool();
            spared += 1;
            last = Some(at);
        }
        last
    }
}

fn stands(seats: &mut impl Seats, at: u32, turn: u8) -> bool {
    seats.seat(at).is_some_and(|meta| meta.place == Place::Window && meta.turn == turn)
}

/// Some entry, for a cache in which the hand finds none in reasonable time.
fn any(seats: &mut impl Seats) -> Option<u32> {
    (0..seats.end()).find(|at| seats.seat(*at).is_some_and(|meta| !meta.is_pinned()))
}

#[cfg(test)]
#[path = "policy/tests.rs"]
mod tests;
