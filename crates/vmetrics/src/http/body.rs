//! The answer's body, whose end is the end of the request.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::header::CONTENT_LENGTH;
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use vhttp::BoxError;

use crate::http::method::KnownMethod;
use crate::http::observe::Observation;
use crate::http::slots::Outcome;

/// Lets `observation` go with the answer's body; where nothing of a body is to come, it ends now.
pub(crate) fn observe<B>(
    response: Response<B>,
    mut observation: Observation,
) -> Response<vhttp::Body>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    observation.head();
    let status = response.status();
    let sends_body = observation.method() != KnownMethod::HEAD && has_body(status);
    let (head, body) = response.into_parts();
    let body = vhttp::Body::new(body);
    // A body at hand in one chunk goes to the connection in one step with the head.
    if !sends_body || body.is_end_stream() || body.as_bytes().is_some() {
        observation.end(Outcome::Status(status));
        return Response::from_parts(head, body);
    }
    let length = head.headers.get(CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse().ok());
    let observed = ObservedBody {
        rest: body.size_hint().exact().or(length),
        inner: body,
        status,
        observation: Some(observation),
    };
    Response::from_parts(head, vhttp::Body::new(observed))
}

/// Whether answers of `status` carry content at all (RFC 9110 §6.4.1).
fn has_body(status: StatusCode) -> bool {
    !status.is_informational()
        && status != StatusCode::NO_CONTENT
        && status != StatusCode::NOT_MODIFIED
}

/// A body under observation. `rest` is what is still to come, when the length was announced: a
/// server need not read a body on once it has sent that much, so a drop then is no early end.
#[derive(Debug)]
struct ObservedBody {
    inner: vhttp::Body,
    status: StatusCode,
    rest: Option<u64>,
    observation: Option<Observation>,
}

impl ObservedBody {
    fn end(&mut self, outcome: Outcome) {
        if let Some(observation) = self.observation.take() {
            observation.end(outcome);
        }
    }

    fn sent(&mut self, bytes: usize) {
        let sent = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.rest = self.rest.map(|rest| rest.saturating_sub(sent));
        if self.inner.is_end_stream() {
            self.end(Outcome::Status(self.status));
        } else if self.rest == Some(0)
            && let Some(observation) = &mut self.observation
        {
            observation.set(Outcome::Status(self.status));
        }
    }
}

impl Body for ObservedBody {
    type Data = Bytes;
    type Error = vhttp::BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.inner).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => this.sent(frame.data_ref().map_or(0, Buf::remaining)),
            Some(Err(_)) => this.end(Outcome::Failed),
            None => this.end(Outcome::Status(this.status)),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
