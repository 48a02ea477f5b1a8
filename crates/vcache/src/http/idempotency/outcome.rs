//! Answers that are made in place of the service's.

use std::time::Duration;

use http::header::LINK;
use http::{HeaderValue, Response, StatusCode};
use vhttp::{Body, Reject, ReplayVerdict};

/// Why a request was not carried out, nor its answer repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It needs a key and has none.
    KeyMissing,
    /// What it has is no key.
    KeyMalformed(&'static str),
    /// Its content is too large.
    BodyTooLarge,
    /// Its content broke off.
    BodyBroken,
    /// Its key was used with another content.
    KeyReused,
    /// The first of its key is under way.
    InProgress,
    /// The first of its key was carried out, and its answer was too large to keep.
    AnswerTooLarge,
    /// The store could not be asked.
    StoreAway,
    /// Too many are under way.
    Full,
    /// It was given up or panicked.
    Ended,
}

impl Outcome {
    pub(crate) const fn verdict(self) -> ReplayVerdict {
        match self {
            Self::KeyMissing | Self::KeyMalformed(_) | Self::BodyTooLarge | Self::BodyBroken => {
                ReplayVerdict::Refused
            }
            Self::KeyReused => ReplayVerdict::Mismatch,
            Self::InProgress | Self::AnswerTooLarge => ReplayVerdict::Conflict,
            Self::StoreAway | Self::Full => ReplayVerdict::Unavailable,
            Self::Ended => ReplayVerdict::Ran,
        }
    }

    /// The status codes of draft-ietf-httpapi-idempotency-key-header §2.7, and those of RFC 9110.
    const fn told(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::KeyMissing => (
                StatusCode::BAD_REQUEST,
                "idempotency-key-missing",
                "this operation needs an Idempotency-Key",
            ),
            Self::KeyMalformed(why) => (StatusCode::BAD_REQUEST, "idempotency-key-malformed", why),
            Self::BodyTooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "idempotency-body-too-large",
                "the content is too large for a request with an Idempotency-Key",
            ),
            Self::BodyBroken => (
                StatusCode::BAD_REQUEST,
                "idempotency-body-broken",
                "the content ended before it was complete",
            ),
            Self::KeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "this Idempotency-Key was used with another content",
            ),
            Self::InProgress => (
                StatusCode::CONFLICT,
                "idempotency-in-progress",
                "a request with this Idempotency-Key is still under way",
            ),
            Self::AnswerTooLarge => (
                StatusCode::CONFLICT,
                "idempotency-answer-too-large",
                "the request was carried out before; its answer was too large to be repeated",
            ),
            Self::StoreAway => (
                StatusCode::SERVICE_UNAVAILABLE,
                "idempotency-store",
                "whether this request was carried out before cannot be told at the moment",
            ),
            Self::Full => (
                StatusCode::SERVICE_UNAVAILABLE,
                "idempotency-full",
                "too many requests with an Idempotency-Key are under way",
            ),
            Self::Ended => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "idempotency-ended",
                "the request was begun and given up",
            ),
        }
    }

    pub(crate) fn response(self, link: Option<&HeaderValue>) -> Response<Body> {
        let (status, reason, detail) = self.told();
        let mut reject = Reject::new(status, reason).detail(detail);
        if matches!(self, Self::InProgress | Self::StoreAway | Self::Full) {
            reject = reject.retry_after(Duration::from_secs(1));
        }
        let mut response = reject.into_response();
        if let Some(link) = link.filter(|_| status.is_client_error()) {
            response.headers_mut().insert(LINK, link.clone());
        }
        response
    }
}
