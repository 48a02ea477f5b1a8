//! The codec of a coding.

use crate::codec::Codec;
#[cfg(feature = "brotli")]
use crate::codec::brotli::Brotli;
#[cfg(feature = "gzip")]
use crate::codec::zlib::Zlib;
#[cfg(feature = "zstd")]
use crate::codec::zstd::Zstd;
use crate::coding::Coding;
use crate::error::CodecError;

/// A new encoder, not yet fitted; an error when the coding is not compiled in or memory ran out.
#[cfg_attr(
    not(any(feature = "gzip", feature = "brotli", feature = "zstd")),
    expect(unused_variables, reason = "no codec is compiled in")
)]
pub(crate) fn open(coding: Coding, level: i32) -> Result<Box<dyn Codec>, CodecError> {
    let level = level.clamp(*coding.levels().start(), *coding.levels().end());
    match coding {
        #[cfg(feature = "gzip")]
        Coding::Gzip | Coding::Deflate => Ok(Box::new(Zlib::new(coding, level))),
        #[cfg(feature = "brotli")]
        Coding::Brotli => Ok(Box::new(Brotli::new(level))),
        #[cfg(feature = "zstd")]
        Coding::Zstd => Ok(Box::new(Zstd::new(level)?)),
        #[cfg(not(all(feature = "gzip", feature = "brotli", feature = "zstd")))]
        _ => Err(CodecError { coding }),
    }
}
