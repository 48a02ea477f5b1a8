//! Which slots are pinned: a map of bits over which the hand leaps, so that millions of pinned
//! entries cost an eviction no more than none.

/// Slots of a word.
const WORD: u32 = 64;
/// Slots of a word of the upper map.
const WORDS: u32 = WORD * WORD;

#[derive(Debug, Default)]
pub(super) struct Pins {
    /// A bit for each slot.
    slots: Vec<u64>,
    /// A bit for each word of `slots` that is full.
    full: Vec<u64>,
    len: usize,
}

impl Pins {
    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn has(&self, at: u32) -> bool {
        word(&self.slots, at / WORD) >> (at % WORD) & 1 == 1
    }

    pub(super) fn set(&mut self, at: u32, pinned: bool) {
        if self.has(at) == pinned {
            return;
        }
        self.len = if pinned { self.len + 1 } else { self.len - 1 };
        put(&mut self.slots, at, pinned);
        let full = word(&self.slots, at / WORD) == u64::MAX;
        put(&mut self.full, at / WORD, full);
    }

    /// The first slot from `at` on that is not pinned.
    pub(super) fn leap(&self, mut at: u32) -> u32 {
        loop {
            let open = !word(&self.slots, at / WORD) >> (at % WORD);
            if open != 0 {
                return at + open.trailing_zeros();
            }
            // The next word that is not full; past the last one there are only such.
            let next = at / WORD + 1;
            let open = !word(&self.full, next / WORD) >> (next % WORD);
            at = if open != 0 {
                (next + open.trailing_zeros()) * WORD
            } else {
                (next / WORD + 1).saturating_mul(WORDS)
            };
        }
    }
}

fn word(words: &[u64], at: u32) -> u64 {
    words.get(at as usize).copied().unwrap_or(0)
}

fn put(words: &mut Vec<u64>, at: u32, one: bool) {
    let place = (at / WORD) as usize;
    if words.len() <= place {
        if !one {
            return;
        }
        words.resize(place + 1, 0);
    }
    if let Some(word) = words.get_mut(place) {
        let bit = 1 << (at % WORD);
        *word = if one { *word | bit } else { *word & !bit };
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_million_pins_are_leapt_over() {
        let mut pins = Pins::default();
        for at in 0..1_000_000 {
            pins.set(at, true);
        }
        assert_eq!(
            (pins.len(), pins.leap(0), pins.leap(1_000_000)),
            (1_000_000, 1_000_000, 1_000_000)
        );
        pins.set(700_001, false);
        assert_eq!((pins.leap(0), pins.leap(700_002)), (700_001, 1_000_000));
    }

    proptest! {
        #[test]
        fn leaps_where_a_set_would(
            runs in proptest::collection::vec((0_u32..20_000, 1_u32..6000, any::<bool>()), 1..12),
            from in 0_u32..30_000,
        ) {
            let (mut pins, mut set) = (Pins::default(), BTreeSet::new());
            for (start, len, pinned) in runs {
                for at in start..start + len {
                    pins.set(at, pinned);
                    if pinned { set.insert(at); } else { set.remove(&at); }
                }
            }
            prop_assert_eq!(pins.len(), set.len());
            let next = (from..).find(|at| !set.contains(at)).unwrap();
            prop_assert_eq!(pins.leap(from), next);
        }
    }
}
