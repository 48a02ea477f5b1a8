//! A body of which the beginning has been read already.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use vhttp::{Body, BodyError};

/// What was read, then the rest.
#[derive(Debug)]
pub(crate) struct Replay {
    data: VecDeque<Bytes>,
    last: Option<Result<Frame<Bytes>, BodyError>>,
    rest: Body,
}

impl Replay {
    /// Nothing read so far.
    pub(crate) const fn new(rest: Body) -> Self {
        Self { data: VecDeque::new(), last: None, rest }
    }

    /// Adds a chunk that was read.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        self.data.push_back(chunk);
    }

    /// Adds what came after the last chunk: trailers or an error.
    pub(crate) fn set_last(&mut self, last: Result<Frame<Bytes>, BodyError>) {
        self.last = Some(last);
    }

    /// The part that has not been read.
    pub(crate) const fn rest(&mut self) -> &mut Body {
        &mut self.rest
    }

    /// All that was read, as one chunk; without a copy when it was one.
    pub(crate) fn into_bytes(mut self) -> Bytes {
        if self.data.len() <= 1 {
            return self.data.pop_front().unwrap_or_default();
        }
        let length = self.data.iter().map(Bytes::len).sum();
        let mut bytes = Vec::with_capacity(length);
        self.data.iter().for_each(|chunk| bytes.extend_from_slice(chunk));
        bytes.into()
    }

    /// The same as a `Body`; without a box when nothing was read.
    pub(crate) fn into_body(self) -> Body {
        if self.data.is_empty() && self.last.is_none() {
            return self.rest;
        }
        Body::new(self)
    }

    fn held(&self) -> u64 {
        self.data.iter().map(|chunk| chunk.len() as u64).sum()
    }
}

impl HttpBody for Replay {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(chunk) = self.data.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        if let Some(last) = self.last.take() {
            // Nothing follows trailers or an error.
            self.rest = Body::empty();
            return Poll::Ready(Some(last));
        }
        Pin::new(&mut self.rest).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty() && self.last.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (held, rest) = (self.held(), self.rest.size_hint());
        let mut hint = SizeHint::new();
        let lower = rest.lower().saturating_add(held);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(held).max(lower));
        }
        hint.set_lower(lower);
        hint
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn what_was_read_comes_before_the_rest() {
        let mut replay = Replay::new(Body::full("cd"));
        replay.push(Bytes::from_static(b"a"));
        replay.push(Bytes::from_static(b"b"));
        assert_eq!(replay.size_hint().exact(), Some(4));
        let all = replay.into_body().collect().await.unwrap();
        assert_eq!(all.to_bytes(), "abcd");
    }

    #[tokio::test]
    async fn an_error_comes_after_what_was_read() {
        let mut replay = Replay::new(Body::full("never read"));
        replay.push(Bytes::from_static(b"a"));
        replay.set_last(Err(BodyError::new("cut")));
        let mut body = replay.into_body();
        assert!(body.frame().await.unwrap().is_ok());
        assert!(body.frame().await.unwrap().is_err());
        assert!(body.frame().await.is_none());
    }
}
