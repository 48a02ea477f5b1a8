//! A stored beginning, completed by asking for the rest: RFC 9111 §3.4.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderValue, IF_RANGE, RANGE};
use http::{Method, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use vhttp::{Body, BodyError, ContentRange};

use crate::http::engine::{Engine, Lookup};
use crate::http::inquiry::Inquiry;
use crate::http::policy::{Decision, merge_part};
use crate::http::ranges::partial::Partial;

/// The way to complete a stored beginning.
pub(crate) struct Completion {
    partial: Arc<Partial>,
    from: u64,
}

impl Completion {
    /// What the request could begin with, while the origin is asked for the rest: the whole is
    /// wanted and not stored, and the beginning is, with a strong entity tag.
    pub(crate) fn plan(inquiry: &Inquiry, lookup: &Lookup) -> Option<Self> {
        let request = &inquiry.parts;
        let wants_whole = request.method == Method::GET
            && !request.headers.contains_key(RANGE)
            && !inquiry.has_condition();
        if !wants_whole || lookup.decision != Decision::Miss {
            return None;
        }
        let partial = lookup.variants.as_ref()?.part(&request.headers)?;
        let from = partial.prefix();
        let is_of_use = from > 0 && partial.strong_tag().is_some() && !inquiry.wish.no_cache;
        is_of_use.then(|| Self { partial: Arc::clone(partial), from })
    }

    /// Asks for the rest, and for the whole where that is of another representation.
    pub(crate) fn ask(&self, request: &mut HeaderMap) {
        let range = HeaderValue::try_from(format!("bytes={}-", self.from));
        if let (Ok(range), Some(tag)) = (range, self.partial.strong_tag()) {
            request.insert(RANGE, range);
            request.insert(IF_RANGE, tag.clone());
        }
    }

    /// The whole of the beginning and the rest that came; or what came, when that is an answer to
    /// whoever wants the whole. `None` when it is not: a rest of something else.
    pub(crate) fn join(
        completion: Option<Self>,
        engine: &Engine,
        response: Response<Body>,
    ) -> Option<Response<Body>> {
        let Some(Self { partial, from }) = completion else {
            return Some(response);
        };
        match response.status() {
            StatusCode::PARTIAL_CONTENT => {}
            StatusCode::RANGE_NOT_SATISFIABLE => return None,
            _ => return Some(response),
        }
        let (mut parts, rest) = response.into_parts();
        let place = ContentRange::of(&parts.headers)?;
        let complete = place.complete.filter(|end| place.range == Some(from..*end))?;
        let mut headers = merge_part(partial.headers(), &parts.headers)?;
        // Their `Age` and hop-by-hop fields are those of the exchange, as in any answer.
        for (name, value) in &parts.headers {
            if !headers.contains_key(name) {
                headers.append(name, value.clone());
            }
        }
        engine.tags.restore(&mut headers, &parts.headers, partial.tags());
        headers.remove(CONTENT_RANGE);
        headers.insert(CONTENT_LENGTH, HeaderValue::from(complete));
        parts.status = StatusCode::OK;
        // The phrase of the other status among them.
        parts.extensions.clear();
        parts.headers = headers;
        let mut pieces = partial.get(&(0..from))?;
        let mut beginning = VecDeque::new();
        while let Some(piece) = pieces.pop() {
            beginning.push_back(piece);
        }
        let body = Joined { beginning, rest, left: complete };
        Some(Response::from_parts(parts, Body::new(body)))
    }
}

/// The stored beginning, and then the rest as it comes.
struct Joined {
    beginning: VecDeque<Bytes>,
    rest: Body,
    left: u64,
}

impl HttpBody for Joined {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let polled = match this.beginning.pop_front() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None => Pin::new(&mut this.rest).poll_frame(cx),
        };
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
            this.left = this.left.saturating_sub(length);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.beginning.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
