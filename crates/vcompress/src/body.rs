//! A body coded as it streams by: flushed when the origin pauses, bounded in every buffer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;
use vhttp::{BodyError, Phase, Timeline};

use crate::codec::Codec;
use crate::coding::Coding;
use crate::error::CodecError;
use crate::keep::Encoder;
use crate::metrics::Meters;
use crate::replay::Replay;

/// The most input that is coded at a time.
const SLICE: usize = 16 * 1024;

/// Output is sent on when there is this much of it; one slice of input may add its own length.
const FRAME: usize = 16 * 1024;

/// Input coded in one poll before other tasks get their turn: about 0.5 ms of gzip.
const BUDGET: usize = 64 * 1024;

/// The body of a coded answer.
///
/// Holds at most one chunk of the origin's, [`FRAME`] plus one slice of output, and the encoder.
pub(crate) struct Coded {
    source: Replay,
    /// `None` once the end was written or something failed.
    encoder: Option<Encoder>,
    chunk: Bytes,
    output: Vec<u8>,
    /// Whether the encoder may hold bytes that the client has not got.
    unflushed: bool,
    trailers: Option<HeaderMap>,
    tally: Tally,
}

/// What one body took; it is told when the body ends or is dropped.
struct Tally {
    coding: Coding,
    bytes_in: u64,
    bytes_out: u64,
    spent: Duration,
    timeline: Option<Timeline>,
    meters: Arc<Meters>,
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.meters.coded(self.coding, self.bytes_in, self.bytes_out);
        if let Some(timeline) = &self.timeline {
            timeline.add(Phase::Coding, self.spent);
        }
    }
}

impl Coded {
    /// Codes `source` by `encoder`.
    pub(crate) const fn new(
        source: Replay,
        encoder: Encoder,
        timeline: Option<Timeline>,
        meters: Arc<Meters>,
    ) -> Self {
        let coding = encoder.coding();
        Self {
            source,
            encoder: Some(encoder),
            chunk: Bytes::new(),
            output: Vec::new(),
            unflushed: false,
            trailers: None,
            tally: Tally {
                coding,
                bytes_in: 0,
                bytes_out: 0,
                spent: Duration::ZERO,
                timeline,
                meters,
            },
        }
    }

    /// Runs one step of the encoder; after an error there is none.
    fn step(
        &mut self,
        step: impl FnOnce(&mut dyn Codec, &mut Vec<u8>) -> Result<(), CodecError>,
    ) -> Result<(), BodyError> {
        let Some(encoder) = &mut self.encoder else {
            return Ok(());
        };
        // The clock is read only for those who look at it.
        let started = self.tally.timeline.as_ref().map(|_| Instant::now());
        let result = step(encoder.codec(), &mut self.output);
        if let Some(started) = started {
            self.tally.spent += started.elapsed();
        }
        result.map_err(|error| {
            self.encoder = None;
            BodyError::new(error)
        })
    }

    /// Codes the next slice of the chunk at hand and says how long it was.
    fn code_slice(&mut self) -> Result<usize, BodyError> {
        let slice = self.chunk.split_to(self.chunk.len().min(SLICE));
        self.unflushed = true;
        self.tally.bytes_in += slice.len() as u64;
        self.step(|codec, output| codec.write(&slice, output))?;
        Ok(slice.len())
    }

    fn flush(&mut self) -> Result<(), BodyError> {
        if !std::mem::take(&mut self.unflushed) {
            return Ok(());
        }
        self.step(|codec, output| codec.flush(output))
    }

    fn finish(&mut self) -> Result<(), BodyError> {
        self.step(|codec, output| codec.finish(output))?;
        if let Some(encoder) = self.encoder.take() {
            encoder.put_back();
        }
        Ok(())
    }

    /// What is ready, as a frame.
    fn emit(&mut self) -> Option<Frame<Bytes>> {
        if self.output.is_empty() {
            return None;
        }
        let output = std::mem::take(&mut self.output);
        self.tally.bytes_out += output.len() as u64;
        Some(Frame::data(Bytes::from(output)))
    }

    /// Takes in what the origin gave, or its end.
    fn accept(&mut self, frame: Option<Result<Frame<Bytes>, BodyError>>) -> Result<(), BodyError> {
        match frame {
            None => self.finish(),
            Some(Err(error)) => {
                self.encoder = None;
                Err(error)
            }
            Some(Ok(frame)) => match frame.into_data() {
                Ok(chunk) => {
                    self.chunk = chunk;
                    Ok(())
                }
                Err(frame) => {
                    self.trailers = frame.into_trailers().ok();
                    self.finish()
                }
            },
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Result<Poll<Option<Frame<Bytes>>>, BodyError> {
        let mut budget = BUDGET;
        loop {
            if self.output.len() >= FRAME {
                return Ok(Poll::Ready(self.emit()));
            }
            if self.encoder.is_none() {
                let last = self.emit();
                let last = last.or_else(|| self.trailers.take().map(Frame::trailers));
                return Ok(Poll::Ready(last));
            }
            if !self.chunk.is_empty() {
                if budget == 0 {
                    return Ok(self.give_way(cx));
                }
                budget = budget.saturating_sub(self.code_slice()?);
                continue;
            }
            match Pin::new(&mut self.source).poll_frame(cx) {
                Poll::Ready(frame) => self.accept(frame)?,
                Poll::Pending => {
                    // The origin pauses: the client gets all that it has sent.
                    self.flush()?;
                    return Ok(self.emit().map_or(Poll::Pending, |f| Poll::Ready(Some(f))));
                }
            }
        }
    }

    /// Lets other tasks run, with what is ready or without.
    fn give_way(&mut self, cx: &Context<'_>) -> Poll<Option<Frame<Bytes>>> {
        match self.emit() {
            Some(frame) => Poll::Ready(Some(frame)),
            None => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

impl HttpBody for Coded {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut().poll(cx) {
            Ok(polled) => polled.map(|frame| frame.map(Ok)),
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.encoder.is_none() && self.output.is_empty() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
