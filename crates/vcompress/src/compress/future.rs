//! The future: waits for the answer, holds back what is at hand, codes it whole or as a stream.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, IF_NONE_MATCH};
use http::response::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use pin_project_lite::pin_project;
use tokio::time::Instant;
use vhttp::{Body, BoxError, EntityTags, Phase, Timeline};

use crate::answer::Answer;
use crate::body::Coded;
use crate::choose::{Ask, Verdict, decide};
use crate::codec::Input;
use crate::coding::Coding;
use crate::compress::shared::Shared;
use crate::eligible::{Skip, forbids_transform};
use crate::fields;
use crate::keep::Encoder;
use crate::media_type;
use crate::replay::Replay;
use crate::whole;

pin_project! {
    /// The answer of a [`Compress`](crate::Compress).
    ///
    /// Cancel safety: dropping it drops the inner future, or the answer that was held back.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        job: Job,
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) const fn new(inner: F, job: Job) -> Self {
        Self { inner, job }
    }
}

impl<F> std::fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

impl<F, E, ResB> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<ResB>, E>>,
    ResB: HttpBody<Data = Bytes> + Send + 'static,
    ResB::Error: Into<BoxError>,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(cx))?.map(Body::new);
        Poll::Ready(Ok(this.job.answer(response, cx)))
    }
}

/// What is kept of the request until the answer comes.
pub(crate) struct Job {
    ask: Ask,
    method: Method,
    if_none_match: Option<EntityTags>,
    timeline: Option<Timeline>,
    shared: Arc<Shared>,
}

/// What of a body was at hand.
enum Held {
    /// All of it.
    All(Bytes),
    /// Some of it, or more than is held back.
    Some(Replay),
}

impl Job {
    pub(crate) fn new<B>(request: &Request<B>, shared: Arc<Shared>) -> Self {
        Self {
            ask: Ask::of(request.headers()),
            method: request.method().clone(),
            if_none_match: EntityTags::parse(request.headers(), &IF_NONE_MATCH),
            timeline: request.extensions().get::<Timeline>().cloned(),
            shared,
        }
    }

    fn answer(&self, response: Response<Body>, cx: &mut Context<'_>) -> Response<Body> {
        let (mut parts, body) = response.into_parts();
        let head = self.method == Method::HEAD;
        let length = length(&parts, &body, head);
        match self.decide(&parts, length) {
            Verdict::Skip(skip) => {
                self.shared.meters.skipped(skip);
                match parts.status {
                    StatusCode::NOT_MODIFIED => self.not_modified(&mut parts),
                    StatusCode::PARTIAL_CONTENT => self.partial(&mut parts.headers),
                    _ => {}
                }
                Response::from_parts(parts, body)
            }
            Verdict::Plain => self.plain(parts, body),
            Verdict::Code(coding) if head => {
                fields::set_coded(&mut parts.headers, coding, None);
                Response::from_parts(parts, body)
            }
            Verdict::Code(coding) => self.code(parts, body, coding, cx),
        }
    }

    fn decide(&self, parts: &Parts, length: Option<u64>) -> Verdict {
        if self.method == Method::CONNECT {
            // After a 2xx there is a tunnel, not content (RFC 9110 §9.3.6).
            return Verdict::Skip(Skip::Status);
        }
        let answer = Answer { status: parts.status, headers: &parts.headers, length };
        decide(&self.ask, &answer, &self.shared.config)
    }

    /// The fields that the 200 had (RFC 9110 §15.4.5). What type it had is often not said; then
    /// it is taken for one that is negotiated.
    fn not_modified(&self, parts: &mut Parts) {
        let (headers, config) = (&mut parts.headers, &self.shared.config);
        if headers.contains_key(CONTENT_TYPE) && !media_type::is_listed(headers, &config.types) {
            return;
        }
        fields::set_vary(headers);
        if self.ask.takes(&config.codings) || self.ask.takes(&config.stream_codings) {
            fields::match_tag(headers, self.if_none_match.as_ref());
        }
    }

    /// A part varies as the 200 would have (RFC 9110 §15.3.7). Several parts do not say here what
    /// type they are of; it is taken for one that is negotiated.
    fn partial(&self, headers: &mut HeaderMap) {
        let coded = headers.contains_key(CONTENT_ENCODING) || forbids_transform(headers);
        let listed = || media_type::is_listed(headers, &self.shared.config.types);
        if !coded && (media_type::is_in_parts(headers) || listed()) {
            fields::set_vary(headers);
        }
    }

    fn plain(&self, mut parts: Parts, body: Body) -> Response<Body> {
        self.shared.meters.plain();
        fields::set_vary(&mut parts.headers);
        Response::from_parts(parts, body)
    }

    fn code(
        &self,
        parts: Parts,
        body: Body,
        coding: Coding,
        cx: &mut Context<'_>,
    ) -> Response<Body> {
        let config = &self.shared.config;
        let bytes = match hold(body, config.whole_max, cx) {
            Held::Some(replay) => return self.stream(parts, replay, coding),
            Held::All(bytes) => bytes,
        };
        let length = bytes.len() as u64;
        if length < config.min_size {
            // The length was not known before; now it is, and nobody gets this coded.
            self.shared.meters.skipped(Skip::Small);
            return Response::from_parts(parts, Body::full(bytes));
        }
        self.whole(parts, bytes, coding)
    }

    fn whole(&self, mut parts: Parts, bytes: Bytes, coding: Coding) -> Response<Body> {
        let started = self.timeline.as_ref().map(|_| Instant::now());
        let coded = whole::encode(coding, self.shared.config.levels.of(coding), &bytes);
        if let (Some(timeline), Some(started)) = (&self.timeline, started) {
            timeline.add(Phase::Coding, started.elapsed());
        }
        let Some(coded) = coded else {
            return self.plain(parts, Body::full(bytes));
        };
        let (before, after) = (bytes.len() as u64, coded.len() as u64);
        self.shared.meters.coded(coding, before, after);
        self.record(coding);
        fields::set_coded(&mut parts.headers, coding, Some(after));
        Response::from_parts(parts, Body::full(coded))
    }

    fn stream(&self, mut parts: Parts, replay: Replay, coding: Coding) -> Response<Body> {
        let level = self.shared.config.levels.of(coding);
        let Ok(encoder) = Encoder::take(coding, level, Input::Stream) else {
            // Plain is always right.
            return self.plain(parts, replay.into_body());
        };
        let meters = Arc::clone(&self.shared.meters);
        let coded = Coded::new(replay, encoder, self.timeline.clone(), meters);
        self.record(coding);
        fields::set_coded(&mut parts.headers, coding, None);
        Response::from_parts(parts, Body::new(coded))
    }

    fn record(&self, coding: Coding) {
        if let Some(timeline) = &self.timeline {
            timeline.update(|record| record.coding = Some(coding.as_str()));
        }
    }
}

/// The body's length, as far as it is known; of an answer to HEAD that of the GET.
fn length(parts: &Parts, body: &Body, head: bool) -> Option<u64> {
    let declared = || {
        let value = parts.headers.get(CONTENT_LENGTH)?.to_str().ok()?;
        value.parse().ok()
    };
    let exact = body.size_hint().exact().filter(|_| !head);
    exact.or_else(declared)
}

/// Reads what is at hand without waiting, up to `most` bytes.
fn hold(body: Body, most: u64, cx: &mut Context<'_>) -> Held {
    if let Some(bytes) = body.as_bytes().filter(|bytes| bytes.len() as u64 <= most) {
        return Held::All(bytes);
    }
    let too_long = body.size_hint().lower() > most;
    let (mut replay, mut held) = (Replay::new(body), 0);
    while held <= most && !too_long {
        match Pin::new(replay.rest()).poll_frame(cx) {
            Poll::Pending => break,
            Poll::Ready(None) => return Held::All(replay.into_bytes()),
            Poll::Ready(Some(frame)) => match frame.map(http_body::Frame::into_data) {
                Ok(Ok(chunk)) => {
                    held += chunk.len() as u64;
                    replay.push(chunk);
                }
                Ok(Err(trailers)) => {
                    replay.set_last(Ok(trailers));
                    break;
                }
                Err(error) => {
                    replay.set_last(Err(error));
                    break;
                }
            },
        }
    }
    Held::Some(replay)
}
