//! gzip (RFC 1952) and deflate (RFC 1950), by flate2 on zlib-rs.

use flate2::{Compress, Compression, FlushCompress, Status};

use crate::codec::{Codec, Input, make_room};
use crate::coding::Coding;
use crate::error::CodecError;

/// Free bytes that each call is given at least.
const STEP: usize = 4096;

/// The largest window of the format, 32 KiB.
const WINDOW_BITS: u8 = 15;

/// One encoder of either format; it holds about 370 KiB at any level.
pub(crate) struct Zlib {
    coding: Coding,
    inner: Compress,
}

impl Zlib {
    pub(crate) fn new(coding: Coding, level: i32) -> Self {
        let level = Compression::new(level.unsigned_abs());
        let inner = match coding {
            Coding::Gzip => Compress::new_gzip(level, WINDOW_BITS),
            _ => Compress::new(level, true),
        };
        Self { coding, inner }
    }

    fn step(
        &mut self,
        input: &[u8],
        output: &mut Vec<u8>,
        flush: FlushCompress,
    ) -> Result<(usize, Status), CodecError> {
        let before = self.inner.total_in();
        let status = self.inner.compress_vec(input, output, flush).map_err(|_| self.failed())?;
        // What one call takes is at most the length of a slice.
        let taken = usize::try_from(self.inner.total_in() - before).unwrap_or(input.len());
        Ok((taken, status))
    }

    const fn failed(&self) -> CodecError {
        CodecError { coding: self.coding }
    }
}

impl Codec for Zlib {
    fn write(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<(), CodecError> {
        let mut rest = input;
        while !rest.is_empty() {
            make_room(output, STEP);
            let (taken, _) = self.step(rest, output, FlushCompress::None)?;
            rest = rest.get(taken..).ok_or_else(|| self.failed())?;
        }
        Ok(())
    }

    fn flush(&mut self, output: &mut Vec<u8>) -> Result<(), CodecError> {
        loop {
            make_room(output, STEP);
            self.step(&[], output, FlushCompress::Sync)?;
            // A flush is over when it left room (zlib's manual, deflate, Z_SYNC_FLUSH).
            if output.len() < output.capacity() {
                return Ok(());
            }
        }
    }

    fn finish(&mut self, output: &mut Vec<u8>) -> Result<(), CodecError> {
        loop {
            make_room(output, STEP);
            let (_, status) = self.step(&[], output, FlushCompress::Finish)?;
            if status == Status::StreamEnd {
                return Ok(());
            }
        }
    }

    fn whole(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<bool, CodecError> {
        let (_, status) = self.step(input, output, FlushCompress::Finish)?;
        Ok(status == Status::StreamEnd)
    }

    fn renew(&mut self) -> bool {
        self.inner.reset();
        true
    }

    fn fit(&mut self, _: Input) -> Result<(), CodecError> {
        Ok(())
    }
}
