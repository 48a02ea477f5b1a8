//! How often keys were met lately: fingerprints with small counts, the rarest forgotten first.
//!
//! A table of fingerprints instead of a sketch of shared counters: at the same size its counts
//! are hardly ever another key's, so that it also tells who was here a moment ago. A newcomer
//! takes the place of the next cell in its line that counts one, and those passed over lose one.

/// Cells of a line; the first is where the next newcomer begins to look.
const CELLS: usize = 32;
/// Entries below which the table is no smaller: a small cache must remember beyond itself.
const LEAST_ENTRIES: usize = 512;
/// Entries from which two cells for each will do.
const MANY_ENTRIES: usize = 4096;
/// The highest count.
pub(super) const MOST: u8 = 15;
/// Bits of a cell that count; the others are the fingerprint.
const COUNT: u16 = 15;

/// One cache line.
#[derive(Debug, Clone)]
#[repr(align(64))]
struct Line([u16; CELLS]);

impl Line {
    /// Where the fingerprint stands; zero for nowhere, which is no fingerprint's place.
    fn find(&self, print: u16) -> usize {
        let same = |(at, cell): (usize, &u16)| if cell & !COUNT == print { at } else { 0 };
        // Without a way out of the loop it is a few vector instructions.
        self.0.iter().enumerate().map(same).fold(0, usize::max)
    }

    fn count(&self, print: u16) -> u8 {
        let cell = self.0.get(self.find(print)).copied().unwrap_or(0);
        // The first cell has no fingerprint, only a number below 32.
        if cell > COUNT * 2 {
            u8::try_from(cell & COUNT).unwrap_or(0)
        } else {
            0
        }
    }

    /// Sets the count of a fingerprint, new or not.
    fn set(&mut self, print: u16, count: u8) {
        let cell = print | u16::from(count.min(MOST));
        let [hand, cells @ ..] = &mut self.0;
        if let Some(old) = cells.iter_mut().find(|old| **old & !COUNT == print) {
            *old = cell;
            return;
        }
        // Every round lowers all counts by one, so that this ends.
        loop {
            let at = usize::from(*hand);
            *hand = if at + 1 < cells.len() { *hand + 1 } else { 0 };
            match cells.get_mut(at) {
                Some(old) if *old & COUNT > 1 => *old -= 1,
                Some(old) => {
                    *old = cell;
                    return;
                }
                None => {}
            }
        }
    }

    fn halve(&mut self) {
        for cell in self.0.iter_mut().skip(1) {
            let half = (*cell & COUNT) >> 1;
            *cell = if half == 0 { 0 } else { *cell & !COUNT | half };
        }
    }
}

#[derive(Debug)]
pub(super) struct History {
    lines: Box<[Line]>,
    /// Steps in which all counts are halved once, a line at a time.
    period: u64,
    due: u64,
    /// The line whose turn it is.
    turn: usize,
}

impl History {
    /// A memory for a cache of so many entries, whose counts are halved every `age` steps for
    /// each of them.
    pub(super) fn new(entries: usize, age: u64) -> Self {
        let entries = entries.max(LEAST_ENTRIES);
        let cells = if entries < MANY_ENTRIES {
            4 * entries
        } else {
            2 * entries.max(8192)
        };
        let period = u64::try_from(entries)
            .unwrap_or(u64::MAX)
            .saturating_mul(age);
        Self {
            lines: vec![Line([0; CELLS]); cells.div_ceil(CELLS)].into(),
            period,
            due: 0,
            turn: 0,
        }
    }

    /// Goes on by some steps; whether all counts have been halved once more.
    pub(super) fn age(&mut self, steps: u64) -> bool {
        self.due += steps * self.lines.len() as u64;
        let mut round = false;
        while self.due >= self.period {
            self.due -= self.period;
            if let Some(line) = self.lines.get_mut(self.turn) {
                line.halve();
            }
            self.turn += 1;
            if self.turn >= self.lines.len() {
                self.turn = 0;
                round = true;
            }
        }
        round
    }

    /// The line is chosen by the upper bits, the fingerprint by the lower ones.
    fn place(&self, hash: u32) -> (usize, u16) {
        let line = (u64::from(hash) * self.lines.len() as u64) >> 32;
        // The two lowest numbers are left to the first cell of the line.
        let print = u16::try_from(hash & 0xFFF).unwrap_or(0).max(2) << 4;
        (usize::try_from(line).unwrap_or(0), print)
    }

    pub(super) fn count(&self, hash: u32) -> u8 {
        let (line, print) = self.place(hash);
        self.lines.get(line).map_or(0, |line| line.count(print))
    }

    /// Counts one more and says how many that makes.
    pub(super) fn add(&mut self, hash: u32) -> u8 {
        let (line, print) = self.place(hash);
        let Some(line) = self.lines.get_mut(line) else {
            return 0;
        };
        let count = (line.count(print) + 1).min(MOST);
        line.set(print, count);
        count
    }

    /// Counts at least `count`.
    pub(super) fn raise(&mut self, hash: u32, count: u8) {
        let (line, print) = self.place(hash);
        if let Some(line) = self.lines.get_mut(line)
            && line.count(print) < count
        {
            line.set(print, count);
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
        let mut history = History::new(1, 10);
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
        let mut history = History::new(LEAST_ENTRIES, 10);
        history.raise(hash(1), 9);
        history.raise(hash(2), 1);
        let rounds = (0..LEAST_ENTRIES * 10).filter(|_| history.age(1)).count();
        assert_eq!(rounds, 1);
        assert_eq!((history.count(hash(1)), history.count(hash(2))), (4, 0));
    }

    #[test]
    fn what_is_often_met_outlives_a_flood() {
        let mut history = History::new(LEAST_ENTRIES, 1 << 30);
        history.raise(hash(0), MOST);
        for key in 1..4000 {
            history.add(hash(key));
        }
        assert!(history.count(hash(0)) > 1);
        let remembered = (1..4000)
            .filter(|key| history.count(hash(*key)) > 0)
            .count();
        assert!((1900..2200).contains(&remembered), "{remembered}");
    }
}
