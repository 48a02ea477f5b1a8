//! When entries expire: a hierarchical timer wheel over slots, turned by writers.
//!
//! Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987. It only says what can
//! be reclaimed; reads compare the time itself. The lists run through a column beside the slab,
//! doubly linked, so that whatever leaves the slab leaves the wheel in the same step.

use super::idle::Idle;
use super::keep::NEVER;
use super::slab::NONE;

/// Nanoseconds of a tick, as a power of two: 17 ms.
const TICK: u32 = 24;
/// Buckets of a level, as a power of two.
const BITS: u32 = 6;
const BUCKETS: usize = 1 << BITS;
const LEVELS: usize = 6;
/// Ticks beyond all levels: 36 years.
const HORIZON: u64 = 1 << (BITS * 6);
/// Set in the time of an entry that has left and still stands in its list. Times that stand in
/// lists are far below.
const GONE: u64 = 1 << 63;
/// Links from here on name a bucket, whose first entry has it for its predecessor.
const HEADS: u32 = NONE - 1024;

#[derive(Debug, Clone, Copy)]
struct Timer {
    expires: u64,
    /// [`NONE`] if it is in no list.
    older: u32,
    newer: u32,
}

impl Timer {
    const NONE: Self = Self { expires: NEVER, older: NONE, newer: NONE };
}

#[derive(Debug)]
pub(super) struct Wheel {
    timers: Vec<Timer>,
    heads: [[u32; BUCKETS]; LEVELS],
    /// A bit for each bucket that is not empty.
    occupied: [u64; LEVELS],
    /// The tick up to which everything was reclaimed.
    tick: u64,
    /// Within that tick nothing more is due before this time.
    quiet: u64,
    /// Empty where nothing has a time to idle. An entry with one stands in the wheel at the
    /// earliest time at which it may expire, and is moved on from there if it was used.
    idle: Vec<Idle>,
}

impl Wheel {
    pub(super) fn new(now: u64) -> Self {
        Self {
            timers: Vec::new(),
            heads: [[NONE; BUCKETS]; LEVELS],
            occupied: [0; LEVELS],
            tick: now >> TICK,
            quiet: 0,
            idle: Vec::new(),
        }
    }

    /// When the entry in a slot expires, if nobody uses it until then.
    #[inline]
    pub(super) fn expires(&self, at: u32) -> u64 {
        self.idle(at).map_or_else(|| self.stands(at), Idle::deadline)
    }

    /// The time at which the wheel looks at the entry in a slot.
    #[inline]
    fn stands(&self, at: u32) -> u64 {
        self.timers.get(at as usize).map_or(NEVER, |timer| timer.expires)
    }

    /// The time to idle of the entry in a slot, if it has one.
    #[inline]
    pub(super) fn idle(&self, at: u32) -> Option<&Idle> {
        self.idle.get(at as usize).filter(|idle| !idle.is_none())
    }

    /// Gives the entry in a slot a time to idle, beside the time that was set.
    pub(super) fn set_idle(&mut self, at: u32, tti: u64, now: u64) {
        let idle = Idle::new(self.stands(at), tti, now);
        let deadline = idle.deadline();
        self.set(at, deadline);
        self.place_idle(at, idle);
    }

    fn place_idle(&mut self, at: u32, idle: Idle) {
        if self.idle.len() <= at as usize {
            self.idle.resize_with(at as usize + 1, Idle::none);
        }
        if let Some(place) = self.idle.get_mut(at as usize) {
            *place = idle;
        }
    }

    /// Makes room for the slots of a slab, exactly.
    pub(super) fn grow(&mut self, slots: usize) {
        self.timers.reserve_exact(slots.saturating_sub(self.timers.len()));
        if !self.idle.is_empty() {
            self.idle.reserve_exact(slots.saturating_sub(self.idle.len()));
        }
    }

    /// The entries have moved to other slots, which are given by the old ones.
    pub(super) fn renumber(&mut self, places: &[u32]) {
        let (timers, idle) = (std::mem::take(&mut self.timers), std::mem::take(&mut self.idle));
        *self = Self { tick: self.tick, ..Self::new(0) };
        self.grow(places.iter().filter(|at| **at != NONE).count());
        let moved = |places: &mut std::slice::Iter<'_, u32>| places.next().copied();
        let mut to = places.iter();
        for timer in timers {
            if let Some(at) = moved(&mut to).filter(|at| *at != NONE) {
                self.set(at, timer.expires);
            }
        }
        let mut to = places.iter();
        for idle in idle {
            if let Some(at) = moved(&mut to).filter(|at| *at != NONE && !idle.is_none()) {
                self.place_idle(at, idle);
            }
        }
    }

    /// Sets when the entry in a slot expires, in place of what was set before.
    ///
    /// What is put off stays in its list, and so does what has left, because something that
    /// expires later mostly takes its slot: they are moved when the wheel comes to them.
    pub(super) fn set(&mut self, at: u32, expires: u64) {
        self.forget_idle(at);
        if let Some(timer) = self.timers.get_mut(at as usize)
            && timer.older != NONE
            && expires != NEVER
            && timer.expires & !GONE <= expires
        {
            timer.expires = expires;
            return;
        }
        self.unlink(at);
        if expires == NEVER && self.timers.len() <= at as usize {
            return;
        }
        if self.timers.len() <= at as usize {
            self.timers.resize(at as usize + 1, Timer::NONE);
        }
        if let Some(timer) = self.timers.get_mut(at as usize) {
            timer.expires = expires;
            self.link(at, expires);
        }
    }

    /// The entry in a slot has left.
    pub(super) fn clear(&mut self, at: u32) {
        self.forget_idle(at);
        if let Some(timer) = self.timers.get_mut(at as usize) {
            timer.expires = if timer.older == NONE { NEVER } else { timer.expires | GONE };
        }
    }

    fn forget_idle(&mut self, at: u32) {
        if let Some(idle) = self.idle.get_mut(at as usize) {
            *idle = Idle::none();
        }
    }

    /// The next slot whose time was over at `now`. Moves or passes at most `steps` entries on its
    /// way, so that no writer pays for all; `None` may also mean that those steps were used up.
    #[inline]
    pub(super) fn expired(&mut self, now: u64, steps: u32) -> Option<u32> {
        // Most writers come in a tick in which another has been here.
        if now >> TICK == self.tick && now < self.quiet { None } else { self.turn(now, steps) }
    }

    fn turn(&mut self, now: u64, mut steps: u32) -> Option<u32> {
        self.quiet = 0;
        let end = now >> TICK;
        while let Some((level, bucket, start)) = self.next() {
            if start > end {
                break;
            }
            self.tick = self.tick.max(start);
            let at = *self.heads.get(level)?.get(bucket)?;
            let expires = self.expires(at);
            if expires <= now {
                return Some(at);
            }
            if level == 0 && expires >> TICK <= start {
                // Its tick is not over: some of its entries are due, and others not yet.
                return self.due(at, now, steps);
            }
            steps = steps.checked_sub(1)?;
            self.unlink(at);
            let expires = if expires & GONE == 0 { expires } else { NEVER };
            if let Some(timer) = self.timers.get_mut(at as usize) {
                timer.expires = expires;
            }
            self.link(at, expires);
        }
        self.tick = self.tick.max(end);
        self.quiet = (self.tick + 1) << TICK;
        None
    }

    /// The first in a list, from `at` on, whose time is over.
    fn due(&self, mut at: u32, now: u64, steps: u32) -> Option<u32> {
        for _ in 0..steps {
            let newer = self.timers.get(at as usize)?.newer;
            if self.expires(at) <= now {
                return Some(at);
            }
            at = newer;
        }
        None
    }

    /// The bucket whose turn is next: level, number and first tick.
    fn next(&self) -> Option<(usize, usize, u64)> {
        // A higher bucket that has begun is spread over the lower ones first.
        let begun = |(level, occupied): &(usize, &u64)| {
            *level > 0 && **occupied >> number(self.tick, *level) & 1 == 1
        };
        let levels = || self.occupied.iter().enumerate();
        if let Some((level, _)) = levels().rev().find(begun) {
            return Some((level, number(self.tick, level), self.tick));
        }
        let (level, occupied) = levels().find(|(_, occupied)| **occupied != 0)?;
        let bucket = occupied.trailing_zeros();
        let below = BITS * u32::try_from(level).unwrap_or(0);
        let above = below + BITS;
        let start = (self.tick >> above << above) + (u64::from(bucket) << below);
        Some((level, bucket as usize, start))
    }

    fn link(&mut self, at: u32, expires: u64) {
        let tick = (expires >> TICK).max(self.tick);
        let differ = tick ^ self.tick;
        if expires == NEVER || differ >= HORIZON {
            return;
        }
        if differ == 0 {
            self.quiet = 0;
        }
        let level = (differ.checked_ilog2().unwrap_or(0) / BITS) as usize;
        let bucket = number(tick, level);
        let Some(head) = self.heads.get_mut(level).and_then(|level| level.get_mut(bucket)) else {
            return;
        };
        let newer = std::mem::replace(head, at);
        let name = HEADS + u32::try_from(level * BUCKETS + bucket).unwrap_or(0);
        if let Some(timer) = self.timers.get_mut(at as usize) {
            (timer.older, timer.newer) = (name, newer);
        }
        if let Some(timer) = self.timers.get_mut(newer as usize) {
            timer.older = at;
        }
        if let Some(occupied) = self.occupied.get_mut(level) {
            *occupied |= 1 << bucket;
        }
    }

    fn unlink(&mut self, at: u32) {
        let Some(timer) = self.timers.get_mut(at as usize).filter(|timer| timer.older != NONE)
        else {
            return;
        };
        let Timer { older, newer, .. } =
            std::mem::replace(timer, Timer { older: NONE, newer: NONE, ..*timer });
        if let Some(timer) = self.timers.get_mut(newer as usize) {
            timer.older = older;
        }
        if older < HEADS {
            if let Some(timer) = self.timers.get_mut(older as usize) {
                timer.newer = newer;
            }
            return;
        }
        let name = (older - HEADS) as usize;
        let (level, bucket) = (name / BUCKETS, name % BUCKETS);
        if let Some(head) = self.heads.get_mut(level).and_then(|level| level.get_mut(bucket)) {
            *head = newer;
        }
        if newer == NONE
            && let Some(occupied) = self.occupied.get_mut(level)
        {
            *occupied &= !(1 << bucket);
        }
    }
}

/// The number that a tick's bucket has at a level.
fn number(tick: u64, level: usize) -> usize {
    usize::try_from(tick >> (BITS as usize * level)).unwrap_or(0) & (BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn one_is_found_within_a_tick_of_its_time() {
        for expires in [1, SECOND, 100 * SECOND, 1_000_000 * SECOND, 1_000_000_000 * SECOND] {
            let mut wheel = Wheel::new(0);
            wheel.set(7, expires);
            assert_eq!(wheel.expired(expires - 1, 64), None);
            assert_eq!(wheel.expired(expires + (1 << TICK), 64), Some(7), "{expires}");
            wheel.set(7, NEVER);
            assert_eq!(wheel.expired(NEVER - 1, 64), None);
        }
    }

    #[test]
    fn what_is_put_off_or_gone_moves_when_its_list_is_due() {
        let mut wheel = Wheel::new(0);
        for at in 0..3 {
            wheel.set(at, SECOND);
        }
        let heads = wheel.heads;
        wheel.set(0, 5 * SECOND);
        wheel.clear(1);
        assert_eq!(wheel.heads, heads);
        assert_eq!(wheel.expired(2 * SECOND, 64), Some(2));
        wheel.set(2, NEVER);
        assert_eq!(wheel.expired(2 * SECOND, 64), None);
        assert!(wheel.heads != heads && wheel.timers[1].older == NONE);
        wheel.set(0, 3 * SECOND);
        assert_eq!(wheel.expired(3 * SECOND + (1 << TICK), 64), Some(0));
    }

    #[test]
    fn centuries_are_in_no_list() {
        let mut wheel = Wheel::new(0);
        wheel.set(0, NEVER - 1);
        assert_eq!((wheel.expires(0), wheel.expires(9)), (NEVER - 1, NEVER));
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn no_call_moves_more_than_its_steps() {
        let mut wheel = Wheel::new(0);
        for at in 0..1000 {
            wheel.set(at, 100 * SECOND + u64::from(at) * SECOND / 10);
        }
        let end = 99 * SECOND;
        let mut calls = 0;
        while wheel.next().is_some_and(|(_, _, start)| start <= end >> TICK) {
            assert_eq!(wheel.expired(end, 8), None);
            calls += 1;
        }
        assert!((40..60).contains(&calls), "{calls}");
    }

    proptest! {
        /// What is used stands too early in the wheel, and is moved on when the wheel meets it.
        #[test]
        fn finds_the_idle_and_not_the_used(
            steps in proptest::collection::vec((0_u32..20, 0_u32..44, any::<u64>()), 1..300),
        ) {
            let (mut wheel, mut now) = (Wheel::new(0), 0_u64);
            let mut map = BTreeMap::<u32, (u64, u64, u64)>::new();
            let due = |entry: &(u64, u64, u64), now| (entry.0 + entry.1).min(entry.2) <= now;
            for (at, size, number) in steps {
                let by = 1 + (number & ((1 << size) - 1));
                match number >> 62 {
                    0 => now += by,
                    1 => {
                        let end = if by % 2 == 0 { NEVER } else { now + 3 * by };
                        wheel.set(at, end);
                        wheel.set_idle(at, by, now);
                        map.insert(at, (now, by, end));
                    }
                    _ => if let Some(entry) = map.get_mut(&at) {
                        wheel.idle(at).unwrap().touch(now);
                        entry.0 = now;
                    }
                }
                while let Some(at) = wheel.expired(now, u32::MAX) {
                    wheel.set(at, NEVER);
                    let gone = map.remove(&at);
                    prop_assert!(gone.is_some_and(|entry| due(&entry, now)));
                }
                prop_assert!(!map.values().any(|entry| due(entry, now)));
                for (at, (used, tti, end)) in &map {
                    prop_assert_eq!(wheel.expires(*at), (used + tti).min(*end));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn finds_what_a_sorted_map_finds(
            steps in proptest::collection::vec((0_u32..50, 0_u32..48, any::<u64>()), 1..300),
        ) {
            let (mut wheel, mut map, mut now) = (Wheel::new(0), BTreeMap::new(), 0_u64);
            for (at, size, number) in steps {
                let by = number & ((1 << size) - 1);
                if number >> 62 == 0 {
                    now += by;
                } else if number >> 62 == 1 {
                    if number & 1 == 0 {
                        wheel.set(at, NEVER);
                    } else {
                        wheel.clear(at);
                    }
                    map.remove(&at);
                } else {
                    wheel.set(at, now + by);
                    map.insert(at, now + by);
                }
                while let Some(at) = wheel.expired(now, u32::MAX) {
                    wheel.set(at, NEVER);
                    let expires = map.remove(&at);
                    prop_assert!(expires.is_some_and(|expires| expires <= now));
                }
                let late = map.values().find(|expires| **expires <= now);
                prop_assert_eq!(late, None);
                for (at, expires) in &map {
                    prop_assert_eq!(wheel.expires(*at), *expires);
                }
            }
        }
    }
}
