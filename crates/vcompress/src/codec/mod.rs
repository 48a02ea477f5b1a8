//! The codecs behind one small trait: write, flush, finish.

#[cfg(feature = "brotli")]
mod brotli;
pub(crate) mod select;
#[cfg(feature = "gzip")]
mod zlib;
#[cfg(feature = "zstd")]
mod zstd;

use crate::error::CodecError;

/// What a codec is about to be given; it fits its window to that.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Input {
    /// So many bytes in one call.
    Whole(
        #[cfg_attr(
            not(feature = "brotli"),
            expect(dead_code, reason = "the others learn it from the call")
        )]
        usize,
    ),
    /// Pieces, as they come.
    Stream,
}

/// One encoder.
///
/// Output is appended to `output`, which the caller empties; a codec holds back no more than its
/// window. After an error an encoder is of no more use.
pub(crate) trait Codec: Send {
    /// Takes `input` wholly and appends what is ready, which may be nothing.
    fn write(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<(), CodecError>;

    /// Appends all that a decoder needs to give back every byte so far.
    fn flush(&mut self, output: &mut Vec<u8>) -> Result<(), CodecError>;

    /// Appends the end.
    fn finish(&mut self, output: &mut Vec<u8>) -> Result<(), CodecError>;

    /// Codes all of `input` into the free capacity of `output`; `false` when it does not fit.
    fn whole(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<bool, CodecError>;

    /// Makes ready for another body, whatever became of the last; `false` when that cannot be or
    /// is not worth its memory.
    fn renew(&mut self) -> bool;

    /// Fits a new or renewed encoder to `input`.
    fn fit(&mut self, input: Input) -> Result<(), CodecError>;
}

/// Makes room for at least `least` more bytes, growing by halves.
#[cfg(any(feature = "gzip", feature = "zstd"))]
fn make_room(output: &mut Vec<u8>, least: usize) {
    if output.capacity() - output.len() < least {
        output.reserve(least.max(output.len() / 2));
    }
}

#[cfg(test)]
#[cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))]
mod tests;
