//! A response body that writes the access log's line when it ends or is dropped.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;
use verve::http::{Body, BodyError};

use crate::access_log::{AccessLog, Entry};

/// The body, and the line to be written behind it.
pub(crate) struct LoggedBody {
    body: Body,
    log: AccessLog,
    entry: Entry,
    status: StatusCode,
    begun: Instant,
    bytes: u64,
}

impl LoggedBody {
    /// Lets the end of the response's body write the line.
    pub(crate) fn wrap(
        response: Response<Body>,
        log: AccessLog,
        entry: Entry,
        begun: Instant,
    ) -> Response<Body> {
        let status = response.status();
        response.map(|body| Body::new(Self { body, log, entry, status, begun, bytes: 0 }))
    }
}

impl HttpBody for LoggedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        if let Some(Ok(data)) = frame.as_ref().map(|frame| frame.as_ref().map(Frame::data_ref)) {
            this.bytes += data.map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for LoggedBody {
    fn drop(&mut self) {
        self.log.finish(&self.entry, self.status, self.bytes, self.begun.elapsed());
    }
}
