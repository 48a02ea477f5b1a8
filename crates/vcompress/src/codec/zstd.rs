//! Zstandard (RFC 8878), by libzstd.

use zstd::zstd_safe::{CCtx, CParameter, InBuffer, OutBuffer, ResetDirective, SafeResult};

use crate::codec::{Codec, Input, make_room};
use crate::coding::Coding;
use crate::error::CodecError;

/// Free bytes that each call is given at least.
const STEP: usize = 4096;

/// The window of a stream, 128 KiB: without it, level 3 would keep megabytes for each open
/// stream, because nobody says how long the stream will be.
const STREAM_WINDOW_LOG: u32 = 17;

/// Contexts above this are not kept: 1 MiB.
const KEPT_BYTES: usize = 1 << 20;

const FAILED: CodecError = CodecError { coding: Coding::Zstd };

/// One encoder; at level 3 it holds about 0.5 MiB.
pub(crate) struct Zstd {
    context: CCtx<'static>,
}

impl Zstd {
    pub(crate) fn new(level: i32) -> Result<Self, CodecError> {
        let context = CCtx::try_create().ok_or(FAILED)?;
        let mut codec = Self { context };
        codec.set(CParameter::CompressionLevel(level))?;
        Ok(codec)
    }

    fn set(&mut self, parameter: CParameter) -> Result<(), CodecError> {
        done(self.context.set_parameter(parameter)).map(|_| ())
    }

    /// Calls `step` on the end of `output` until nothing is left inside.
    fn drain(
        &mut self,
        output: &mut Vec<u8>,
        step: fn(&mut CCtx<'static>, &mut OutBuffer<'_, Vec<u8>>) -> SafeResult,
    ) -> Result<(), CodecError> {
        loop {
            make_room(output, STEP);
            let end = output.len();
            let mut room = OutBuffer::around_pos(output, end);
            if done(step(&mut self.context, &mut room))? == 0 {
                return Ok(());
            }
        }
    }
}

fn done(result: SafeResult) -> Result<usize, CodecError> {
    result.map_err(|_| FAILED)
}

impl Codec for Zstd {
    fn write(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<(), CodecError> {
        let mut input = InBuffer::around(input);
        while input.pos() < input.src.len() {
            make_room(output, STEP);
            let end = output.len();
            let mut room = OutBuffer::around_pos(output, end);
            done(self.context.compress_stream(&mut room, &mut input))?;
        }
        Ok(())
    }

    fn flush(&mut self, output: &mut Vec<u8>) -> Result<(), CodecError> {
        self.drain(output, |context, room| context.flush_stream(room))
    }

    fn finish(&mut self, output: &mut Vec<u8>) -> Result<(), CodecError> {
        self.drain(output, |context, room| context.end_stream(room))
    }

    fn whole(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<bool, CodecError> {
        // An output that does not fit is the one error that a whole body can meet, beside memory
        // that ran out; after either the context is reset before anything else.
        Ok(self.context.compress2(output, input).is_ok())
    }

    fn renew(&mut self) -> bool {
        self.context.reset(ResetDirective::SessionOnly).is_ok()
            && self.context.sizeof() <= KEPT_BYTES
    }

    fn fit(&mut self, input: Input) -> Result<(), CodecError> {
        // Zero: by level and length, which a whole body declares.
        self.set(CParameter::WindowLog(match input {
            Input::Whole(_) => 0,
            Input::Stream => STREAM_WINDOW_LOG,
        }))
    }
}
