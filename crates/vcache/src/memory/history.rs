//! How often keys were met lately: fingerprints with small counts, the rarest forgotten first.
//!
//! A table of fingerprints instead of a sketch of shared counters: at the same size its counts
//! are hardly ever another key's, so that it also tells who was here a moment ago. A newcomer
//! takes the place of the next cell in its line that counts one, and those passed over lose one.

use super::lanes;

/// Cells of a line. The first holds no fingerprint, but where the next newcomer begins to look and
/// in which age the line's counts were last halved.
const CELLS: usize = 32;
/// Entries from which two cells for each will do.
const MANY_ENTRIES: usize = 4096;
/// The highest count.
pub(super) const MOST: u8 = 15;
/// Bits of a cell that count; the others are the fingerprint.
const COUNT: u16 = 15;
/// Bits of the first cell that say where the next newcomer begins to look.
const HAND: u16 = 31;

/// One cache line.
#[derive(Debug, Clone)]
#[repr(align(64))]
struct Line([u16; CELLS]);

impl Line {
    /// Where the fingerprint stands; zero for nowhere.
    #[inline]
    fn find(&self, print: u16) -> usize {
        // Not in the first cell, which holds other things.
        match lanes::prints(&self.0, print) & !1 {
            0 => 0,
            found => found.trailing_zeros() as usize,
        }
    }

    /// The count of a fingerprint as of an age.
    #[inline]
    fn count(&self, print: u16, epoch: u8) -> u8 {
        let ages = u32::from(epoch.wrapping_sub(self.epoch()));
        match self.find(print) {
            0 => 0,
            at => self.0.get(at).map_or(0, |cell| {
                let count = u8::try_from(cell & COUNT).unwrap_or(0);
                count.checked_shr(ages).unwrap_or(0)
            }),
        }
    }

    /// Sets the count of a fingerprint, new or not.
    fn set(&mut self, print: u16, count: u8, epoch: u8) {
        self.age(epoch);
        let cell = print | u16::from(count.min(MOST));
        let found = self.find(print);
        if found != 0 {
            if let Some(old) = self.0.get_mut(found) {
                *old = cell;
            }
            return;
        }
        let [head, cells @ ..] = &mut self.0;
        // Every round lowers all counts by one, so that this ends.
        let mut hand = usize::from(*head & HAND);
        loop {
            let at = hand;
            hand = if at + 1 < cells.len() { at + 1 } else { 0 };
            match cells.get_mut(at) {
                Some(old) if *old & COUNT > 1 => *old -= 1,
                Some(old) => {
                    *old = cell;
                    break;
                }
                None => {}
            }
        }
        *head = u16::from(epoch) << 8 | u16::try_from(hand).unwrap_or(0);
    }

    /// Counts one more.
    fn add(&mut self, print: u16, epoch: u8) -> u8 {
        self.age(epoch);
        let found = self.find(print);
        match self.0.get_mut(found) {
            Some(cell) if found != 0 => {
                *cell += u16::from(*cell & COUNT < COUNT);
                u8::try_from(*cell & COUNT).unwrap_or(0)
            }
            _ => {
                self.set(print, 1, epoch);
                1
            }
        }
    }

    #[inline]
    fn epoch(&self) -> u8 {
        let [head, ..] = self.0;
        u8::try_from(head >> 8).unwrap_or(0)
    }

    /// Halves all counts once for each age that has passed.
    #[inline]
    fn age(&mut self, epoch: u8) {
        let ages = u32::from(epoch.wrapping_sub(self.epoch()));
        if ages == 0 {
            return;
        }
        let [head, cells @ ..] = &mut self.0;
        *head = *head & HAND | u16::from(epoch) << 8;
        for cell in cells {
            let left = (*cell & COUNT).checked_shr(ages).unwrap_or(0);
            *cell = if left == 0 { 0 } else { *cell & !COUNT | left };
        }
    }
}

#[derive(Debug)]
pub(super) struct History {
    lines: Box<[Line]>,
    entries: u64,
    /// Steps since all counts were halved.
    steps: u64,
    /// How often they were.
    epoch: u8,
}

impl History {
    /// A memory for a cache of so many entries, but for `least` at least.
    pub(super) fn new(entries: usize, least: usize) -> Self {
        let entries = entries.max(least);
        let cells = if entries < MANY_ENTRIES { 4 * entries } else { 2 * entries.max(8192) };
        Self {
            lines: vec![Line([0; CELLS]); cells.div_ceil(CELLS)].into(),
            entries: u64::try_from(entries).unwrap_or(u64::MAX),
            steps: 0,
            epoch: 0,
        }
    }

    /// The same, in the age of the one before.
    pub(super) fn at(mut self, epoch: u8) -> Self {
        self.epoch = epoch;
        for Line([head, ..]) in &mut self.lines {
            *head = u16::from(epoch) << 8;
        }
        self
    }

    /// Goes on by some steps. All counts are halved after `age` of them for each entry; each line
    /// when it is next changed.
    pub(super) const fn age(&mut self, steps: u64, age: u64) {
        self.steps += steps;
        if self.steps >= self.entries.saturating_mul(age) {
            self.steps = 0;
            self.epoch = self.epoch.wrapping_add(1);
        }
    }

    /// The age, for counts that are kept elsewhere. It wraps after 256.
    pub(super) const fn epoch(&self) -> u8 {
        self.epoch
    }

    /// The line is chosen by the upper bits, the fingerprint by the lower ones.
    #[inline]
    fn place(&self, hash: u32) -> (usize, u16) {
        let line = (u64::from(hash) * self.lines.len() as u64) >> 32;
        let print = u16::try_from(hash & 0xFFF).unwrap_or(0).max(1) << 4;
        (usize::try_from(line).unwrap_or(0), print)
    }

    /// Brings a key's line near.
    #[inline]
    pub(super) fn fetch(&self, hash: u32) {
        if let Some(line) = self.lines.get(self.place(hash).0) {
            lanes::fetch(line);
        }
    }

    #[inline]
    pub(super) fn count(&self, hash: u32) -> u8 {
        let (line, print) = self.place(hash);
        self.lines.get(line).map_or(0, |line| line.count(print, self.epoch))
    }

    /// Counts one more and says how many that makes.
    #[inline]
    pub(super) fn add(&mut self, hash: u32) -> u8 {
        let (line, print) = self.place(hash);
        self.lines.get_mut(line).map_or(0, |line| line.add(print, self.epoch))
    }

    /// Counts at least `count`.
    pub(super) fn raise(&mut self, hash: u32, count: u8) {
        let (line, print) = self.place(hash);
        if let Some(line) = self.lines.get_mut(line)
            && line.count(print, self.epoch) < count
        {
            line.set(print, count, self.epoch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spreads small numbers over 32 bits.
    fn hash(key: u32) -> u32 {
        let mixed = (u64::from(key) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        u32::try_from(mixed >> 32).unwrap()
    }

    #[test]
    fn counts_are_kept_apart_and_saturate() {
        let mut history = History::new(1, 512);
        for _ in 0..20 {
            history.add(hash(1));
        }
        assert_eq!(history.add(hash(2)), 1);
        assert_eq!((history.count(hash(1)), history.count(hash(2))), (MOST, 1));
        history.raise(hash(2), 5);
        history.raise(hash(2), 3);
        assert_eq!((history.count(hash(2)), history.count(hash(3))), (5, 0));
    }

    #[test]
    fn all_counts_are_halved_in_a_period() {
        let mut history = History::new(512, 1);
        history.raise(hash(1), 9);
        history.raise(hash(2), 1);
        (0..5119).for_each(|_| history.age(1, 10));
        assert_eq!((history.count(hash(1)), history.epoch()), (9, 0));
        history.age(1, 10);
        assert_eq!((history.count(hash(1)), history.count(hash(2)), history.epoch()), (4, 0, 1));
        // Changing the line halves it for good, and once only.
        assert_eq!((history.add(hash(1)), history.count(hash(1))), (5, 5));
        (0..4).for_each(|_| history.age(5120, 10));
        assert_eq!(history.count(hash(1)), 0);
    }

    #[test]
    fn what_is_often_met_outlives_a_flood() {
        let mut history = History::new(512, 1);
        history.raise(hash(0), MOST);
        for key in 1..4000 {
            history.add(hash(key));
        }
        assert!(history.count(hash(0)) > 1);
        let remembered = (1..4000).filter(|key| history.count(hash(*key)) > 0).count();
        assert!((1900..2200).contains(&remembered), "{remembered}");
    }
}
