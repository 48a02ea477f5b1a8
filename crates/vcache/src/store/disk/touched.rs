//! Which rows were read since they were last looked at: one bit each, of a fixed number of bits.

use std::sync::atomic::{AtomicU64, Ordering};

/// Words of 64 bits: 128 KiB for a million rows. Rows beyond share bits, and some are spared that
/// nobody read.
const WORDS: u64 = 1 << 14;

/// The bits.
pub(super) struct Touched(Box<[AtomicU64]>);

impl Touched {
    pub(super) fn new() -> Self {
        Self((0..WORDS).map(|_| AtomicU64::new(0)).collect())
    }

    /// Notes a use; writes only what is not noted yet.
    pub(super) fn touch(&self, id: i64) {
        if let Some((word, bit)) = self.place(id)
            && word.load(Ordering::Relaxed) & bit == 0
        {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// Whether the row was used since this was asked last.
    pub(super) fn take(&self, id: i64) -> bool {
        self.place(id).is_some_and(|(word, bit)| word.fetch_and(!bit, Ordering::Relaxed) & bit != 0)
    }

    fn place(&self, id: i64) -> Option<(&AtomicU64, u64)> {
        let id = id.cast_unsigned();
        let word = usize::try_from((id / 64) % WORDS).ok()?;
        Some((self.0.get(word)?, 1 << (id % 64)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_counts_once() {
        let touched = Touched::new();
        for id in [0, 63, 64, i64::MAX, -1] {
            assert!(!touched.take(id));
            touched.touch(id);
            touched.touch(id);
            assert!(touched.take(id) && !touched.take(id), "{id}");
        }
    }
}
