//! Encoders kept for the next body: a few per thread, coding and level.

use std::cell::RefCell;

use crate::codec::{Codec, Input, select};
use crate::coding::Coding;
use crate::error::CodecError;

/// Encoders kept for each coding and level on each thread: 0.4 to 1 MiB each.
const EACH: usize = 2;

/// Encoders kept on each thread in all, so that levels that change leave no trail.
const MOST: usize = 6;

thread_local! {
    static KEPT: RefCell<Vec<Encoder>> = const { RefCell::new(Vec::new()) };
}

/// An encoder, with what it takes to find it again.
pub(crate) struct Encoder {
    coding: Coding,
    level: i32,
    codec: Box<dyn Codec>,
}

impl Encoder {
    /// Takes a kept encoder, or makes one.
    pub(crate) fn take(coding: Coding, level: i32, input: Input) -> Result<Self, CodecError> {
        let kept = KEPT.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            let found = kept.iter().position(|e| e.is(coding, level))?;
            Some(kept.swap_remove(found))
        });
        let mut encoder = match kept {
            Ok(Some(encoder)) => encoder,
            Ok(None) | Err(_) => Self { coding, level, codec: select::open(coding, level)? },
        };
        encoder.codec.fit(input)?;
        Ok(encoder)
    }

    pub(crate) const fn coding(&self) -> Coding {
        self.coding
    }

    /// Keeps the encoder for another body, if there is room and it can be used again.
    ///
    /// Only encoders that ended well come back; one of a cancelled stream is simply dropped.
    pub(crate) fn put_back(mut self) {
        // A thread that is ending keeps nothing.
        let _ = KEPT.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            let same = kept.iter().filter(|e| e.is(self.coding, self.level));
            if same.count() < EACH && self.codec.renew() {
                if kept.len() == MOST {
                    kept.remove(0);
                }
                kept.push(self);
            }
        });
    }

    pub(crate) fn codec(&mut self) -> &mut dyn Codec {
        &mut *self.codec
    }

    fn is(&self, coding: Coding, level: i32) -> bool {
        self.coding == coding && self.level == level
    }
}

#[cfg(all(test, feature = "gzip"))]
mod tests {
    use super::*;

    fn kept() -> usize {
        KEPT.with_borrow(Vec::len)
    }

    #[test]
    fn what_is_kept_is_bounded_and_used_again() {
        let take = |level| Encoder::take(Coding::Gzip, level, Input::Stream).unwrap();
        let many: Vec<_> = (0..5).map(|_| take(5)).collect();
        many.into_iter().for_each(Encoder::put_back);
        assert_eq!(kept(), EACH);
        let again = take(5);
        assert_eq!(kept(), EACH - 1);
        again.put_back();
        for level in 1..=9 {
            take(level).put_back();
        }
        assert_eq!(kept(), MOST);
    }
}
