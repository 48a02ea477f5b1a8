//! Whole bodies, coded in one go and never larger than before.

use bytes::Bytes;

use crate::codec::Input;
use crate::coding::Coding;
use crate::keep::Encoder;

/// Codes a whole body; `None` when that would not make it smaller, or cannot be done.
///
/// `level` is brought within [`Coding::levels`]. This is work for the processor, a millisecond
/// for some 20 KiB (brotli) to 500 KiB (zstd) at the default levels: give large bodies to a
/// thread that may block.
///
/// `None` also when the coding is not [compiled in](Coding::is_compiled_in) or memory runs out:
/// whatever happens, the plain body still stands.
///
/// ```
/// # #[cfg(feature = "gzip")] {
/// use bytes::Bytes;
/// use vcompress::{Coding, encode};
///
/// let text = Bytes::from("so it goes, ".repeat(500));
/// assert!(encode(Coding::Gzip, 5, &text).unwrap().len() < 100);
/// assert_eq!(encode(Coding::Gzip, 5, &Bytes::from_static(b"no gain")), None);
/// # }
/// ```
#[must_use]
pub fn encode(coding: Coding, level: i32, body: &Bytes) -> Option<Bytes> {
    let mut encoder = Encoder::take(coding, level, Input::Whole(body.len())).ok()?;
    // Room for one byte less than the original: what does not fit is not smaller.
    let mut coded = Vec::with_capacity(body.len().checked_sub(1)?);
    let fits = encoder.codec().whole(body, &mut coded).ok()?;
    encoder.put_back();
    let smaller = fits && coded.len() < body.len();
    // The room that was not used is given back, because caches keep the result.
    smaller.then(|| Bytes::from(coded.into_boxed_slice()))
}
