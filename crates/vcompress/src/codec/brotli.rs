//! Brotli (RFC 7932), in Rust.

use brotli::enc::StandardAlloc;
use brotli::enc::encode::{
    BrotliEncoderDestroyInstance, BrotliEncoderOperation, BrotliEncoderParameter,
    BrotliEncoderStateStruct,
};

use crate::codec::{Codec, Input};
use crate::coding::Coding;
use crate::error::CodecError;

/// Bytes of room that each call is given.
const STEP: usize = 4096;

/// A window below 128 KiB makes this encoder take its slow path (33 MiB for a 2 KiB body).
const LEAST_WINDOW_BITS: u32 = 17;

/// The window of a stream, 256 KiB: about 1 MiB for each open stream at quality 5.
const STREAM_WINDOW_BITS: u32 = 18;

/// The largest window that every decoder takes, 4 MiB.
const MOST_WINDOW_BITS: u32 = 22;

const FAILED: CodecError = CodecError { coding: Coding::Brotli };

/// One encoder; at quality 5 it holds about 1 MiB. It cannot be used again.
pub(crate) struct Brotli {
    inner: BrotliEncoderStateStruct<StandardAlloc>,
}

impl Brotli {
    pub(crate) fn new(level: i32) -> Self {
        let mut inner = BrotliEncoderStateStruct::new(StandardAlloc::default());
        inner.set_parameter(BrotliEncoderParameter::BROTLI_PARAM_QUALITY, level.unsigned_abs());
        Self { inner }
    }

    /// Gives `input` and takes what is ready, until neither is left.
    fn run(
        &mut self,
        input: &[u8],
        output: &mut Vec<u8>,
        operation: BrotliEncoderOperation,
    ) -> Result<(), CodecError> {
        let (mut left, mut taken) = (input.len(), 0);
        loop {
            let end = output.len();
            output.resize(end + STEP, 0);
            let (mut room, mut made) = (STEP, 0);
            let fine = self.inner.compress_stream(
                operation,
                &mut left,
                input,
                &mut taken,
                &mut room,
                output.get_mut(end..).unwrap_or_default(),
                &mut made,
                &mut None,
                &mut |_, _, _, _| (),
            );
            output.truncate(end + made);
            if !fine {
                return Err(FAILED);
            }
            if left == 0 && !self.inner.has_more_output() {
                return Ok(());
            }
        }
    }
}

/// The smallest window that holds the body, within the bounds.
fn window_bits(length: usize) -> u32 {
    let bits = length.max(1).next_power_of_two().trailing_zeros();
    bits.clamp(LEAST_WINDOW_BITS, MOST_WINDOW_BITS)
}

impl Codec for Brotli {
    fn write(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<(), CodecError> {
        self.run(input, output, BrotliEncoderOperation::BROTLI_OPERATION_PROCESS)
    }

    fn flush(&mut self, output: &mut Vec<u8>) -> Result<(), CodecError> {
        self.run(&[], output, BrotliEncoderOperation::BROTLI_OPERATION_FLUSH)
    }

    fn finish(&mut self, output: &mut Vec<u8>) -> Result<(), CodecError> {
        self.run(&[], output, BrotliEncoderOperation::BROTLI_OPERATION_FINISH)
    }

    fn whole(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<bool, CodecError> {
        let most = output.capacity();
        self.run(input, output, BrotliEncoderOperation::BROTLI_OPERATION_FINISH)?;
        Ok(output.len() <= most)
    }

    fn renew(&mut self) -> bool {
        false
    }

    fn fit(&mut self, input: Input) -> Result<(), CodecError> {
        let (window, hint) = match input {
            Input::Whole(length) => (window_bits(length), u32::try_from(length).unwrap_or(0)),
            Input::Stream => (STREAM_WINDOW_BITS, 0),
        };
        let (window_name, hint_name) = (
            BrotliEncoderParameter::BROTLI_PARAM_LGWIN,
            BrotliEncoderParameter::BROTLI_PARAM_SIZE_HINT,
        );
        let set = self.inner.set_parameter(window_name, window)
            && self.inner.set_parameter(hint_name, hint);
        if set { Ok(()) } else { Err(FAILED) }
    }
}

impl Drop for Brotli {
    fn drop(&mut self) {
        BrotliEncoderDestroyInstance(&mut self.inner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_fit_the_body_within_bounds() {
        for (length, bits) in [(0, 17), (2000, 17), (200_000, 18), (1 << 20, 20), (1 << 30, 22)] {
            assert_eq!(window_bits(length), bits, "{length}");
        }
    }
}
